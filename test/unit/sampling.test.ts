import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import {
  sampleCenterFrames,
  sampleTrainingFrames,
  type SamplingRule,
} from '../../src-main/dataset/sampling.ts'

const consecutive = (sequenceLength: number, sampleRate = 1): SamplingRule => ({
  strategy: 'consecutive',
  sequenceLength,
  sampleRate,
})
const interval = (sequenceLength: number): SamplingRule => ({
  strategy: 'random_interval',
  sequenceLength,
  sampleRate: 1,
})
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('center sampling', () => {
  it('takes frames 48 to 79 of 128 for a window of 32, the example of the TAO page', () => {
    expect(sampleCenterFrames(consecutive(32), 128)).toEqual(range(48, 79))
  })

  it('spaces a consecutive window by the sample rate', () => {
    // need 8, 3 starts, middle one 1
    expect(sampleCenterFrames(consecutive(4, 2), 10)).toEqual([1, 3, 5, 7])
  })

  it('takes the only window of a video that is just long enough', () => {
    expect(sampleCenterFrames(consecutive(5), 5)).toEqual([0, 1, 2, 3, 4])
  })

  it('loops a video that is shorter than a consecutive window', () => {
    expect(sampleCenterFrames(consecutive(8), 3)).toEqual([0, 1, 2, 0, 1, 2, 0, 1])
    expect(sampleCenterFrames(consecutive(3, 4), 5)).toEqual([0, 4, 3])
  })

  it('takes the middle of each segment for random_interval', () => {
    expect(sampleCenterFrames(interval(4), 40)).toEqual([5, 15, 25, 35])
    expect(sampleCenterFrames(interval(3), 10)).toEqual([1, 5, 8])
  })

  it('repeats frames in order when random_interval has too few', () => {
    expect(sampleCenterFrames(interval(6), 3)).toEqual([0, 0, 1, 1, 2, 2])
  })
})

describe('training sampling', () => {
  it('draws a consecutive start uniformly from 0 to N - need, and never wraps a long enough video', () => {
    const random = new Random(7)
    const seen = new Map<number, number>()
    for (let i = 0; i < 4000; i++) {
      const frames = sampleTrainingFrames(consecutive(4, 2), 11, random)
      const start = frames[0] ?? -1
      expect(frames).toEqual([start, start + 2, start + 4, start + 6])
      seen.set(start, (seen.get(start) ?? 0) + 1)
    }
    expect([...seen.keys()].sort()).toEqual([0, 1, 2, 3])
    for (const count of seen.values()) expect(count).toBeGreaterThan(850)
  })

  it('loops a short video from its first frame', () => {
    expect(sampleTrainingFrames(consecutive(5), 2, new Random(1))).toEqual([0, 1, 0, 1, 0])
  })

  it('takes one frame of each segment for random_interval, each frame of a segment as often as the others', () => {
    const random = new Random(3)
    const counts = Array.from({ length: 12 }, () => 0)
    for (let i = 0; i < 3000; i++) {
      // 14 frames in 4 segments of 3: the last two are never taken, as in TAO
      const frames = sampleTrainingFrames(interval(4), 14, random)
      expect(frames.map((frame) => Math.floor(frame / 3))).toEqual([0, 1, 2, 3])
      for (const frame of frames) counts[frame]!++
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  it('draws sorted frames with repetition when random_interval has too few', () => {
    const random = new Random(5)
    const taken = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const frames = sampleTrainingFrames(interval(8), 3, random)
      expect(frames).toHaveLength(8)
      expect(frames).toEqual([...frames].sort((a, b) => a - b))
      for (const frame of frames) taken.add(frame)
    }
    expect([...taken].sort()).toEqual([0, 1, 2])
  })

  it('draws the same frames from the same coordinates', () => {
    const draw = (epoch: number): number[] =>
      sampleTrainingFrames(interval(10), 97, new Random(42, epoch, 5, 0))
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
  })

  it('refuses a video without frames', () => {
    expect(() => sampleTrainingFrames(interval(3), 0, new Random(1))).toThrow(RangeError)
    expect(() => sampleCenterFrames(consecutive(3), 0)).toThrow(RangeError)
  })
})
