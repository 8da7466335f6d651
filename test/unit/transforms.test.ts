import { describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { Random } from '../../src-main/core/random.ts'
import type { Stream } from '../../src-main/core/streams.ts'
import { cropDependsOnImages, cropRegion, resizedSize } from '../../src-main/dataset/crops.ts'
import { flippedClasses } from '../../src-main/dataset/flipped-classes.ts'
import { FrameStacker, normaliseTable, type Pixels } from '../../src-main/dataset/frame-stacker.ts'
import { BilinearResizer } from '../../src-main/dataset/resize.ts'
import {
  centerChoices as still,
  checkTransform,
  drawChoices,
  type ClipChoices,
  type TransformConfig,
} from '../../src-main/dataset/transforms.ts'

const half = { mean: [0.5], std: [0.5] }
const plain: TransformConfig = {
  crop: 'no_crop',
  height: 2,
  width: 3,
  cropSmallerEdge: 4,
  scales: [1],
  horizontalFlipProbability: 0,
  flipNegateU: true,
  flippedClasses: null,
  colorJitter: null,
  normalisation: { rgb: half, of: half },
}
const image = (width: number, height: number, ...data: number[]): Pixels => ({
  width,
  height,
  data: Uint8Array.from(data),
})
/** Undoes mean 0.5 and std 0.5. */
const bytes = (values: Float32Array): number[] =>
  [...values].map((value) => Math.round((value / 2 + 0.5) * 255))

function stacked(
  stream: Stream,
  changes: Partial<TransformConfig>,
  images: Pixels[],
  choices: Partial<ClipChoices> = {},
): number[] {
  const transform = { ...plain, ...changes }
  const output = new Float32Array(
    images.length * transform.height * transform.width * (stream === 'rgb' ? 3 : 1),
  )
  new FrameStacker(transform, stream).stack(images, { ...still, ...choices }, output)
  return bytes(output)
}

describe('resizing before a crop', () => {
  const crop: TransformConfig = {
    ...plain,
    crop: 'random_crop',
    height: 224,
    width: 224,
    cropSmallerEdge: 256,
  }

  it('brings the short side to crop_smaller_edge and truncates the long one as torchvision', () => {
    for (const type of ['random_crop', 'center_crop', 'multi_scale_crop'] as const) {
      const transform = { ...crop, crop: type }
      expect(resizedSize({ width: 320, height: 240 }, transform, 'of', 'a.png')).toEqual({
        width: 341,
        height: 256,
      })
      expect(resizedSize({ width: 240, height: 427 }, transform, 'rgb', 'a.png')).toEqual({
        width: 256,
        height: 455,
      })
    }
  })

  it('is left out for multi_scale_crop of both streams, as in TAO', () => {
    const transform = { ...crop, crop: 'multi_scale_crop' } as const
    const size = { width: 320, height: 240 }
    expect(resizedSize(size, transform, 'joint', 'a.png')).toEqual(size)
    expect(resizedSize(size, crop, 'joint', 'a.png')).toEqual({ width: 341, height: 256 })
  })

  it('goes straight to the input size without a crop', () => {
    expect(resizedSize({ width: 320, height: 240 }, plain, 'rgb', 'a.png')).toEqual({ width: 3, height: 2 })
  })

  it('tells the file, the sizes and the remedy when the crop cannot fit', () => {
    const wide = { ...crop, height: 100, width: 300, cropSmallerEdge: 200 }
    expect(cropDependsOnImages(wide)).toBe(true)
    expect(resizedSize({ width: 320, height: 200 }, wide, 'rgb', 'a.png')).toEqual({
      width: 320,
      height: 200,
    })
    const attempt = (): unknown => resizedSize({ width: 200, height: 320 }, wide, 'rgb', '/d/a.png')
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
    expect(() =>
      checkTransform({ ...crop, crop: 'multi_scale_crop', cropSmallerEdge: 1 }, 'rgb'),
    ).not.toThrow()
  })
})

describe('the place of a crop', () => {
  const crop: TransformConfig = { ...plain, crop: 'random_crop', height: 4, width: 4, cropSmallerEdge: 6 }

  it('takes every place that fits about equally often', () => {
    const random = new Random(11)
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const { x, y } = cropRegion({ width: 7, height: 6 }, crop, drawChoices(crop, random))
      counts.set(`${x},${y}`, (counts.get(`${x},${y}`) ?? 0) + 1)
    }
    expect(counts.size).toBe(12)
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(110)
  })

  it('rounds the middle as torchvision: half to even', () => {
    const center: TransformConfig = { ...crop, crop: 'center_crop' }
    expect(cropRegion({ width: 7, height: 9 }, center, still)).toMatchObject({ x: 2, y: 2 })
    expect(cropRegion({ width: 5, height: 6 }, center, still)).toMatchObject({ x: 0, y: 1 })
  })
})

