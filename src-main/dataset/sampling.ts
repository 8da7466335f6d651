import type { Random } from '../core/random.ts'

/**
 * How frame indices are drawn (TAO's `sample_strategy`): `consecutive` takes a window of `sequenceLength` frames
 * `sampleRate` apart; `random_interval` cuts the whole video into `sequenceLength` segments and takes one frame of
 * each (TSN), ignoring `sampleRate`.
 */
export type SampleStrategy = 'consecutive' | 'random_interval'

export interface SamplingRule {
  strategy: SampleStrategy
  /** Frames of a clip. */
  sequenceLength: number
  /** Every how many frames one is taken; 1 takes each. */
  sampleRate: number
}

/**
 * Frame indices of one training clip, tao-facts 2.2. A video shorter than the window is looped (`consecutive`) or
 * has frames repeated (`random_interval`).
 *
 * Departs from TAO in one point: a consecutive window starts in 0..N-need, where TAO's inclusive bound reaches one
 * start too far and wraps its last frame to the first of the video.
 *
 * @param available Frames of the video, at least 1.
 * @returns `sequenceLength` indices in 0..available-1.
 */
export function sampleTrainingFrames(rule: SamplingRule, available: number, random: Random): number[] {
  checkFrames(available)
  const { sequenceLength } = rule
  if (rule.strategy === 'consecutive') {
    const starts = available - windowLength(rule) + 1
    return window(rule, available, starts > 0 ? random.integer(starts) : 0)
  }
  if (available < sequenceLength) {
    const indices = Array.from({ length: sequenceLength }, () => random.integer(available))
    return indices.sort((a, b) => a - b)
  }
  const interval = Math.floor(available / sequenceLength)
  return Array.from({ length: sequenceLength }, (_, i) => i * interval + random.integer(interval))
}

/**
 * Frame indices of the one clip that center evaluation looks at, tao-facts 2.2: the window in the middle
 * (`consecutive`) or the middle frame of each segment (`random_interval`). Nothing is random.
 *
 * @param available Frames of the video, at least 1.
 * @returns `sequenceLength` indices in 0..available-1.
 */
export function sampleCenterFrames(rule: SamplingRule, available: number): number[] {
  checkFrames(available)
  if (rule.strategy === 'consecutive') {
    const starts = available - windowLength(rule) + 1
    return window(rule, available, starts > 0 ? Math.floor(starts / 2) : 0)
  }
  const segment = available / rule.sequenceLength
  return Array.from({ length: rule.sequenceLength }, (_, i) => Math.floor(segment / 2 + segment * i))
}

/** Frames that a consecutive window spans, TAO's count: the gap after the last frame belongs to it. */
function windowLength(rule: SamplingRule): number {
  return rule.sequenceLength * rule.sampleRate
}

function window(rule: SamplingRule, available: number, start: number): number[] {
  return Array.from({ length: rule.sequenceLength }, (_, i) => (start + i * rule.sampleRate) % available)
}

function checkFrames(available: number): void {
  if (!(available >= 1)) throw new RangeError(`a video needs at least one frame, not ${available}`)
}
