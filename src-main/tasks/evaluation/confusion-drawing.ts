/** Sizes in pixels; cells shrink to the smallest one where there are many classes. */
const largestCell = 56
const smallestCell = 16
const usualSide = 900
const margin = 24
const titleHeight = 64
/** Longest name that is written out. */
const nameLetters = 28
/** Mean width of a letter in parts of the font size. */
const letterWidth = 0.6
/** Blue of a row's share of 1; a share of 0 is white. */
const fullColour = [20, 66, 134] as const

/**
 * The confusion matrix as an SVG drawing: rows are the true class, columns the prediction, each cell has its count and is
 * as dark as its share of the row.
 *
 * @param confusion [classes][classes] counts.
 */
export function confusionDrawing(
  classNames: readonly string[],
  confusion: readonly (readonly number[])[],
): string {
  const names = classNames.map(shortened)
  const cell = Math.max(smallestCell, Math.min(largestCell, Math.floor(usualSide / names.length)))
  const fontSize = Math.max(9, Math.min(14, Math.round(cell * 0.45)))
  const labelWidth = Math.ceil(Math.max(...names.map((name) => name.length)) * fontSize * letterWidth) + 10
  // Column names stand at 45 degrees: as high as wide.
  const labelHeight = Math.ceil(labelWidth * Math.SQRT1_2) + fontSize
  const side = cell * names.length
  const left = margin + labelWidth
  const top = titleHeight + labelHeight
  const width = Math.max(left + side + labelHeight + margin, 420)
  const height = top + side + margin

  const parts = [
    text(margin, 30, 17, 'Confusion matrix', 'font-weight="bold"'),
    text(margin, 50, 12, 'Rows: the true class. Columns: the prediction. Darker: more of the row.', ''),
  ]
  for (const [k, name] of names.entries()) {
    const middle = (k + 0.5) * cell
    parts.push(
      text(left - 8, top + middle + fontSize * 0.35, fontSize, name, 'text-anchor="end"'),
      text(0, 0, fontSize, name, `transform="translate(${left + middle},${top - 8}) rotate(-45)"`),
    )
  }
  for (const [row, counts] of confusion.entries()) {
    const total = counts.reduce((sum, count) => sum + count, 0)
    for (const [column, count] of counts.entries()) {
      const share = total === 0 ? 0 : count / total
      const x = left + column * cell
      const y = top + row * cell
      parts.push(
        `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${colourOf(share)}" stroke="#d5dbe3"/>`,
      )
      if (count === 0) continue
      const digits = String(count)
      const size = Math.min(fontSize, Math.floor((cell - 4) / (digits.length * letterWidth)))
      const ink = share > 0.45 ? '#ffffff' : '#1c2733'
      const place = [x + cell / 2, y + cell / 2 + size * 0.35] as const
      parts.push(text(...place, size, digits, 'text-anchor="middle"', ink))
    }
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<rect width="${width}" height="${height}" fill="#ffffff"/>${parts.join('')}</svg>`
  )
}

function text(
  x: number,
  y: number,
  size: number,
  content: string,
  attributes: string,
  ink = '#1c2733',
): string {
  return (
    `<text x="${x}" y="${y}" font-family="sans-serif" font-size="${size}" fill="${ink}" ${attributes}>` +
    `${escaped(content)}</text>`
  )
}

function colourOf(share: number): string {
  return `rgb(${fullColour.map((full) => Math.round(255 + (full - 255) * share)).join(',')})`
}

function shortened(name: string): string {
  const letters = [...name]
  return letters.length > nameLetters ? `${letters.slice(0, nameLetters - 1).join('')}…` : name
}

/** Text for XML, which cannot hold control characters at all. */
function escaped(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/\p{Cc}/gu, ' ')
}
