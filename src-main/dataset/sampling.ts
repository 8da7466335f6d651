import type { Random } from '../core/random.ts'
import type { Stream } from '../core/streams.ts'

/**
 * How frame indices are drawn (TAO's `sample_strategy`): `consecutive` takes a window of frames `sampleRate` apart;
 * `random_interval` cuts the whole video into as many segments as a clip has frames and takes one frame of each (TSN),
 * ignoring `sampleRate`.
 */
export type SampleStrategy = 'consecutive' | 'random_interval'

export interface SamplingRule {
  strategy: SampleStrategy
  /** Frames of a clip, for each stream that the network looks at. */
  lengths: Partial<Record<Stream, number>>
  /** Every how many frames one is taken; 1 takes each. */
  sampleRate: number
}

/** The frame indices of one clip, for each stream. */
export type FrameIndices = Partial<Record<Stream, number[]>>

/** How a whole video is looked at in evaluation. */
export interface SegmentRule {
  /** `conv`: evenly spread windows. `all`: every frame. */
  mode: 'conv' | 'all'
  /** Windows of a video in `conv`; without meaning for `all` and for `random_interval`. */
  segmentCount: number
  /** A 3D network takes clips of any length, so that `all` gives it the whole video at once. */
  inputType: '2d' | '3d'
}

/**
 * Frame indices of one training clip, tao-facts 2.2. A video shorter than the window is looped (`consecutive`) or has
 * frames repeated (`random_interval`). Of two streams the longer is sampled, and the shorter takes its frames out of
 * those of the longer: the middle ones (`consecutive`) or one of each equal part (`random_interval`).
 *
 * Departs from TAO in two points: a consecutive window starts in 0..N-need, where TAO's inclusive bound reaches one
 * start too far and wraps its last frame to the first of the video; and the frames of the shorter stream are
 * `sampleRate` apart as those of the longer, where TAO strides by `sampleRate` once more.
 *
 * @param available Frames of the video, at least 1.
 * @returns For each stream as many indices in 0..available-1 as its clips have frames.
 */
export function sampleTrainingFrames(rule: SamplingRule, available: number, random: Random): FrameIndices {
  checkFrames(available)
  const length = longest(rule)
  if (rule.strategy === 'consecutive') {
    const starts = available - windowLength(rule) + 1
    return withShorter(rule, window(rule, available, starts > 0 ? random.integer(starts) : 0), middle)
  }
  const oneOfEach = (from: number, count: number): number[] => onePerSegment(from, count, random)
  if (available < length) {
    const indices = Array.from({ length }, () => random.integer(available))
    return withShorter(
      rule,
      indices.sort((a, b) => a - b),
      oneOfEach,
    )
  }
  const interval = Math.floor(available / length)
  const indices = Array.from({ length }, (_, i) => i * interval + random.integer(interval))
  return withShorter(rule, indices, oneOfEach)
}

/**
 * Frame indices of the one clip that center evaluation looks at, tao-facts 2.2: the window in the middle
 * (`consecutive`) or the middle frame of each segment (`random_interval`). Nothing is random. Streams of unequal
 * length share frames as in training; of equal length they have the same frames, and unlike TAO keep `sampleRate`.
 *
 * @param available Frames of the video, at least 1.
 * @returns For each stream as many indices in 0..available-1 as its clips have frames.
 */
export function sampleCenterFrames(rule: SamplingRule, available: number): FrameIndices {
  checkFrames(available)
  if (rule.strategy === 'consecutive') {
    const starts = available - windowLength(rule) + 1
    return withShorter(rule, window(rule, available, starts > 0 ? Math.floor(starts / 2) : 0), middle)
  }
  return withShorter(rule, centers(available, longest(rule)), centers)
}

/**
 * Frame indices of every clip that `conv` or `all` evaluation looks at, in order, tao-facts 2.2; at least one.
 *
 * - `conv`, consecutive: `segmentCount` windows whose starts are the middles of equal parts of all starts; one looped
 *   window where the video is too short.
 * - `all`, consecutive: 2D has every window in turn, each once for every phase of `sampleRate`, and leaves out a rest
 *   that fills no window; 3D has one clip of all frames.
 * - `random_interval`: every comb of frames that lie a segment apart; a short video repeats its last frame.
 *
 * Of two streams the shorter takes the middles of equal parts of the longer's frames, as TAO does here.
 *
 * @param available Frames of the video, at least 1.
 */
