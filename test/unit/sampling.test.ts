import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import {
  sampleCenterFrames,
  sampleSegments,
  sampleTrainingFrames,
  type FrameIndices,
  type SamplingRule,
  type SegmentRule,
} from '../../src-main/dataset/sampling.ts'

const rule = (
  strategy: SamplingRule['strategy'],
  length: number | { rgb: number; of: number },
  sampleRate = 1,
): SamplingRule => ({
  strategy,
  lengths: typeof length === 'number' ? { rgb: length } : length,
  sampleRate,
})
const consecutive = (length: number | { rgb: number; of: number }, sampleRate = 1): SamplingRule =>
  rule('consecutive', length, sampleRate)
const interval = (length: number | { rgb: number; of: number }): SamplingRule =>
  rule('random_interval', length)
const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)
const rgbOf = ({ rgb }: FrameIndices): number[] => rgb ?? []
const center = (sampling: SamplingRule, available: number): number[] =>
  rgbOf(sampleCenterFrames(sampling, available))
const train = (sampling: SamplingRule, available: number, random: Random): number[] =>
  rgbOf(sampleTrainingFrames(sampling, available, random))
const conv = (segmentCount: number): SegmentRule => ({ mode: 'conv', segmentCount, inputType: '2d' })
const all = (inputType: '2d' | '3d'): SegmentRule => ({ mode: 'all', segmentCount: 1, inputType })

describe('center sampling', () => {
  it('takes frames 48 to 79 of 128 for a window of 32, the example of the TAO page', () => {
    expect(center(consecutive(32), 128)).toEqual(range(48, 79))
  })

  it('spaces a consecutive window by the sample rate', () => {
    // need 8, 3 starts, middle one 1
    expect(center(consecutive(4, 2), 10)).toEqual([1, 3, 5, 7])
  })

  it('takes the only window of a video that is just long enough', () => {
    expect(center(consecutive(5), 5)).toEqual([0, 1, 2, 3, 4])
  })

  it('loops a video that is shorter than a consecutive window', () => {
    expect(center(consecutive(8), 3)).toEqual([0, 1, 2, 0, 1, 2, 0, 1])
    expect(center(consecutive(3, 4), 5)).toEqual([0, 4, 3])
  })

  it('takes the middle of each segment for random_interval', () => {
    expect(center(interval(4), 40)).toEqual([5, 15, 25, 35])
    expect(center(interval(3), 10)).toEqual([1, 5, 8])
  })

  it('repeats frames in order when random_interval has too few', () => {
    expect(center(interval(6), 3)).toEqual([0, 0, 1, 1, 2, 2])
  })
})

