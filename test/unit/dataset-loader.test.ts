import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CancelledError, KineoError } from '../../src-main/core/errors.ts'
import {
  BatchLoader,
  listDataset,
  type Batch,
  type LoaderOptions,
  type VideoSample,
} from '../../src-main/dataset/index.ts'

const videos = 7
const width = 20
const height = 16

let root: string
let samples: VideoSample[]
const loaders: BatchLoader[] = []

/** Seven flow videos of unequal length; every image is told apart by its pixels. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-loader-'))
  for (let video = 0; video < videos; video++) {
    for (const stream of ['u', 'v']) {
      const folder = join(root, `class${video % 3}`, `video${video}`, stream)
      await mkdir(folder, { recursive: true })
      for (let frame = 0; frame < 5 + video; frame++) {
        const data = Buffer.from(
          Array.from(
            { length: width * height },
            (_, i) => (i * 7 + video * 31 + frame * 5 + (stream === 'v' ? 99 : 0)) % 256,
          ),
        )
        await gray(data)
          .png()
          .toFile(join(folder, `${String(frame).padStart(6, '0')}.png`))
      }
    }
  }
  samples = await listDataset(
    root,
    new Map([
      ['class0', 0],
      ['class1', 1],
      ['class2', 2],
    ]),
    'of',
  )
})
afterEach(async () => {
  await Promise.all(loaders.splice(0).map((loader) => loader.dispose()))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

function gray(data: Buffer): Sharp {
  return sharp(data, { raw: { width, height, channels: 1 } }).toColourspace('b-w')
}

function loader(changes: Partial<LoaderOptions> = {}): BatchLoader {
  const made = new BatchLoader({
    samples,
    modelType: 'of',
    sequenceLength: 4,
    sampleRate: 1,
    sampleStrategy: 'random_interval',
    mode: 'train',
    transform: {
      crop: 'random_crop',
      height: 8,
      width: 8,
      cropSmallerEdge: 12,
      horizontalFlipProbability: 0.5,
      mean: [0.5],
      std: [0.5],
    },
    batchSize: 3,
    workers: 1,
    seed: 42,
    clipsPerVideo: 2,
    ...changes,
  })
  loaders.push(made)
  return made
}

async function collect(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = []
  for await (const batch of batches) all.push(batch)
  return all
}

function digest(batches: Batch[]): string {
  const hash = createHash('sha256')
  for (const { input, labels, sampleIndices, count } of batches) {
    for (const values of [input, labels, sampleIndices]) hash.update(new Uint8Array(values.buffer))
    hash.update(String(count))
  }
  return hash.digest('hex')
}

describe('an epoch', () => {
  it('holds every video clipsPerVideo times, in full batches and one smaller at the end', async () => {
    const train = loader()
    expect(train.batchesPerEpoch).toBe(5)
    const batches = await collect(train.epoch(0))
    expect(batches.map(({ count }) => count)).toEqual([3, 3, 3, 3, 2])
    for (const { input, labels, sampleIndices, count } of batches) {
      expect(input).toHaveLength(count * 2 * 4 * 8 * 8)
      expect([...labels]).toEqual([...sampleIndices].map((index) => samples[index]?.classIndex))
    }
    const indices = batches.flatMap(({ sampleIndices }) => [...sampleIndices])
    expect(indices.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 14 }, (_, i) => Math.floor(i / 2)))
    expect(indices).not.toEqual(indices.toSorted((a, b) => a - b))
  })

  it('is the same bit for bit for 0, 1 and 3 workers, with and without a cache, and after a restart', async () => {
    const digests = async (made: BatchLoader, epochs: number[]): Promise<string[]> => {
      const results: string[] = []
      for (const epoch of epochs) results.push(digest(await collect(made.epoch(epoch))))
      return results
    }
    const expected = await digests(loader({ workers: 0 }), [0, 1, 2, 3])
    expect(new Set(expected).size).toBe(4)
    expect(await digests(loader({ workers: 1 }), [0, 1, 2, 3])).toEqual(expected)
    expect(await digests(loader({ workers: 3 }), [0, 1, 2, 3])).toEqual(expected)
    expect(await digests(loader({ workers: 3, cacheBytes: 0 }), [0, 1])).toEqual(expected.slice(0, 2))
    // Room for a few images only
    expect(await digests(loader({ workers: 1, cacheBytes: 5000 }), [0, 1])).toEqual(expected.slice(0, 2))
    // A run that starts again at epoch 2
    expect(await digests(loader({ workers: 3 }), [2, 3])).toEqual(expected.slice(2))
    expect(await digests(loader({ seed: 43 }), [0])).not.toEqual(expected.slice(0, 1))
  })

  it('takes the videos in order and nothing at random in center mode', async () => {
    const center = loader({ mode: 'center', workers: 2 })
    expect(center.batchesPerEpoch).toBe(3)
    const first = await collect(center.epoch(0))
    expect(first.flatMap(({ sampleIndices }) => [...sampleIndices])).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(digest(await collect(center.epoch(5)))).toBe(digest(first))
  })

  it('gives the pixels of the center frames, normalised and stacked', async () => {
    const center = loader({
      mode: 'center',
      batchSize: 1,
      sampleStrategy: 'consecutive',
      sequenceLength: 2,
      transform: {
        crop: 'no_crop',
        height,
        width,
        cropSmallerEdge: 1,
        horizontalFlipProbability: 1,
        mean: [0],
        std: [1],
      },
    })
    const [batch] = await collect(center.epoch(0))
    // The first video has 5 frames: a window of 2 starts at frame 2. It is not mirrored.
    const expected = [0, 99].flatMap((add) =>
      [2, 3].flatMap((frame) =>
        Array.from({ length: width * height }, (_, i) => (i * 7 + frame * 5 + add) % 256),
      ),
    )
    expect([...(batch?.input ?? [])].map((value) => Math.round(value * 255))).toEqual(expected)
  })
})

describe('images of every kind', () => {
  it('come as three channels of colour and one of flow', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kineo-kinds-'))
    try {
      const size = { width: 2, height: 1 }
      const colour = (channels: 3 | 4, ...data: number[]): Sharp =>
        sharp(Buffer.from(data), { raw: { ...size, channels } })
      const deep = sharp(Uint16Array.from([10 * 257, 200 * 257]), { raw: { ...size, channels: 1 } })
      await colour(3, 10, 20, 30, 40, 50, 60).png().toFile(join(folder, 'rgb.png'))
      await colour(4, 10, 20, 30, 0, 40, 50, 60, 9).png().toFile(join(folder, 'rgba.png'))
      await colour(3, 10, 20, 30, 40, 50, 60).png({ palette: true }).toFile(join(folder, 'palette.png'))
      await sharp(Buffer.from([10, 200]), { raw: { ...size, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(folder, 'gray.png'))
      await deep.toColourspace('grey16').png().toFile(join(folder, 'deep.png'))
      expect((await sharp(join(folder, 'deep.png')).metadata()).depth).toBe('ushort')
      const bytesOf = async (modelType: 'rgb' | 'of', ...names: string[]): Promise<number[]> => {
        const [first = '', second = first] = names.map((name) => join(folder, `${name}.png`))
        const sample = { path: folder, name: 'x', label: null, classIndex: null }
        const streams =
          modelType === 'rgb' ? { rgb: [first], u: [], v: [] } : { rgb: [], u: [first], v: [second] }
        const made = loader({
          samples: [{ ...sample, ...streams }],
          modelType,
          mode: 'center',
          sequenceLength: 1,
          batchSize: 1,
          workers: 0,
          transform: {
            crop: 'no_crop',
            height: 1,
            width: 2,
            cropSmallerEdge: 1,
            horizontalFlipProbability: 0,
            mean: [0],
            std: [1],
          },
        })
        const [batch] = await collect(made.epoch(0))
        expect(batch?.labels).toEqual(Int32Array.of(-1))
        return [...(batch?.input ?? [])].map((value) => Math.round(value * 255))
      }
      for (const name of ['rgb', 'rgba', 'palette']) {
        expect(await bytesOf('rgb', name), name).toEqual([10, 40, 20, 50, 30, 60])
      }
      for (const name of ['gray', 'deep']) {
        expect(await bytesOf('rgb', name), name).toEqual([10, 200, 10, 200, 10, 200])
        expect(await bytesOf('of', name), name).toEqual([10, 200, 10, 200])
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('failures', () => {
  it.each([0, 2])('names an image that cannot be read, with %i workers', async (workers) => {
    const folder = await mkdtemp(join(tmpdir(), 'kineo-broken-'))
    try {
      const broken = join(folder, '000000.png')
      await writeFile(broken, 'not an image')
      const bad: VideoSample = { ...samples[0]!, u: [broken], v: [broken] }
      const made = loader({ samples: [samples[1]!, bad], workers, batchSize: 2, mode: 'center' })
      const error: unknown = await collect(made.epoch(0)).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(KineoError)
      expect((error as KineoError).code).toBe('input')
      expect((error as KineoError).where).toBe(broken)
      // The threads live on: the loader can be asked again.
      await expect(collect(made.epoch(1))).rejects.toThrow(KineoError)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('tells an image that is cut off in the middle', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kineo-cut-'))
    try {
      const cut = join(folder, '000000.jpg')
      const whole = await gray(Buffer.alloc(width * height, 77))
        .jpeg()
        .toBuffer()
      await writeFile(cut, whole.subarray(0, Math.floor(whole.length * 0.7)))
      const made = loader({ samples: [{ ...samples[0]!, u: [cut], v: [cut] }], mode: 'center' })
      await expect(collect(made.epoch(0))).rejects.toThrow(/Cannot read a frame/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('tells a crop that does not fit before the first batch, though only a late video is at fault', async () => {
    const wide = {
      crop: 'random_crop',
      height: 8,
      width: 15,
      cropSmallerEdge: 12,
      horizontalFlipProbability: 0,
      mean: [0.5],
      std: [0.5],
    } as const
    const folder = await mkdtemp(join(tmpdir(), 'kineo-tall-'))
    try {
      const tall = join(folder, '000000.png')
      await sharp(Buffer.alloc(16 * 20), { raw: { width: 16, height: 20, channels: 1 } })
        .png()
        .toFile(tall)
      const good = loader({ transform: wide })
      expect(await collect(good.epoch(0))).toHaveLength(5)
      const bad = loader({ samples: [...samples, { ...samples[0]!, u: [tall], v: [tall] }], transform: wide })
      const seen: Batch[] = []
      const attempt = async (): Promise<void> => {
        for await (const batch of bad.epoch(0)) seen.push(batch)
      }
      await expect(attempt()).rejects.toThrow(/does not fit/)
      expect(seen).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('refuses no videos, and videos without the frames of the model type', () => {
    expect(() => loader({ samples: [] })).toThrow(/no videos/)
    expect(() => loader({ modelType: 'rgb' })).toThrow(/no rgb frames/)
    expect(() => loader({ batchSize: 0 })).toThrow(RangeError)
  })
})

describe('stopping', () => {
  it.each([0, 2])('ends an epoch on abort and goes on with the next, with %i workers', async (workers) => {
    const made = loader({ workers })
    const controller = new AbortController()
    const seen: number[] = []
    const attempt = async (): Promise<void> => {
      for await (const batch of made.epoch(0, controller.signal)) {
        seen.push(batch.count)
        controller.abort()
      }
    }
    await expect(attempt()).rejects.toThrow(CancelledError)
    expect(seen).toEqual([3])
    expect(digest(await collect(made.epoch(1)))).toBe(digest(await collect(loader({ workers: 0 }).epoch(1))))
    await expect(collect(made.epoch(0, controller.signal))).rejects.toThrow(CancelledError)
  })

  it('may be left early and started again', async () => {
    const made = loader({ workers: 2 })
    for await (const batch of made.epoch(0)) {
      expect(batch.count).toBe(3)
      break
    }
    expect(await collect(made.epoch(0))).toHaveLength(5)
  })

  it('is refused after dispose, and dispose ends an epoch under way', async () => {
    const made = loader({ workers: 2, batchSize: 1 })
    const attempt = async (): Promise<void> => {
      for await (const _ of made.epoch(0)) void made.dispose()
    }
    await expect(attempt()).rejects.toThrow(CancelledError)
    await expect(collect(made.epoch(0))).rejects.toThrow(/disposed/)
  })

  it('keeps memory bounded over epochs', async () => {
    const made = loader({
      workers: 2,
      cacheBytes: 300_000,
      transform: {
        crop: 'no_crop',
        height: 64,
        width: 64,
        cropSmallerEdge: 64,
        horizontalFlipProbability: 0.5,
        mean: [0.5],
        std: [0.5],
      },
    })
    const grown = async (epochs: number): Promise<number> => {
      for (let epoch = 0; epoch < epochs; epoch++) {
        for await (const batch of made.epoch(epoch)) expect(batch.count).toBeGreaterThan(0)
      }
      return process.memoryUsage().rss
    }
    const warm = await grown(15)
    // 60 epochs more move 840 clips of 128 KB: 110 MB if they were held.
    expect((await grown(60)) - warm).toBeLessThan(60 * 2 ** 20)
  })
})