describe('a multi_scale_crop', () => {
  const crop: TransformConfig = {
    ...plain,
    crop: 'multi_scale_crop',
    height: 112,
    width: 112,
    cropSmallerEdge: 128,
    scales: [1, 0.875, 0.75, 0.66],
  }
  const size = { width: 170, height: 128 }
  const regionsOf = (transform: TransformConfig, from = size): Set<string> => {
    const random = new Random(5)
    const regions = new Set<string>()
    for (let i = 0; i < 4000; i++) {
      const { x, y, width, height } = cropRegion(from, transform, drawChoices(transform, random))
      regions.add(`${width}x${height}+${x}+${y}`)
    }
    return regions
  }

  it('takes the 13 places of TAO for each scale: corners, edges, centre and quarter points', () => {
    // A side of trunc(128 * 0.75) = 96: quarter steps of 18 and 8
    const places = [
      [0, 0],
      [72, 0],
      [0, 32],
      [72, 32],
      [36, 16],
      [0, 16],
      [72, 16],
      [36, 32],
      [36, 0],
      [18, 8],
      [54, 8],
      [18, 24],
      [54, 24],
    ]
    expect(regionsOf({ ...crop, scales: [0.75] })).toEqual(new Set(places.map(([x, y]) => `96x96+${x}+${y}`)))
    expect([...regionsOf(crop)].map((region) => region.split('+')[0])).toEqual(
      expect.arrayContaining(['128x128', '112x112', '96x96', '84x84']),
    )
  })

  it('counts its places in whole steps, so that the last may miss the edge as in TAO', () => {
    // 171 - 128 = 43: steps of 10 reach 40
    const regions = regionsOf({ ...crop, scales: [1] }, { width: 171, height: 128 })
    expect(regions).toContain('128x128+40+0')
    expect(regions).not.toContain('128x128+43+0')
  })

  it('snaps to the input size within 2 pixels, each side by itself', () => {
    const sides = (scale: number): string[] => [
      ...new Set(
        [...regionsOf({ ...crop, scales: [scale], width: 110 })].map((region) => region.split('+')[0] ?? ''),
      ),
    ]
    // trunc(128 * 0.867) = 110, trunc(128 * 0.85) = 108, trunc(128 * 0.89) = 113
    expect(sides(0.867)).toEqual(['110x112'])
    expect(sides(0.85)).toEqual(['110x108'])
    expect(sides(0.89)).toEqual(['113x112'])
    expect(sides(0.83)).toEqual(['106x106'])
  })

  it('resizes the part it cut out, as Pillow resizes it', () => {
    const random = new Random(3)
    const from = image(12, 9, ...Array.from({ length: 12 * 9 * 3 }, () => random.integer(256)))
    const transform = { ...crop, height: 4, width: 5, scales: [0.9] }
    // A side of 8; steps of 1 and 0; the fourth of 13 places is the lower right corner
    const choices = { ...still, cropX: 3.5 / 13 }
    expect(cropRegion(from, transform, choices)).toEqual({ x: 4, y: 0, width: 8, height: 8 })
    const part = new Uint8Array(8 * 8 * 3)
    for (let y = 0; y < 8; y++) part.set(from.data.subarray((y * 12 + 4) * 3, (y * 12 + 12) * 3), y * 8 * 3)
    const resized = new BilinearResizer({ width: 8, height: 8 }, { width: 5, height: 4 }, 3).resize(part)
    const expected = [0, 1, 2].flatMap((channel) => [...resized].filter((_, i) => i % 3 === channel))
    expect(stacked('rgb', transform, [from], choices)).toEqual(expected)
  })

  it('shows black beyond the frame with a scale above 1, and still flow', () => {
    const transform = { ...crop, height: 8, width: 8, scales: [2] }
    const corner = { ...still, cropX: 0 }
    const four = Array.from({ length: 16 }, () => 200)
    const flow = stacked('of', transform, [image(4, 4, ...four), image(4, 4, ...four)], corner)
    expect(flow.slice(0, 8)).toEqual([200, 200, 200, 200, 128, 128, 128, 128])
    expect(flow.slice(32, 64)).toEqual(Array.from({ length: 32 }, () => 128))
    const color = stacked('rgb', transform, [image(4, 4, ...four, ...four, ...four)], corner)
    expect(color.slice(0, 8)).toEqual([200, 200, 200, 200, 0, 0, 0, 0])
  })

  it('refuses scales that are not above 0', () => {
    expect(() => checkTransform({ ...crop, scales: [] }, 'rgb')).toThrow(/scales/)
    expect(() => checkTransform({ ...crop, scales: [1, 0] }, 'rgb')).toThrow(/scales/)
    expect(() => checkTransform({ ...crop, scales: [NaN] }, 'rgb')).toThrow(/scales/)
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
    // Mean 0.5 makes the mirror an exact change of sign; a still pixel, 128, becomes 127.
    for (let value = 0; value < 256; value++) {
      expect(table[value]).toBeCloseTo(-(normaliseTable(0.5, 0.5)[value] ?? NaN), 6)
    }
  })

  it('wants one value or one for each channel of every stream, and no std of 0', () => {
    const withMean = (mean: number[], std = [0.5]): TransformConfig => ({
      ...plain,
      normalisation: { rgb: { mean, std }, of: { mean, std } },
    })
    expect(() => checkTransform(withMean([0.5, 0.5]), 'rgb')).toThrow(/rgb_input_mean has 2 values/)
    expect(() => checkTransform(withMean([0.5, 0.5]), 'joint')).toThrow(/rgb_input_mean has 2 values/)
    expect(() => checkTransform(withMean([0.5, 0.5, 0.5]), 'joint')).toThrow(/of_input_mean has 3 values/)
    expect(() => checkTransform(withMean([0.5, 0.5]), 'of')).not.toThrow()
    expect(() => checkTransform(withMean([0.5], [0.5, 0]), 'of')).toThrow(/std/)
  })
})

