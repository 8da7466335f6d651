import { describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { Random } from '../../src-main/core/random.ts'
import {
  checkTransform,
  cropDependsOnImages,
  cropOrigin,
  drawChoices,
  FrameStacker,
  normaliseTable,
  resizedSize,
  type Pixels,
  type TransformConfig,
} from '../../src-main/dataset/transforms.ts'

const plain: TransformConfig = {
  crop: 'no_crop',
  height: 2,
  width: 3,
  cropSmallerEdge: 4,
  horizontalFlipProbability: 0,
  mean: [0.5],
  std: [0.5],
}
const still = { cropX: 0, cropY: 0, flip: false }
const image = (width: number, height: number, ...data: number[]): Pixels => ({
  width,
  height,
  data: Uint8Array.from(data),
})
/** Undoes mean 0.5 and std 0.5. */
const bytes = (values: Float32Array): number[] =>
  [...values].map((value) => Math.round((value / 2 + 0.5) * 255))

describe('resizing before a crop', () => {
  const crop: TransformConfig = {
    ...plain,
    crop: 'random_crop',
    height: 224,
    width: 224,
    cropSmallerEdge: 256,
  }

  it('brings the short side to crop_smaller_edge and truncates the long one as torchvision', () => {
    expect(resizedSize({ width: 320, height: 240 }, crop, 'a.png')).toEqual({ width: 341, height: 256 })
    expect(resizedSize({ width: 240, height: 427 }, crop, 'a.png')).toEqual({ width: 256, height: 455 })
  })

  it('goes straight to the input size without a crop', () => {
    expect(resizedSize({ width: 320, height: 240 }, plain, 'a.png')).toEqual({ width: 3, height: 2 })
  })

  it('tells the file, the sizes and the remedy when the crop cannot fit', () => {
    const wide = { ...crop, height: 100, width: 300, cropSmallerEdge: 200 }
    expect(cropDependsOnImages(wide)).toBe(true)
    expect(resizedSize({ width: 320, height: 200 }, wide, 'a.png')).toEqual({ width: 320, height: 200 })
    const attempt = (): unknown => resizedSize({ width: 200, height: 320 }, wide, '/d/a.png')
    expect(attempt).toThrow(KineoError)
    expect(attempt).toThrow(/300 columns does not fit/)
    try {
      attempt()
    } catch (error) {
      expect((error as KineoError).describe()).toContain('/d/a.png (200x320). Set crop_smaller_edge to 300')
    }
  })

  it('refuses a crop that can never fit before any image is read', () => {
    expect(() => checkTransform({ ...crop, cropSmallerEdge: 200 }, 'rgb')).toThrow(/does not fit/)
    expect(() => checkTransform(crop, 'rgb')).not.toThrow()
    expect(() => checkTransform({ ...crop, crop: 'no_crop', cropSmallerEdge: 1 }, 'rgb')).not.toThrow()
  })
})

describe('the place of a crop', () => {
  const crop: TransformConfig = { ...plain, crop: 'random_crop', height: 4, width: 4, cropSmallerEdge: 6 }

  it('takes every place that fits about equally often', () => {
    const random = new Random(11)
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const { x, y } = cropOrigin({ width: 7, height: 6 }, crop, drawChoices(crop, random))
      counts.set(`${x},${y}`, (counts.get(`${x},${y}`) ?? 0) + 1)
    }
    expect(counts.size).toBe(12)
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(110)
  })

  it('rounds the middle as torchvision: half to even', () => {
    const center: TransformConfig = { ...crop, crop: 'center_crop' }
    expect(cropOrigin({ width: 7, height: 9 }, center, still)).toEqual({ x: 2, y: 2 })
    expect(cropOrigin({ width: 5, height: 6 }, center, still)).toEqual({ x: 0, y: 1 })
  })
})

