import { frameIndex, seconds, type FrameIndex } from '../../core/units.ts'
import { comparable } from '../importers/source-tree.ts'
import type { FrameTimes, Segment, SegmentEntry, SegmentProblem } from './segment.ts'

/** Bytes that a file system grants to the name of a class folder. */
const longestName = 255
/** Most lists keep milliseconds: a time may be off by half of one. */
const roundingSeconds = 0.0005

/**
 * Holds entries against the video: each becomes a segment or a problem with its line. Times become frames by the frame
 * table: a segment begins with the frame on the screen at its start and ends with the last one that appears before its end.
 */
export function checkEntries(
  entries: readonly SegmentEntry[],
  times: FrameTimes,
): { segments: Segment[]; problems: SegmentProblem[] } {
  const segments: Segment[] = []
  const problems: SegmentProblem[] = []
  const spellings = new Map<string, Segment>()
  const ranges = new Map<string, Segment>()
  for (const entry of entries) {
    const className = entry.className.trim()
    const found = reasonAgainstName(className) ?? framesOf(entry, times)
    if (typeof found === 'string') {
      problems.push({ line: entry.line, reason: found })
      continue
    }
    const segment: Segment = { className, ...found, line: entry.line }
    const spelling = spellings.get(comparable(className))
    const range = `${found.firstFrame}-${found.lastFrame}`
    const twin = ranges.get(range)
    const reason =
      spelling !== undefined && spelling.className !== className
        ? `the class "${className}" is spelt "${spelling.className}" in line ${spelling.line}`
        : twin === undefined
          ? null
          : twin.className === className
            ? `the same segment stands in line ${twin.line}`
            : `the same frames are "${twin.className}" in line ${twin.line}`
    if (reason !== null) {
      problems.push({ line: entry.line, reason })
      continue
    }
    spellings.set(comparable(className), segment)
    ranges.set(range, segment)
    segments.push(segment)
  }
  return { segments, problems }
}

/** Why this cannot be the name of a class, which is the name of a folder, or null when it can. */
export function reasonAgainstName(name: string): string | null {
  if (name === '') return 'the class is missing'
  const shown = name.length <= 40 ? name : `${name.slice(0, 39)}…`
  if (/[/\\]/.test(name)) return `the class "${shown}" has a slash in it, which no folder can have`
  if (/\p{Cc}/u.test(name)) return 'the class has a line end or another control character in it'
  if (name.startsWith('.')) return `the class "${shown}" begins with a dot, as hidden folders do`
  if (Buffer.byteLength(name) > longestName) {
    return `the class "${shown}" has ${Buffer.byteLength(name)} bytes; a folder can have ${longestName}`
  }
  // A dataset moves between machines: what Windows refuses is told where the files are to stand on it.
  if (
    process.platform === 'win32' &&
    /[<>:"|?*]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(name)
  ) {
    return `the class "${shown}" cannot be a folder of Windows`
  }
  return null
}

type Frames = Pick<Segment, 'firstFrame' | 'lastFrame'>

function framesOf({ range }: SegmentEntry, times: FrameTimes): Frames | string {
  return range.unit === 'frames'
    ? framesOfNumbers(range.first, range.last, times)
    : framesOfTimes(range.start, range.end, times)
}

function framesOfNumbers(first: string, last: string, times: FrameTimes): Frames | string {
  for (const text of [first, last]) {
    if (text.trim() === '') return 'a frame is missing'
    // 12.0 is how spreadsheets and data frames write whole numbers.
    if (!/^[+-]?\d+(?:\.0+)?$/.test(text.trim())) return `"${text.trim()}" is not the number of a frame`
  }
  const [from, to] = [Number(first), Number(last)]
  if (from < 0) return `frame ${from} is below 0, the first one`
  if (to < from) return `the last frame, ${to}, is before the first, ${from}`
  if (to >= times.frameCount) return beyondTheEnd(`frame ${to}`, times)
  return { firstFrame: frameIndex(from), lastFrame: frameIndex(to) }
}

function framesOfTimes(start: string | null, end: string | null, times: FrameTimes): Frames | string {
  const lastFrame = frameIndex(times.frameCount - 1)
  const videoEnd = times.endOf(lastFrame)
  const [from, to] = [start === null ? 0 : parseTime(start), end === null ? videoEnd : parseTime(end)]
  if (from === null) return `"${start}" is not a time`
  if (to === null) return `"${end}" is not a time`
  if (to < from) return `the end, ${to} s, is before the start, ${from} s`
  if (from < 0) return `the start, ${from} s, is before the video`
  // Players round the length of a video up, and sound may be longer than the picture.
  if (from >= videoEnd + roundingSeconds) return beyondTheEnd(`${from} s`, times)
  if (to > videoEnd + 1) return beyondTheEnd(`${to} s`, times)
  const first = shownAt(from, times)
  // A point in time means the frame shown at it.
  const last = Math.max(first, to <= from ? first : lastBefore(to, times))
  return { firstFrame: first, lastFrame: frameIndex(last) }
}

/** The frame on the screen at a time that may be rounded: a frame that appears within the rounding is taken for meant. */
function shownAt(time: number, times: FrameTimes): FrameIndex {
  const shown = times.frameAt(seconds(time))
  const next = shown + 1
  if (next >= times.frameCount) return shown
  const appears = times.timeOf(frameIndex(next))
  const tolerance = Math.min(roundingSeconds * 1.01, (appears - times.timeOf(shown)) / 4)
  return time >= appears - tolerance ? frameIndex(next) : shown
}

/** The last frame that appears before this time; one that appears within the rounding does not. */
function lastBefore(time: number, times: FrameTimes): number {
  const shown = shownAt(time, times)
  const appears = times.timeOf(shown)
  const tolerance = Math.min(roundingSeconds * 1.01, (times.endOf(shown) - appears) / 4)
  return time <= appears + tolerance ? shown - 1 : shown
}

function beyondTheEnd(what: string, times: FrameTimes): string {
  const last = times.frameCount - 1
  return `${what} is beyond the end of the video: its last frame is ${last}, to ${times.endOf(frameIndex(last)).toFixed(3)} s`
}

/** Seconds out of `12.34`, `1:02.5` or `00:01:02.500`; a comma may stand for the point. Null for anything else. */
export function parseTime(text: string): number | null {
  const parts = /^(-?)(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?|[.,]\d+)(?:e([+-]?\d+))?$/i.exec(text.trim())
  if (!parts) return null
  const [, sign, hours = '0', minutes = '0', rest = '', exponent = '0'] = parts
  const own = Number(rest.replace(',', '.')) * 10 ** Number(exponent)
  const time = Number(hours) * 3600 + Number(minutes) * 60 + own
  return Number.isFinite(time) ? (sign === '-' ? -time : time) : null
}
