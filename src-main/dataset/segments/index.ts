/** Lists of segments of one video: reading of what people and other tools write, and writing. */
import { basename, extname } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import { readTextFile } from '../importers/text-file.ts'
import { checkEntries } from './check-entries.ts'
import { readEaf, writeEaf } from './eaf.ts'
import { readJson } from './read-json.ts'
import { readTable } from './read-tables.ts'
import type { EntryList, FrameTimes, Segment, SegmentFormat, SegmentList } from './segment.ts'
import { writeBoris, writeCsv, writeElan, writeJson, writeLosslessCut } from './write-tables.ts'

export { reasonAgainstName } from './check-entries.ts'
export type { FrameTimes, Segment, SegmentFormat, SegmentList, SegmentProblem } from './segment.ts'

/**
 * Reads a list of segments: Kineo's CSV (class, first_frame, last_frame) and JSON, CSV of LosslessCut, tab-delimited text
 * and files of ELAN, tabular and aggregated events of BORIS; which one is told by its name and content. Times become frames
 * by the times of the video. Entries that cannot be used stand in `problems`.
 *
 * @param videoName Name of the video file, for lists that speak of several.
 * @throws KineoError `input` when the file cannot be read or is none of these.
 */
export async function readSegments(path: string, times: FrameTimes, videoName: string): Promise<SegmentList> {
  const text = await readTextFile(path)
  const { format, entries, problems, notes } = entriesIn(text, path, videoName)
  const checked = checkEntries(entries, times)
  const all = [...problems, ...checked.problems].toSorted((a, b) => a.line - b.line)
  return { format, segments: checked.segments, problems: all, notes }
}

function entriesIn(text: string, path: string, videoName: string): EntryList & { format: SegmentFormat } {
  const extension = extname(path).toLowerCase()
  const start = text.trimStart()
  if (extension === '.eaf' || start.startsWith('<')) return { format: 'eaf', ...readEaf(text, path) }
  if (extension === '.json' || /^[{[]/.test(start)) return { format: 'json', ...readJson(text, path) }
  return readTable(text, path, videoName)
}

const writers: readonly {
  ending: string
  write: (segments: readonly Segment[], times: FrameTimes, videoName: string) => string
}[] = [
  { ending: '.llc.csv', write: writeLosslessCut },
  { ending: '.boris.csv', write: writeBoris },
  { ending: '.csv', write: writeCsv },
  { ending: '.json', write: writeJson },
  { ending: '.eaf', write: writeEaf },
  { ending: '.txt', write: writeElan },
]

/** @throws KineoError `usage` when the name of the file does not say which format is meant. */
export function requireSegmentFormat(path: string): void {
  writerOf(path)
}

function writerOf(path: string): (typeof writers)[number]['write'] {
  const writer = writers.find(({ ending }) => basename(path).toLowerCase().endsWith(ending))
  if (writer) return writer.write
  throw new KineoError('usage', 'The name of the list does not say its format', {
    where: path,
    remedy: 'Let it end with .csv, .json, .llc.csv (LosslessCut), .eaf or .txt (ELAN), or .boris.csv (BORIS)',
  })
}

/**
 * Writes segments in the format that the name of the file says, whole or not at all.
 *
 * @throws KineoError `usage` when the name says none.
 */
export async function writeSegments(
  path: string,
  segments: readonly Segment[],
  times: FrameTimes,
  videoName: string,
): Promise<void> {
  await writeFileAtomic(path, writerOf(path)(segments, times, videoName))
}