describe('normalising', () => {
  it('computes (x / 255 - mean) / std in float32 steps', () => {
    const table = normaliseTable(0.485, 0.229)
    const expected = Math.fround(
      Math.fround(Math.fround(200 / 255) - Math.fround(0.485)) / Math.fround(0.229),
    )
    expect(table[200]).toBe(expected)
    expect(normaliseTable(0.5, 0.5)[255]).toBe(1)
    expect(normaliseTable(0.5, 0.5)[0]).toBe(-1)
  })

  it('mirrors u so that it holds what the mapping of the opposite motion would hold', () => {
    const stored = (u: number, radius: number): number => Math.trunc((u / radius) * 127.999 + 128)
    const table = normaliseTable(0.5, 0.5, true)
    const random = new Random(2)
    for (let i = 0; i < 2000; i++) {
      const radius = 1 + 20 * random.uniform()
      const u = radius * (2 * random.uniform() - 1)
      const mirrored = 255 - stored(u, radius)
      expect(mirrored).toBe(stored(-u, radius))
      expect(table[stored(u, radius)]).toBe(normaliseTable(0.5, 0.5)[mirrored])
    }
    // Mean 0.5 makes the mirror an exact change of sign.
    for (let value = 0; value < 256; value++) {
      expect(table[value]).toBeCloseTo(-(normaliseTable(0.5, 0.5)[value] ?? NaN), 6)
    }
  })

  it('wants one value or one for each channel, and no std of 0', () => {
    expect(() => checkTransform({ ...plain, mean: [0.5, 0.5] }, 'rgb')).toThrow(/mean has 2 values/)
    expect(() => checkTransform({ ...plain, mean: [0.5, 0.5] }, 'of')).not.toThrow()
    expect(() => checkTransform({ ...plain, std: [0.5, 0] }, 'of')).toThrow(/std/)
  })
})

describe('stacking', () => {
  it('stacks colour channel-major: R of all frames, then G, then B', () => {
    const output = new Float32Array(3 * 2 * 2)
    const transform = { ...plain, height: 1, width: 2 }
    const frames = [image(2, 1, 10, 20, 30, 11, 21, 31), image(2, 1, 110, 120, 130, 111, 121, 131)]
    new FrameStacker(transform, 'rgb').stack(frames, still, output)
    expect(bytes(output)).toEqual([10, 11, 110, 111, 20, 21, 120, 121, 30, 31, 130, 131])
  })

  it('stacks flow as u of all frames, then v', () => {
    const output = new Float32Array(2 * 2 * 2)
    const transform = { ...plain, height: 1, width: 2 }
    const planes = [image(2, 1, 1, 2), image(2, 1, 3, 4), image(2, 1, 5, 6), image(2, 1, 7, 8)]
    new FrameStacker(transform, 'of').stack(planes, still, output)
    expect(bytes(output)).toEqual([1, 2, 5, 6, 3, 4, 7, 8])
  })

  it('normalises each channel by its own mean and std', () => {
    const transform = { ...plain, height: 1, width: 1, mean: [0, 0.5, 1], std: [1, 0.5, 0.25] }
    const output = new Float32Array(3)
    new FrameStacker(transform, 'rgb').stack([image(1, 1, 255, 255, 255)], still, output)
    expect([...output]).toEqual([1, 1, 0])
  })

  it('crops the same place out of every frame, and mirrors after the crop', () => {
    const transform: TransformConfig = {
      ...plain,
      crop: 'random_crop',
      height: 1,
      width: 2,
      cropSmallerEdge: 2,
    }
    const frame = (base: number): Pixels => image(4, 2, ...Array.from({ length: 24 }, (_, i) => base + i))
    const choices = { cropX: 0.5, cropY: 0.9, flip: false }
    const output = new Float32Array(3 * 2 * 2)
    const stacker = new FrameStacker(transform, 'rgb')
    stacker.stack([frame(0), frame(100)], choices, output)
    // 3 places in x, the middle one; lower row: pixels 5 and 6
    expect(bytes(output)).toEqual([15, 18, 115, 118, 16, 19, 116, 119, 17, 20, 117, 120])
    stacker.stack([frame(0), frame(100)], { ...choices, flip: true }, output)
    expect(bytes(output)).toEqual([18, 15, 118, 115, 19, 16, 119, 116, 20, 17, 120, 117])
  })

  it('changes the sign of u and keeps v when flow is mirrored', () => {
    const output = new Float32Array(2 * 2)
    const transform = { ...plain, height: 1, width: 2 }
    const planes = [image(2, 1, 200, 100), image(2, 1, 60, 70)]
    new FrameStacker(transform, 'of').stack(planes, { ...still, flip: true }, output)
    expect(bytes(output)).toEqual([155, 55, 70, 60])
  })

  it('flips as often as asked', () => {
    const flips = (probability: number): number => {
      const random = new Random(9)
      const transform = { ...plain, horizontalFlipProbability: probability }
      return Array.from({ length: 1000 }, () => drawChoices(transform, random)).filter(({ flip }) => flip)
        .length
    }
    expect(flips(0)).toBe(0)
    expect(flips(1)).toBe(1000)
    expect(Math.abs(flips(0.3) - 300)).toBeLessThan(60)
  })
})