export function sampleSegments(rule: SamplingRule, segments: SegmentRule, available: number): FrameIndices[] {
  checkFrames(available)
  const length = longest(rule)
  if (rule.strategy === 'random_interval') {
    return combs(available, length).map((indices) => withShorter(rule, indices, centers))
  }
  if (segments.mode === 'all' && segments.inputType === '3d') {
    const whole: FrameIndices = {}
    for (const stream of streamNames(rule)) whole[stream] = count(available)
    return [whole]
  }
  const starts =
    segments.mode === 'conv'
      ? spreadStarts(available - windowLength(rule) + 1, segments.segmentCount)
      : phasedStarts(rule, available)
  return starts.map((start) => withShorter(rule, window(rule, available, start), centers))
}

/** Middles of `segmentCount` equal parts of the possible starts. */
function spreadStarts(starts: number, segmentCount: number): number[] {
  if (starts <= 0) return [0]
  const part = starts / segmentCount
  return count(segmentCount).map((segment) => Math.floor(part / 2 + part * segment))
}

/** Starts of windows side by side, each with every phase of the sample rate. */
function phasedStarts(rule: SamplingRule, available: number): number[] {
  const span = windowLength(rule)
  const windows = Math.floor(available / span)
  if (windows === 0) return [0]
  return count(windows).flatMap((index) => count(rule.sampleRate).map((phase) => index * span + phase))
}

function combs(available: number, length: number): number[][] {
  const interval = Math.floor(available / length)
  if (interval === 0) return [count(length).map((index) => Math.min(index, available - 1))]
  return count(interval).map((phase) => count(length).map((index) => index * interval + phase))
}

/**
 * Gives the longest stream `indices`, and a shorter one those at the positions that `choose` picks.
 * @param choose From how many frames, how many.
 */
function withShorter(
  rule: SamplingRule,
  indices: readonly number[],
  choose: (from: number, count: number) => number[],
): FrameIndices {
  const frames: FrameIndices = {}
  for (const stream of streamNames(rule)) {
    const length = rule.lengths[stream] ?? 0
    frames[stream] =
      length === indices.length
        ? [...indices]
        : choose(indices.length, length).map((position) => indices[position] ?? 0)
  }
  return frames
}

/** `length` positions in a row in the middle of `from`. */
function middle(from: number, length: number): number[] {
  const start = Math.floor((from - length + 1) / 2)
  return count(length).map((index) => start + index)
}

/** The middle of each of `length` equal parts of `from` positions; positions repeat where there are too few. */
function centers(from: number, length: number): number[] {
  const part = from / length
  return count(length).map((index) => Math.floor(part / 2 + part * index))
}

/** A random position of each of `length` equal parts of `from` positions; the last part has the rest. */
function onePerSegment(from: number, length: number, random: Random): number[] {
  const part = Math.floor(from / length)
  return count(length).map(
    (index) => index * part + random.integer(index === length - 1 ? from - index * part : part),
  )
}

/** Frames that a consecutive window spans, TAO's count: the gap after the last frame belongs to it. */
function windowLength(rule: SamplingRule): number {
  return longest(rule) * rule.sampleRate
}

function window(rule: SamplingRule, available: number, start: number): number[] {
  return count(longest(rule)).map((index) => (start + index * rule.sampleRate) % available)
}

function streamNames(rule: SamplingRule): Stream[] {
  return (['rgb', 'of'] as const).filter((stream) => rule.lengths[stream] !== undefined)
}

function longest(rule: SamplingRule): number {
  return Math.max(rule.lengths.rgb ?? 0, rule.lengths.of ?? 0)
}

function count(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}

function checkFrames(available: number): void {
  if (!(available >= 1)) throw new RangeError(`a video needs at least one frame, not ${available}`)
}
