import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { isVideoFile } from '../../core/video-file.ts'
import { parseDelimited, type Row } from './delimited-text.ts'
import { partInName, someOf, partOf, type DatasetPart, type Importer, type SourceListing } from './listing.ts'
import { readLines, readTextFile } from './text-file.ts'

/** Names of columns in lower case, the surer ones first. */
const pathNames = (
  'path video_path file_path filepath clip_path videopath file filename file_name video_file ' +
  'video videos clip name'
).split(' ')
const labelNames = 'class_name classname label_name label labels class category action activity'.split(' ')
const partNames = 'split subset set partition part fold'.split(' ')

/** Where the columns of a table are. */
interface Columns {
  path: number
  label: number
  /** Null where the table has no parts. */
  part: number | null
  /** Rows before the first video. */
  headRows: number
}

/**
 * A table of one's own: `path, label[, split]` in any order under a header, or `path, label[, split]` without one, separated
 * by commas, semicolons or tabs; or a list of `path label` with a space, as MMAction2 has it. Paths are relative to the
 * table (or to videos/ beside it, as in MMAction2). Numbers as labels are named by a file with one class a line.
 *
 * @throws KineoError `input` when the table is not understood or contradicts itself.
 */
export const listVideoTable: Importer = async (source, options) => {
  const table = resolve(source)
  const root = dirname(table)
  const notes: string[] = []
  const { rows, columns } = await readTable(table)
  const labels = await readLabels(table, rows, columns, options.labels, notes)
  const ofName = columns.part === null ? partInName(basename(table)) : null
  if (ofName !== null) notes.push(`The table has no split; by its name all videos are for ${ofName}`)

  const wrong = (row: Row, what: string, remedy?: string): KineoError =>
    new KineoError('input', what, { where: `${table}, line ${row.line}`, ...(remedy && { remedy }) })
  const entries = rows.map((row) => {
    const cell = (at: number): string => (row.cells[at] ?? '').trim()
    const [path, label] = [cell(columns.path), cell(columns.label)]
    if (path === '' || label === '') throw wrong(row, `A row has no ${path === '' ? 'path' : 'label'}`)
    const part = columns.part === null ? ofName : partOf(cell(columns.part))
    if (columns.part !== null && part === null) {
      const word = cell(columns.part)
      throw wrong(row, word === '' ? 'A row has no split' : `The split "${word}" is not train, val or test`)
    }
    const className = labels === null ? label : labels.get(label)
    if (className === undefined) {
      throw wrong(row, `There is no class number ${label}`, 'Check the file with the names of the classes')
    }
    return { row, path, className, part }
  })

  const chosen = options.chooseClasses([...new Set(entries.map(({ className }) => className))].sort())
  const listing: SourceListing = { root, videos: [], missing: [], notes }
  const seen = new Map<string, (typeof entries)[number]>()
  const others: string[] = []
  for (const entry of entries) {
    const { row, path, className, part } = entry
    const file = await findFile(root, path, part)
    const known = seen.get(file ?? path)
    if (known && (known.className !== className || known.part !== part)) {
      const [is, was] = [entry, known].map((each) => each.className + (each.part ? ` in ${each.part}` : ''))
      throw wrong(
        row,
        `The video ${path} is ${is} here, but ${was} in line ${known.row.line}`,
        'Keep one of the rows',
      )
    }
    if (known || !chosen.has(className)) continue
    seen.set(file ?? path, entry)
    if (!namesVideo(path)) others.push(`${path} in line ${row.line}`)
    else if (file !== null) listing.videos.push({ source: file, className, part })
    else listing.missing.push({ name: path, className, part })
  }
  if (others.length > 0) notes.push(`Left out, being no videos: ${someOf(others)}`)
  return listing
}

