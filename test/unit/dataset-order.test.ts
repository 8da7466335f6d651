import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import { balancedClips, shuffledClips } from '../../src-main/dataset/epoch-order.ts'
import { drawBeta, mixClips } from '../../src-main/dataset/mixup.ts'

/** How often each value occurs. */
function tally(values: number[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

describe('a shuffled epoch', () => {
  it('has every video as often as asked, each time as another clip', () => {
    const clips = shuffledClips(5, 3, 7, 0)
    expect(
      clips.map(({ sampleIndex, clipIndex }) => sampleIndex * 3 + clipIndex).sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 15 }, (_, i) => i))
    expect(shuffledClips(5, 3, 7, 0)).toEqual(clips)
    expect(shuffledClips(5, 3, 7, 1)).not.toEqual(clips)
    expect(shuffledClips(5, 3, 8, 0)).not.toEqual(clips)
  })
})

describe('a balanced epoch', () => {
  // 12 videos of class 0, 3 of class 4, one of class 2
  const classes = [...Array.from({ length: 12 }, () => 0), 4, 4, 4, 2]

  it('has as many clips as another, and of every class that there is equally many', () => {
    for (const epoch of [0, 1, 2, 9]) {
      const clips = balancedClips(classes, 2, 5, epoch)
      expect(clips).toHaveLength(32)
      const counts = Object.values(tally(clips.map(({ sampleIndex }) => classes[sampleIndex]!)))
      // 32 by 3: one class has 10, the others 11
      expect(counts.sort()).toEqual([10, 11, 11])
    }
  })

  it('shows the videos of a class equally often, over epochs too', () => {
    const seen: number[] = []
    for (let epoch = 0; epoch < 6; epoch++) {
      const clips = balancedClips(classes, 1, 5, epoch)
      seen.push(...clips.map(({ sampleIndex }) => sampleIndex))
      const keys = clips.map(({ sampleIndex, clipIndex }) => `${sampleIndex}/${clipIndex}`)
      expect(new Set(keys).size).toBe(clips.length)
    }
    const counts = tally(seen)
    // 96 clips, 32 of each class
    expect(counts[15]).toBe(32)
    expect([12, 13, 14].map((video) => counts[video]).sort()).toEqual([10, 11, 11])
    for (let video = 0; video < 12; video++) expect([2, 3]).toContain(counts[video])
  })

  it('is the same when worked out alone, and another for another seed or epoch', () => {
    const clips = balancedClips(classes, 2, 5, 3)
    expect(balancedClips(classes, 2, 5, 3)).toEqual(clips)
    expect(balancedClips(classes, 2, 5, 4)).not.toEqual(clips)
    expect(balancedClips(classes, 2, 6, 3)).not.toEqual(clips)
  })
})

describe('shares of mixed clips', () => {
  it('follow Beta(alpha, alpha): mean 1/2 and variance 1 / (8 alpha + 4)', () => {
    for (const alpha of [0.01, 0.2, 0.4, 1, 2, 8]) {
      const random = new Random(17)
      const draws = Array.from({ length: 20_000 }, () => drawBeta(alpha, random))
      const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length
      const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws.length
      expect(draws.every((value) => value >= 0 && value <= 1)).toBe(true)
      expect(Math.abs(mean - 0.5)).toBeLessThan(0.015)
      expect(Math.abs(variance * (8 * alpha + 4) - 1)).toBeLessThan(0.05)
    }
  })
})

describe('mixing', () => {
  const labels = Int32Array.of(0, 2, 1, 2, 0)
  const inputs = (): { rgb: Float32Array; of: Float32Array } => ({
    // Powers of ten, so that each sum tells its parts
    rgb: Float32Array.from({ length: 10 }, (_, i) => 10 ** Math.floor(i / 2)),
    of: Float32Array.from({ length: 5 }, (_, i) => 1000 * i),
  })

  it('gives every clip a partner and the same share, in both streams, and rows to match', () => {
    const mixed = inputs()
    const targets = mixClips(mixed, labels, 4, 1, [3, 0, 1])
    const plain = inputs()
    const partners: number[] = []
    let share = 0
    for (let clip = 0; clip < 5; clip++) {
      for (let partner = 0; partner < 5; partner++) {
        if (partner === clip) continue
        const part = (mixed.of[clip]! - plain.of[partner]!) / (plain.of[clip]! - plain.of[partner]!)
        const same = (stream: 'rgb' | 'of', at: number, from: number): boolean =>
          Math.abs(part * plain[stream][at]! + (1 - part) * plain[stream][from]! - mixed[stream][at]!) < 1e-2
        if (part < 0.5 || part >= 1 || !same('rgb', clip * 2, partner * 2)) continue
        partners.push(partner)
        share = part
        const row = [0, 0, 0, 0]
        row[labels[clip]!]! += part
        row[labels[partner]!]! += 1 - part
        const given = [...targets.subarray(clip * 4, clip * 4 + 4)]
        given.forEach((value, i) => expect(value).toBeCloseTo(row[i]!, 4))
      }
    }
    expect(share).toBeGreaterThan(0.5)
    // A permutation: some may be their own partner.
    expect(new Set(partners).size).toBe(partners.length)
    expect(partners.length).toBeGreaterThanOrEqual(2)
  })

  it('depends on its coordinates alone', () => {
    const mix = (...coordinates: number[]): Float32Array => {
      const mixed = inputs()
      mixClips(mixed, labels, 3, 0.4, coordinates)
      return mixed.rgb
    }
    expect(mix(1, 2, 3)).toEqual(mix(1, 2, 3))
    expect(mix(1, 2, 3)).not.toEqual(mix(1, 2, 4))
  })

  it('leaves a single clip and its class alone', () => {
    const single = { of: Float32Array.of(5, 6, 7) }
    expect(mixClips(single, Int32Array.of(1), 3, 0.4, [1])).toEqual(Float32Array.of(0, 1, 0))
    expect([...single.of]).toEqual([5, 6, 7])
  })
})
