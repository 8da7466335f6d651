import { describe, expect, it } from 'vitest'
import { heatLevel } from '../../src-renderer/charts/heat.ts'
import { binned, median } from '../../src-renderer/charts/histogram.ts'
import { epochTicks, linePath, spreadLabels, ticksFrom0 } from '../../src-renderer/charts/scales.ts'

describe('ticks of an axis from 0', () => {
  it.each([
    [100, [0, 25, 50, 75, 100]],
    [1.83, [0, 0.5, 1, 1.5, 2]],
    [0.3, [0, 0.1, 0.2, 0.3]],
    [17.5, [0, 5, 10, 15, 20]],
  ])('covers %f with round steps', (largest, ticks) => {
    expect(ticksFrom0(largest)).toEqual(ticks)
  })

  it('never has more than five lines and always reaches the largest value', () => {
    for (let largest = 0.013; largest < 5000; largest *= 1.37) {
      const ticks = ticksFrom0(largest)
      expect(ticks.length).toBeLessThanOrEqual(5)
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(largest * 0.9999)
    }
  })
})

describe('ticks of the epoch axis', () => {
  it('names the first and the last epoch and round ones between', () => {
    expect(epochTicks(25, 444)).toEqual([1, 5, 10, 15, 20, 25])
    expect(epochTicks(1, 444)).toEqual([1])
    expect(epochTicks(4, 444)).toEqual([1, 2, 3, 4])
  })

  it('keeps labels apart in little room', () => {
    const ticks = epochTicks(60, 200)
    expect(ticks[0]).toBe(1)
    expect(ticks.at(-1)).toBe(60)
    expect(ticks.length).toBeLessThanOrEqual(5)
  })
})

describe('lines and labels', () => {
  it('leaves a gap where a value is missing', () => {
    expect(linePath([{ x: 0, y: 1 }, { x: 1, y: 2 }, null, { x: 3, y: 4 }])).toBe('M0.0 1.0L1.0 2.0M3.0 4.0')
  })

  it('moves overlapping labels apart, in order and inside of the limits', () => {
    const [upper, lower] = spreadLabels([20, 22], 14, 10, 100)
    expect((lower ?? 0) - (upper ?? 0)).toBeGreaterThanOrEqual(14)
    const atBottom = spreadLabels([99, 98], 14, 10, 100)
    expect(Math.max(...atBottom)).toBeLessThanOrEqual(100)
    expect(Math.abs((atBottom[0] ?? 0) - (atBottom[1] ?? 0))).toBeGreaterThanOrEqual(14)
  })
})

describe('heat of the confusion matrix', () => {
  it('grows with the share of the row and marks every mistake', () => {
    expect([0, 1, 2, 3, 5].map((value) => heatLevel(value, 5, true))).toEqual(['', 'h1', 'h2', 'h3', 'h4'])
    expect(heatLevel(1, 5, false)).toBe('miss')
    expect(heatLevel(0, 5, false)).toBe('')
  })
})

describe('histogram', () => {
  it('counts every value once, the largest one in the last bin', () => {
    const bins = binned([1, 2, 2, 3, 4], 3)
    expect(bins.map((bin) => bin.count)).toEqual([1, 2, 2])
    expect(binned([2, 2], 10)).toEqual([{ from: 2, to: 2, count: 2 }])
    expect(median([5, 1, 3])).toBe(3)
  })
})
