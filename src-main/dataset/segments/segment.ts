import type { FrameIndex, Seconds } from '../../core/units.ts'

/** A range of frames of one video that shows one class. */
export interface Segment {
  className: string
  /** Inclusive, both. */
  firstFrame: FrameIndex
  lastFrame: FrameIndex
  /** Line of the list, from 1, or its place among the entries where the list has no lines. */
  line: number
}

/** An entry of a list that is no segment of the video. */
export interface SegmentProblem {
  line: number
  reason: string
}

/** What a list of segments holds. */
export interface SegmentList {
  format: SegmentFormat
  segments: Segment[]
  /** Entries that cannot be used; the others stand on their own. */
  problems: SegmentProblem[]
  /** What people should know of the reading, one sentence each. */
  notes: string[]
}

export type SegmentFormat = 'csv' | 'json' | 'losslesscut' | 'elan' | 'eaf' | 'boris'

/** When the frames of a video are shown; a frame table is one. */
export interface FrameTimes {
  readonly frameCount: number
  timeOf(frame: FrameIndex): Seconds
  endOf(frame: FrameIndex): Seconds
  frameAt(time: Seconds): FrameIndex
}

/** An entry as a list has it, before it is held against the video. */
export interface SegmentEntry {
  line: number
  className: string
  /** Frames as written, or times; `null` is the start or the end of the video. */
  range:
    | { unit: 'frames'; first: string; last: string }
    | { unit: 'seconds'; start: string | null; end: string | null }
}

/** The entries of a list, what could not be read as one, and sentences on the reading. */
export interface EntryList {
  entries: SegmentEntry[]
  problems: SegmentProblem[]
  notes: string[]
}
