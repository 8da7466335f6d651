import { KineoError } from '../../core/errors.ts'

export interface Row {
  /** Line that the row begins on, from 1. */
  line: number
  cells: string[]
}

/**
 * Reads separated values after RFC 4180: cells in double quotes may hold separators, line ends and doubled quotes; lines
 * end with CRLF, LF or CR. Beyond it, white space before an opening quote is passed over, a quote within an unquoted
 * cell stands for itself, and rows without any text are left out.
 *
 * @param where Name of the file, for errors.
 * @throws KineoError `input` when a quoted cell does not end.
 */
export function parseDelimited(text: string, separator: string, where: string): Row[] {
  const rows: Row[] = []
  let cells: string[] = []
  let cell = ''
  let line = 1
  let rowLine = 1
  let quotedSince: number | null = null
  const endRow = (): void => {
    cells.push(cell)
    if (cells.some((each) => each.trim() !== '')) rows.push({ line: rowLine, cells })
    cells = []
    cell = ''
  }
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    const endsLine = char === '\n' || (char === '\r' && text[i + 1] !== '\n')
    if (endsLine) line++
    if (quotedSince !== null) {
      if (char !== '"') cell += char
      else if (text[i + 1] === '"') cell += text.charAt(++i)
      else quotedSince = null
    } else if (char === '"' && cell.trim() === '') {
      cell = ''
      quotedSince = line
    } else if (char === separator) {
      cells.push(cell)
      cell = ''
    } else if (endsLine) {
      endRow()
      rowLine = line
    } else if (char !== '\r') {
      cell += char
    }
  }
  if (quotedSince !== null) {
    throw new KineoError('input', 'A quoted cell does not end', {
      where: `${where}, line ${quotedSince}`,
      remedy: 'Close the cell with ", and write a quote within it twice',
    })
  }
  endRow()
  return rows
}
