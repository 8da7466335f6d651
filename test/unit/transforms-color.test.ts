import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import {
  applyColorJitter,
  checkColorJitter,
  drawColorJitter,
  type JitterStep,
} from '../../src-main/dataset/color-jitter.ts'

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/color-jitter/color-jitter.json', import.meta.url), 'utf8'),
) as { pixels: string; cases: { steps: [JitterStep['kind'], number][]; pixels: string }[] }

describe('changes of colour', () => {
  for (const { steps, pixels } of fixture.cases) {
    it(`are torchvision's on Pillow images, bit for bit: ${steps.map((step) => step.join(' ')).join(', ')}`, () => {
      const image = new Uint8Array(Buffer.from(fixture.pixels, 'hex'))
      applyColorJitter(
        image,
        steps.map(([kind, amount]) => ({ kind, amount })),
      )
      expect(Buffer.from(image).toString('hex')).toBe(pixels)
    })
  }

  it('are drawn around the middle, in any order, and only where they change something', () => {
    const random = new Random(6)
    const orders = new Set<string>()
    const seen: Record<string, number[]> = { brightness: [], contrast: [], hue: [] }
    for (let i = 0; i < 600; i++) {
      const steps = drawColorJitter({ brightness: 0.2, contrast: 1.5, saturation: 0, hue: 0.1 }, random)
      orders.add(steps.map(({ kind }) => kind).join(' '))
      for (const { kind, amount } of steps) seen[kind]?.push(amount)
    }
    expect(orders.size).toBe(6)
    for (const [kind, low, high] of [
      ['brightness', 0.8, 1.2],
      ['contrast', 0, 2.5],
      ['hue', -0.1, 0.1],
    ] as const) {
      const amounts = seen[kind]!.toSorted((a, b) => a - b)
      expect(amounts).toHaveLength(600)
      expect(amounts[0]!).toBeGreaterThanOrEqual(low)
      expect(amounts[599]!).toBeLessThan(high)
      // Uniform: the median lies near the middle
      expect(Math.abs(amounts[300]! - (low + high) / 2)).toBeLessThan(0.1 * (high - low))
    }
  })

  it('are refused out of range', () => {
    const none = { brightness: 0, contrast: 0, saturation: 0, hue: 0 }
    expect(() => checkColorJitter({ ...none, hue: 0.6 })).toThrow(/hue must be 0 to 0.5/)
    expect(() => checkColorJitter({ ...none, contrast: -1 })).toThrow(/contrast must be 0 or more/)
    expect(() => checkColorJitter({ ...none, brightness: 3 })).not.toThrow()
  })
})