async function readTable(table: string): Promise<{ rows: Row[]; columns: Columns }> {
  const text = await readTextFile(table)
  // A first line that Excel writes to tell its separator.
  const told = /^sep=(.)\r?\n/i.exec(text)
  const body = told ? text.slice(told[0].length) : text
  for (const separator of told ? [told[1] ?? ','] : ['\t', ';', ',']) {
    const rows = parseDelimited(body, separator, table)
    const columns = findColumns(rows)
    if (columns) return { rows: rows.slice(columns.headRows), columns }
  }
  const rows = body.split(/\r\n|\n|\r/).flatMap((each, index): Row[] => {
    const [, path, label] = /^(.+?)\s+(\S+)$/.exec(each.trim()) ?? []
    return path === undefined || label === undefined ? [] : [{ line: index + 1, cells: [path, label] }]
  })
  if (rows.length > 0 && rows.every(({ cells }) => namesVideo(cells[0] ?? ''))) {
    return { rows, columns: { path: 0, label: 1, part: null, headRows: 0 } }
  }
  throw new KineoError('input', 'The table is not understood', {
    where: table,
    remedy: 'Its first line should be path,label or path,label,split, and each further line name one video',
  })
}

/** Understands the columns by the header, or by the first row that names a video; null when neither is there. */
function findColumns(rows: readonly Row[]): Columns | null {
  const head = (rows[0]?.cells ?? []).map((cell) => cell.trim().toLowerCase())
  const named = (names: readonly string[]): number =>
    head.indexOf(names.find((name) => head.includes(name)) ?? '')
  const [path, label, part] = [named(pathNames), named(labelNames), named(partNames)]
  if (path >= 0 && label >= 0) return { path, label, part: part < 0 ? null : part, headRows: 1 }
  for (const headRows of [0, 1]) {
    const cells = rows[headRows]?.cells ?? []
    const video = cells.findIndex((cell) => namesVideo(cell))
    const others = cells.map((_, at) => at).filter((at) => at !== video)
    const [second, third] = others
    if (video < 0 || second === undefined) continue
    if (third === undefined) return { path: video, label: second, part: null, headRows }
    const isPart = (at: number): boolean => partOf(cells[at] ?? '') !== null
    if (others.length === 2 && isPart(third)) return { path: video, label: second, part: third, headRows }
  }
  return null
}

/** Whether a cell is the path of a video, of this system or of Windows. */
function namesVideo(cell: string): boolean {
  return isVideoFile(cell.trim().replace(/^.*[\\/]/, ''))
}

/** Class names by the numbers that the rows have for labels; null when the labels are names. */
async function readLabels(
  table: string,
  rows: readonly Row[],
  columns: Columns,
  given: string | undefined,
  notes: string[],
): Promise<Map<string, string> | null> {
  const numbers = rows.every(({ cells }) => /^\d+$/.test((cells[columns.label] ?? '').trim()))
  if (!numbers) {
    if (given === undefined) return null
    throw new KineoError('usage', 'The classes of the table have names already', {
      remedy: 'Leave out --labels',
    })
  }
  const file = given ?? (await findLabels(table))
  if (file === null) {
    notes.push('The classes are numbers: give a file with one class name a line with --labels to name them')
    return null
  }
  const lines = (await readLines(file)).map(({ text }) => text)
  const numbered = lines.map((text) => /^(\d+)\s+(.+)$/.exec(text))
  if (given === undefined) notes.push(`Names of the classes from ${file}`)
  return new Map(
    numbered.every((match) => match !== null)
      ? numbered.map((match) => [String(Number(match[1])), match[2] ?? ''])
      : lines.map((text, index) => [String(index), text]),
  )
}

/** The one file beside the table that is called after class names, or null. */
async function findLabels(table: string): Promise<string | null> {
  const names = await readdir(dirname(table)).catch(() => [])
  const labels = names.filter((name) =>
    /^(.*[_-])?(labels?|label[_-]?map|classes|class[_-]?names)([_-].*)?\.txt$/i.test(name),
  )
  const others = labels.filter((name) => name !== basename(table))
  return others.length === 1 ? join(dirname(table), others[0] ?? '') : null
}

/** The file that a row means, absolute, or null when there is none. */
async function findFile(root: string, path: string, part: DatasetPart | null): Promise<string | null> {
  const spellings = [path, ...(path.includes('\\') ? [path.replaceAll('\\', '/')] : [])]
  const bases = ['', 'videos', ...(part === null ? [] : [`videos_${part}`])]
  for (const spelling of spellings) {
    if (isAbsolute(spelling) && (await isFile(spelling))) return resolve(spelling)
    // Some tables begin every path with a slash and mean their own folder.
    for (const base of bases) {
      const file = join(root, base, spelling)
      if (await isFile(file)) return file
    }
  }
  return null
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false
}