describe('stacking', () => {
  it('stacks colour channel-major: R of all frames, then G, then B', () => {
    const frames = [image(2, 1, 10, 20, 30, 11, 21, 31), image(2, 1, 110, 120, 130, 111, 121, 131)]
    expect(stacked('rgb', { height: 1, width: 2 }, frames)).toEqual([
      10, 11, 110, 111, 20, 21, 120, 121, 30, 31, 130, 131,
    ])
  })

  it('stacks flow as u of all frames, then v', () => {
    const planes = [image(2, 1, 1, 2), image(2, 1, 3, 4), image(2, 1, 5, 6), image(2, 1, 7, 8)]
    expect(stacked('of', { height: 1, width: 2 }, planes)).toEqual([1, 2, 5, 6, 3, 4, 7, 8])
  })

  it('normalises each channel by its own mean and std', () => {
    const normalisation = { rgb: { mean: [0, 0.5, 1], std: [1, 0.5, 0.25] } }
    const output = new Float32Array(3)
    const transform = { ...plain, height: 1, width: 1, normalisation }
    new FrameStacker(transform, 'rgb').stack([image(1, 1, 255, 255, 255)], still, output)
    expect([...output]).toEqual([1, 1, 0])
  })

  it('crops the same place out of every frame, and mirrors after the crop', () => {
    const crop = { crop: 'random_crop', height: 1, width: 2, cropSmallerEdge: 2 } as const
    const frame = (base: number): Pixels => image(4, 2, ...Array.from({ length: 24 }, (_, i) => base + i))
    const choices = { cropX: 0.5, cropY: 0.9 }
    // 3 places in x, the middle one; lower row: pixels 5 and 6
    expect(stacked('rgb', crop, [frame(0), frame(100)], choices)).toEqual([
      15, 18, 115, 118, 16, 19, 116, 119, 17, 20, 117, 120,
    ])
    expect(stacked('rgb', crop, [frame(0), frame(100)], { ...choices, flip: true })).toEqual([
      18, 15, 118, 115, 19, 16, 119, 116, 20, 17, 120, 117,
    ])
  })

  it('changes the sign of u and keeps v when flow is mirrored, and keeps u as TAO when asked to', () => {
    const planes = [image(2, 1, 200, 100), image(2, 1, 60, 70)]
    const size = { height: 1, width: 2 }
    expect(stacked('of', size, planes, { flip: true })).toEqual([155, 55, 70, 60])
    expect(stacked('of', { ...size, flipNegateU: false }, planes, { flip: true })).toEqual([100, 200, 70, 60])
    expect(stacked('of', size, planes)).toEqual([200, 100, 60, 70])
  })

  it('changes the colours of every frame by the same steps, and leaves the images and flow alone', () => {
    const frames = [image(2, 1, 10, 20, 30, 100, 110, 120), image(2, 1, 50, 60, 70, 200, 210, 220)]
    const jitter = [{ kind: 'brightness', amount: 1.5 }] as const
    const size = { height: 1, width: 2 }
    expect(stacked('rgb', size, frames, { jitter, flip: true })).toEqual([
      150, 15, 255, 75, 165, 30, 255, 90, 180, 45, 255, 105,
    ])
    expect([...frames[0]!.data]).toEqual([10, 20, 30, 100, 110, 120])
    expect(stacked('of', size, [image(2, 1, 1, 2), image(2, 1, 3, 4)], { jitter })).toEqual([1, 2, 3, 4])
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

  it('draws the same crops and flips whether or not colours are changed', () => {
    const jitter = { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }
    const { cropX, cropY, flip } = drawChoices({ ...plain, horizontalFlipProbability: 0.5 }, new Random(4))
    expect(
      drawChoices({ ...plain, horizontalFlipProbability: 0.5, colorJitter: jitter }, new Random(4)),
    ).toMatchObject({ cropX, cropY, flip })
  })
})

describe('the classes of mirrored clips', () => {
  const labelMap = new Map([
    ['up', 0],
    ['left', 1],
    ['right', 2],
    ['star', 3],
  ])

  it('swap both ways, whether a pair is written once or twice', () => {
    expect(flippedClasses({ left: 'right' }, labelMap)).toEqual([0, 2, 1, 3])
    expect(flippedClasses({ left: 'right', right: 'left' }, labelMap)).toEqual([0, 2, 1, 3])
    expect(flippedClasses({ left: 'right', up: 'star' }, labelMap)).toEqual([3, 2, 1, 0])
  })

  it('are null when nothing changes', () => {
    expect(flippedClasses({}, labelMap)).toBeNull()
    expect(flippedClasses({ up: 'up' }, labelMap)).toBeNull()
  })

  it('tell unknown classes and classes with two partners at once', () => {
    const attempt = (): unknown =>
      flippedClasses({ left: 'right', star: 'left', rigth: 'up', down: 'below' }, labelMap)
    expect(attempt).toThrow(/flip_label_map/)
    try {
      attempt()
    } catch (error) {
      const told = (error as KineoError).describe()
      expect((error as KineoError).code).toBe('spec')
      expect(told).toContain('"left" is paired with both "right" and "star"')
      expect(told).toContain('"rigth" not in label_map')
      expect(told).toContain('"down" and "below" not in label_map')
      expect(told).toContain('the classes are up, left, right, star')
    }
  })
})
