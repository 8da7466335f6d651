import { KineoError } from '../../core/errors.ts'
import { parseDelimited, type Row } from '../importers/delimited-text.ts'
import { parseTime } from './check-entries.ts'
import type { EntryList, SegmentEntry, SegmentFormat } from './segment.ts'

const classNames = ['class', 'class_name', 'label', 'action']
const firstNames = ['first_frame', 'first', 'start_frame']
const lastNames = ['last_frame', 'last', 'end_frame']
const borisBehavior = 'behavior'

/**
 * Reads a table of segments: Kineo's own, LosslessCut's (start, end, name without a header), ELAN's tab-delimited text, or
 * the tabular and aggregated events of BORIS; which one is told by its columns.
 *
 * @param where Name of the file, for errors.
 * @param videoName Name of the video: BORIS lists several in one table.
 * @throws KineoError `input` when the columns are none of these.
 */
export function readTable(
  text: string,
  where: string,
  videoName: string,
): EntryList & { format: SegmentFormat } {
  const rows = parseDelimited(text, separatorOf(text), where)
  const head = (rows[0]?.cells ?? []).map(plain)
  if (rows.length === 0) return { format: 'csv', entries: [], problems: [], notes: [] }
  if (firstNames.some((name) => head.includes(name))) return { format: 'csv', ...readOwn(rows, head, where) }
  const borisHead = rows
    .slice(0, 40)
    .findIndex(
      ({ cells }) =>
        cells.map(plain).includes(borisBehavior) && cells.some((cell) => /^(?:start|time)/.test(plain(cell))),
    )
  if (borisHead >= 0) return { format: 'boris', ...readBoris(rows.slice(borisHead), where, videoName) }
  const elan = readElan(rows, head)
  if (elan !== null) return { format: 'elan', ...elan }
  if (rows.some(({ cells }) => isLosslessCutRow(cells))) {
    return { format: 'losslesscut', ...readLosslessCut(rows) }
  }
  throw new KineoError('input', 'The list of segments is not understood', {
    where: `${where}, whose first line is ${shortened((rows[0]?.cells ?? []).join(','))}`,
    remedy:
      'Its first line should be class,first_frame,last_frame; exports of LosslessCut, ELAN and BORIS are read, too',
  })
}

function shortened(line: string): string {
  return JSON.stringify(line.length <= 80 ? line : `${line.slice(0, 79)}…`)
}

function plain(cell: string): string {
  return cell.trim().toLowerCase()
}

/** Tab, semicolon or comma: the one that the first line with any has most of, outside of quotes. */
function separatorOf(text: string): string {
  for (const line of text.split(/\r\n|\n|\r/, 40)) {
    const bare = line.replaceAll(/"[^"]*"/g, '')
    const counts = ['\t', ';', ','].map((each) => [each, bare.split(each).length - 1] as const)
    const [most] = counts.toSorted((a, b) => b[1] - a[1])
    if (most !== undefined && most[1] > 0) return most[0]
  }
  return ','
}

function columnOf(head: readonly string[], names: readonly string[]): number {
  return head.findIndex((cell) => names.includes(cell))
}

function readOwn(rows: readonly Row[], head: readonly string[], where: string): EntryList {
  const columns = [classNames, firstNames, lastNames].map((names) => columnOf(head, names))
  const [className = -1, first = -1, last = -1] = columns
  const missing = ['class', 'first_frame', 'last_frame'].filter((_, at) => columns[at] === -1)
  if (missing.length > 0) {
    throw new KineoError('input', `The list has no column ${missing.join(' and no column ')}`, {
      where: `${where}, whose columns are ${head.join(', ')}`,
      remedy: 'Its first line should be class,first_frame,last_frame',
    })
  }
  const list: EntryList = { entries: [], problems: [], notes: [] }
  for (const { cells, line } of rows.slice(1)) {
    if (cells.slice(head.length).some((cell) => cell.trim() !== '')) {
      const reason = `the line has ${cells.length} cells for ${head.length} columns; a name with a comma needs quotes`
      list.problems.push({ line, reason })
      continue
    }
    const [name = '', from = '', to = ''] = [className, first, last].map((at) => cells[at] ?? '')
    list.entries.push({ line, className: name, range: { unit: 'frames', first: from, last: to } })
  }
  return list
}

function isLosslessCutRow(cells: readonly string[]): boolean {
  const [start = '', end = '', ...names] = cells
  const isTime = (cell: string): boolean => cell.trim() === '' || parseTime(cell) !== null
  return names.length > 0 && isTime(start) && isTime(end)
}

/** Rows of start, end and name; an empty start is that of the video, an empty end its end. */
function readLosslessCut(rows: readonly Row[]): EntryList {
  const list: EntryList = { entries: [], problems: [], notes: [] }
  for (const [index, { cells, line }] of rows.entries()) {
    const isHead = index === 0 && /^start$/i.test((cells[0] ?? '').trim())
    if (isHead) continue
    const [start = '', end = '', className = ''] = cells
    list.entries.push({ line, className, range: { unit: 'seconds', ...emptyAsNull(start, end) } })
  }
  return list
}

function emptyAsNull(start: string, end: string): { start: string | null; end: string | null } {
  return { start: start.trim() === '' ? null : start, end: end.trim() === '' ? null : end }
}

/** How ELAN writes times: each of begin, end and duration may stand in several forms. */
const elanForms = [
  { header: 'ss.msec', pattern: /^\d+\.\d{1,3}$/, scale: 1 },
  { header: 'hh:mm:ss.ms', pattern: /^\d+:\d\d:\d\d\.\d{1,3}$/, scale: 1 },
  { header: 'msec', pattern: /^\d+$/, scale: 0.001 },
] as const