describe('training sampling', () => {
  it('draws a consecutive start uniformly from 0 to N - need, and never wraps a long enough video', () => {
    const random = new Random(7)
    const seen = new Map<number, number>()
    for (let i = 0; i < 4000; i++) {
      const frames = train(consecutive(4, 2), 11, random)
      const start = frames[0] ?? -1
      expect(frames).toEqual([start, start + 2, start + 4, start + 6])
      seen.set(start, (seen.get(start) ?? 0) + 1)
    }
    expect([...seen.keys()].sort()).toEqual([0, 1, 2, 3])
    for (const count of seen.values()) expect(count).toBeGreaterThan(850)
  })

  it('loops a short video from its first frame', () => {
    expect(train(consecutive(5), 2, new Random(1))).toEqual([0, 1, 0, 1, 0])
  })

  it('takes one frame of each segment for random_interval, each frame of a segment as often as the others', () => {
    const random = new Random(3)
    const counts = Array.from({ length: 12 }, () => 0)
    for (let i = 0; i < 3000; i++) {
      // 14 frames in 4 segments of 3: the last two are never taken, as in TAO
      const frames = train(interval(4), 14, random)
      expect(frames.map((frame) => Math.floor(frame / 3))).toEqual([0, 1, 2, 3])
      for (const frame of frames) counts[frame]!++
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  it('draws sorted frames with repetition when random_interval has too few', () => {
    const random = new Random(5)
    const taken = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const frames = train(interval(8), 3, random)
      expect(frames).toHaveLength(8)
      expect(frames).toEqual([...frames].sort((a, b) => a - b))
      for (const frame of frames) taken.add(frame)
    }
    expect([...taken].sort()).toEqual([0, 1, 2])
  })

  it('draws the same frames from the same coordinates', () => {
    const draw = (epoch: number): number[] => train(interval(10), 97, new Random(42, epoch, 5, 0))
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
  })

  it('refuses a video without frames', () => {
    expect(() => sampleTrainingFrames(interval(3), 0, new Random(1))).toThrow(RangeError)
    expect(() => sampleCenterFrames(consecutive(3), 0)).toThrow(RangeError)
    expect(() => sampleSegments(consecutive(3), conv(2), 0)).toThrow(RangeError)
  })
})

describe('conv sampling', () => {
  const starts = (segments: FrameIndices[]): number[] => segments.map((frames) => rgbOf(frames)[0] ?? -1)

  it('starts at 4, 14, 24, 33, ... for 10 windows of 32 in 128 frames', () => {
    const segments = sampleSegments(consecutive(32), conv(10), 128)
    expect(starts(segments)).toEqual([4, 14, 24, 33, 43, 53, 63, 72, 82, 92])
    for (const frames of segments) {
      expect(rgbOf(frames)).toEqual(range(rgbOf(frames)[0]!, rgbOf(frames)[0]! + 31))
    }
  })

  it('looks at the center window when asked for one', () => {
    expect(sampleSegments(consecutive(32), conv(1), 128)).toEqual([sampleCenterFrames(consecutive(32), 128)])
  })

  it('spaces the frames of its windows by the sample rate', () => {
    // need 6, 15 starts in 3 parts of 5
    expect(sampleSegments(consecutive(3, 2), conv(3), 20).map(rgbOf)).toEqual([
      [2, 4, 6],
      [7, 9, 11],
      [12, 14, 16],
    ])
  })

  it('repeats starts where there are fewer than segments, and takes one looped window of a short video', () => {
    expect(starts(sampleSegments(consecutive(4), conv(4), 5))).toEqual([0, 0, 1, 1])
    expect(sampleSegments(consecutive(4), conv(4), 3).map(rgbOf)).toEqual([[0, 1, 2, 0]])
  })

  it('takes every comb with random_interval whatever the number of segments', () => {
    for (const segments of [conv(2), all('2d'), all('3d')]) {
      expect(sampleSegments(interval(3), segments, 11).map(rgbOf)).toEqual([
        [0, 3, 6],
        [1, 4, 7],
        [2, 5, 8],
      ])
    }
  })

  it('repeats the last frame of a short video with random_interval', () => {
    expect(sampleSegments(interval(5), conv(2), 3).map(rgbOf)).toEqual([[0, 1, 2, 2, 2]])
  })
})

describe('all sampling', () => {
  it('takes the windows of a video side by side for 2D, each with every phase of the sample rate', () => {
    expect(sampleSegments(consecutive(3), all('2d'), 8).map(rgbOf)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(sampleSegments(consecutive(2, 2), all('2d'), 9).map(rgbOf)).toEqual([
      [0, 2],
      [1, 3],
      [4, 6],
      [5, 7],
    ])
  })

  it('loops a video that is shorter than a window', () => {
    expect(sampleSegments(consecutive(3, 2), all('2d'), 4).map(rgbOf)).toEqual([[0, 2, 0]])
  })

  it('takes all frames as one clip for 3D, of both streams', () => {
    expect(sampleSegments(consecutive(3, 2), all('3d'), 5).map(rgbOf)).toEqual([[0, 1, 2, 3, 4]])
    expect(sampleSegments(consecutive({ rgb: 3, of: 10 }), all('3d'), 4)).toEqual([
      { rgb: [0, 1, 2, 3], of: [0, 1, 2, 3] },
    ])
  })
})

describe('two streams', () => {
  it('give the shorter the middle frames of the longer for consecutive', () => {
    expect(sampleCenterFrames(consecutive({ rgb: 3, of: 10 }), 40)).toEqual({
      of: range(15, 24),
      rgb: [19, 20, 21],
    })
    expect(sampleCenterFrames(consecutive({ rgb: 5, of: 2 }), 11)).toEqual({
      rgb: [3, 4, 5, 6, 7],
      of: [5, 6],
    })
  })

  it('keep both streams as far apart as the sample rate says, also where TAO drops or doubles it', () => {
    expect(sampleCenterFrames(consecutive({ rgb: 4, of: 4 }, 2), 10)).toEqual({
      rgb: [1, 3, 5, 7],
      of: [1, 3, 5, 7],
    })
    expect(sampleCenterFrames(consecutive({ rgb: 2, of: 4 }, 3), 12)).toEqual({
      of: [0, 3, 6, 9],
      rgb: [3, 6],
    })
    const random = new Random(4)
    for (let i = 0; i < 50; i++) {
      const { rgb = [], of = [] } = sampleTrainingFrames(consecutive({ rgb: 2, of: 4 }, 3), 30, random)
      expect(rgb).toEqual(of.slice(1, 3))
      expect(of[1]! - of[0]!).toBe(3)
    }
  })

  it('give the shorter one frame of each part of the longer for random_interval', () => {
    const random = new Random(8)
    const taken = new Set<number>()
    for (let i = 0; i < 300; i++) {
      const { rgb = [], of = [] } = sampleTrainingFrames(interval({ rgb: 3, of: 10 }), 57, random)
      const positions = rgb.map((frame) => of.indexOf(frame))
      // Parts of 3, the last with the rest
      expect(positions.map((position) => Math.min(2, Math.floor(position / 3)))).toEqual([0, 1, 2])
      for (const position of positions) taken.add(position)
    }
    expect([...taken].sort((a, b) => a - b)).toEqual(range(0, 9))
    expect(sampleCenterFrames(interval({ rgb: 3, of: 10 }), 100)).toEqual({
      of: range(5, 95, 10),
      // middles of thirds of 10: positions 1, 5 and 8
      rgb: [15, 55, 85],
    })
  })

  it('give the shorter the middles of the longer in conv and all', () => {
    const [first] = sampleSegments(consecutive({ rgb: 3, of: 10 }), conv(2), 40)
    expect(first).toEqual({ of: range(7, 16), rgb: [8, 12, 15] })
    const [, second] = sampleSegments(consecutive({ rgb: 6, of: 2 }), all('2d'), 13)
    expect(second).toEqual({ rgb: range(6, 11), of: [7, 10] })
  })

  it('share the frames of the longer, looped or not', () => {
    expect(sampleCenterFrames(consecutive({ rgb: 3, of: 8 }), 3)).toEqual({
      of: [0, 1, 2, 0, 1, 2, 0, 1],
      rgb: [0, 1, 2],
    })
  })
})

describe('any rule', () => {
  it('gives as many frames as a clip has, all within the video, in order or looped by whole strides', () => {
    const random = new Random(99)
    const wrong: unknown[] = []
    for (let trial = 0; trial < 3000; trial++) {
      const available = 1 + random.integer(60)
      const sampleRate = 1 + random.integer(4)
      const lengths = { rgb: 1 + random.integer(20), of: 1 + random.integer(20) }
      const strategy = random.integer(2) === 0 ? 'consecutive' : 'random_interval'
      const sampling: SamplingRule = { strategy, lengths, sampleRate }
      const windows = [
        sampleTrainingFrames(sampling, available, random),
        sampleCenterFrames(sampling, available),
        ...sampleSegments(sampling, conv(1 + random.integer(12)), available),
        ...sampleSegments(sampling, all('2d'), available),
      ]
      const span = Math.max(lengths.rgb, lengths.of) * sampleRate
      for (const clip of windows) {
        const longer = lengths.rgb >= lengths.of ? clip.rgb! : clip.of!
        const sound = (['rgb', 'of'] as const).every((stream) => {
          const frames = clip[stream]!
          const within = (frame: number): boolean =>
            Number.isInteger(frame) && frame >= 0 && frame < available && longer.includes(frame)
          return frames.length === lengths[stream] && frames.every(within)
        })
        const ordered =
          strategy === 'random_interval' || span <= available
            ? longer.every((frame, i) => i === 0 || frame >= longer[i - 1]!)
            : longer.every((frame, i) => frame === (longer[0]! + i * sampleRate) % available)
        if (!sound || !ordered) wrong.push({ sampling, available, clip })
      }
    }
    expect(wrong).toEqual([])
  })
})