/** ELAN's tab-delimited text with or without a header; null when it is not that. */
function readElan(rows: readonly Row[], head: readonly string[]): EntryList | null {
  const begins = head.findIndex((cell) => /^begin time/.test(cell))
  const hasHead = begins >= 0
  const body = hasHead ? rows.slice(1) : rows
  const width = Math.max(...rows.map(({ cells }) => cells.length))
  if (body.length === 0 || width < 4) return null
  const columns = hasHead ? elanColumnsOfHead(head) : elanColumnsOfCells(body, width)
  if (columns === null) return null
  const { begin, end, scale, value } = columns
  const asSeconds = (cell: string): string => {
    const time = parseTime(cell)
    return time === null ? cell : scale === 1 ? cell : (time * scale).toFixed(3)
  }
  const entries = body.map(({ cells, line }): SegmentEntry => {
    const [from = '', to = ''] = [begin, end].map((at) => asSeconds(cells[at] ?? ''))
    // An annotation without a text is of the kind that its tier says.
    const className = (cells[value] ?? '').trim() || (cells[0] ?? '')
    return { line, className, range: { unit: 'seconds', start: from, end: to } }
  })
  return { entries, problems: [], notes: [] }
}

interface ElanColumns {
  begin: number
  end: number
  /** Seconds of one unit of the times. */
  scale: number
  value: number
}

function elanColumnsOfHead(head: readonly string[]): ElanColumns | null {
  for (const { header, scale } of elanForms) {
    const [begin, end] = ['begin time', 'end time'].map((name) => head.indexOf(`${name} - ${header}`))
    if (begin === undefined || end === undefined || begin < 0 || end < 0) continue
    const value = head.findIndex((cell) => /^(?:annotation|value|default)/.test(cell))
    return { begin, end, scale, value: value < 0 ? head.length - 1 : value }
  }
  return null
}

function elanColumnsOfCells(body: readonly Row[], width: number): ElanColumns | null {
  for (const { pattern, scale } of elanForms) {
    const columns = Array.from({ length: width }, (_, at) => at)
    const times = columns.filter((at) => body.every(({ cells }) => pattern.test((cells[at] ?? '').trim())))
    const [begin, end] = times
    // The tier stands before them.
    if (begin === undefined || end === undefined || begin === 0) continue
    return { begin, end, scale, value: width - 1 }
  }
  return null
}

/** Rows from the header on: aggregated events have a start and a stop each, tabular ones a time and a status. */
function readBoris(rows: readonly Row[], where: string, videoName: string): EntryList {
  const head = (rows[0]?.cells ?? []).map(plain)
  const at = (...names: string[]): number => columnOf(head, names)
  const behavior = at(borisBehavior)
  const media = at('media file name', 'media file', 'media file path', 'media file(s)')
  const [start, stop] = [at('start (s)', 'start'), at('stop (s)', 'stop')]
  const [time, status] = [at('time', 'time (s)'), at('behavior type', 'status')]
  if ((start < 0 || stop < 0) && (time < 0 || status < 0)) {
    throw new KineoError('input', 'The table of BORIS has no times', {
      where,
      remedy: 'Export tabular or aggregated events',
    })
  }
  const list: EntryList = { entries: [], problems: [], notes: [] }
  const isOfVideo = mediaFilter(rows.slice(1), media, videoName, list.notes)
  const open = new Map<string, { line: number; start: string }[]>()
  const subject = at('subject')
  for (const { cells, line } of rows.slice(1)) {
    if (!isOfVideo(cells)) continue
    const cell = (column: number): string => (cells[column] ?? '').trim()
    const className = cell(behavior)
    const add = (from: string, to: string, begun = line): void => {
      list.entries.push({ line: begun, className, range: { unit: 'seconds', start: from, end: to } })
    }
    if (start >= 0 && stop >= 0) {
      // Points have NA or nothing for a stop.
      add(cell(start), /^(?:na|nan|)$/i.test(cell(stop)) ? cell(start) : cell(stop))
      continue
    }
    const key = `${subject < 0 ? '' : cell(subject)}\0${className}`
    const kind = cell(status).toUpperCase()
    if (kind === 'START') open.set(key, [...(open.get(key) ?? []), { line, start: cell(time) }])
    else if (kind === 'POINT') add(cell(time), cell(time))
    else if (kind === 'STOP') {
      const begun = open.get(key)?.shift()
      if (begun) add(begun.start, cell(time), begun.line)
      else list.problems.push({ line, reason: `"${className}" stops without having started` })
    } else {
      list.problems.push({ line, reason: `"${cell(status)}" is not START, STOP or POINT` })
    }
  }
  for (const [key, left] of open) {
    const className = key.split('\0')[1] ?? ''
    for (const { line } of left) list.problems.push({ line, reason: `"${className}" starts and never stops` })
  }
  return list
}

/** Whether a row is of the video, where the table speaks of several. */
function mediaFilter(
  rows: readonly Row[],
  media: number,
  videoName: string,
  notes: string[],
): (cells: readonly string[]) => boolean {
  const nameIn = (cells: readonly string[]): string => plain((cells[media] ?? '').replace(/^.*[\\/]/, ''))
  if (media < 0) return () => true
  const names = new Set(rows.map(({ cells }) => nameIn(cells)))
  const own = plain(videoName)
  if (!names.has(own)) {
    notes.push(`The list speaks of ${[...names].slice(0, 3).join(', ')}; it is taken for one of ${videoName}`)
    return () => true
  }
  if (names.size > 1)
    notes.push(`Of the ${names.size} videos in the list only the events of ${videoName} are taken`)
  return (cells) => nameIn(cells) === own
}
