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
  type TransformConfig,
  type VideoSample,
} from '../../src-main/dataset/index.ts'

const videos = 7
const width = 20
const height = 16

let root: string
const labelMap = new Map([
  ['class0', 0],
  ['class1', 1],
  ['class2', 2],
])
let samples: VideoSample[]
let jointSamples: VideoSample[]
const loaders: BatchLoader[] = []

/** Seven videos of unequal length, colour and flow; every image is told apart by its pixels. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-loader-'))
  for (let video = 0; video < videos; video++) {
    for (const [stream, channels, add] of [
      ['rgb', 3, 50],
      ['u', 1, 0],
      ['v', 1, 99],
    ] as const) {
      const folder = join(root, `class${video % 3}`, `video${video}`, stream)
      await mkdir(folder, { recursive: true })
      const frames = 5 + video + (stream === 'rgb' ? 1 : 0)
      for (let frame = 0; frame < frames; frame++) {
        const data = Uint8Array.from(
          { length: width * height * channels },
          (_, i) => (i * 7 + video * 31 + frame * 5 + add) % 256,
        )
        const image = sharp(data, { raw: { width, height, channels } })
        await (channels === 1 ? image.toColourspace('b-w') : image)
          .png()
          .toFile(join(folder, `${String(frame).padStart(6, '0')}.png`))
      }
    }
  }
  samples = await listDataset(root, labelMap, 'of')
  jointSamples = await listDataset(root, labelMap, 'joint')
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

function transform(changes: Partial<TransformConfig> = {}): TransformConfig {
  const half = { mean: [0.5], std: [0.5] }
  return {
    crop: 'no_crop',
    height: 8,
    width: 8,
    cropSmallerEdge: 12,
    scales: [1],
    horizontalFlipProbability: 0,
    flipNegateU: true,
    flippedClasses: null,
    colorJitter: null,
    normalisation: { rgb: half, of: half },
    ...changes,
  }
}

/** Pixels of 0..255 come out as 0..1. */
const asFractions = { rgb: { mean: [0], std: [1] }, of: { mean: [0], std: [1] } }

function loader(changes: Partial<LoaderOptions> = {}): BatchLoader {
  const made = new BatchLoader({
    samples,
    modelType: 'of',
    rgbSequenceLength: 2,
    ofSequenceLength: 4,
    inputType: '2d',
    sampleRate: 1,
    sampleStrategy: 'random_interval',
    mode: 'train',
    segmentCount: 3,
    transform: transform({ crop: 'random_crop', horizontalFlipProbability: 0.5 }),
    batchSize: 3,
    workers: 1,
    seed: 42,
    clipsPerVideo: 2,
    balanced: false,
    mixupAlpha: 0,
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
  for (const { inputs, labels, targets, sampleIndices, segmentIndices, frameIndices, count } of batches) {
    for (const values of [...Object.values(inputs), labels, targets, sampleIndices, segmentIndices]) {
      if (values !== null) hash.update(new Uint8Array(values.buffer))
    }
    hash.update(JSON.stringify([Object.keys(inputs), frameIndices, count]))
  }
  return hash.digest('hex')
}

async function digests(made: BatchLoader, epochs: number[]): Promise<string[]> {
  const results: string[] = []
  for (const epoch of epochs) results.push(digest(await collect(made.epoch(epoch))))
  return results
}

/** All changes that a training loader knows, at once. */
function everything(): Partial<LoaderOptions> {
  return {
    samples: jointSamples,
    modelType: 'joint',
    transform: transform({
      crop: 'multi_scale_crop',
      scales: [1, 0.7],
      horizontalFlipProbability: 0.5,
      flippedClasses: [1, 0, 2],
      colorJitter: { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1 },
    }),
    balanced: true,
    mixupAlpha: 0.4,
    classCount: 3,
  }
}

describe('an epoch', () => {
  it('holds every video clipsPerVideo times, in full batches and one smaller at the end', async () => {
    const train = loader()
    expect(train.batchesPerEpoch).toBe(5)
    const batches = await collect(train.epoch(0))
    expect(batches.map(({ count }) => count)).toEqual([3, 3, 3, 3, 2])
    for (const { inputs, labels, sampleIndices, count } of batches) {
      expect(Object.keys(inputs)).toEqual(['of'])
      expect(inputs.of).toHaveLength(count * 2 * 4 * 8 * 8)
      expect([...labels]).toEqual([...sampleIndices].map((index) => samples[index]?.classIndex))
    }
    const indices = batches.flatMap(({ sampleIndices }) => [...sampleIndices])
    expect(indices.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 14 }, (_, i) => Math.floor(i / 2)))
    expect(indices).not.toEqual(indices.toSorted((a, b) => a - b))
  })

  it('is the same bit for bit for 0, 1 and 3 workers, with and without a cache, and after a restart', async () => {
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

  it('is the same for any number of workers with both streams, mixed, balanced and in changed colours', async () => {
    const expected = await digests(loader({ ...everything(), workers: 0 }), [0, 1, 5])
    expect(new Set(expected).size).toBe(3)
    expect(await digests(loader({ ...everything(), workers: 1 }), [0, 1, 5])).toEqual(expected)
    expect(await digests(loader({ ...everything(), workers: 3, cacheBytes: 0 }), [0, 1])).toEqual(
      expected.slice(0, 2),
    )
    expect(await digests(loader({ ...everything(), workers: 2 }), [5])).toEqual(expected.slice(2))
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
      ofSequenceLength: 2,
      transform: transform({ height, width, horizontalFlipProbability: 1, normalisation: asFractions }),
    })
    const [batch] = await collect(center.epoch(0))
    // The first video has 5 frames: a window of 2 starts at frame 2. It is not mirrored.
    const expected = [0, 99].flatMap((add) =>
      [2, 3].flatMap((frame) =>
        Array.from({ length: width * height }, (_, i) => (i * 7 + frame * 5 + add) % 256),
      ),
    )
    expect([...(batch?.inputs.of ?? [])].map((value) => Math.round(value * 255))).toEqual(expected)
    expect(batch?.frameIndices).toEqual([{ of: [2, 3] }])
  })
})

describe('both streams', () => {
  it('show the same moment, each with its own normalisation, in the order of its channels', async () => {
    const center = loader({
      samples: jointSamples,
      modelType: 'joint',
      mode: 'center',
      batchSize: 2,
      sampleStrategy: 'consecutive',
      ofSequenceLength: 3,
      rgbSequenceLength: 1,
      transform: transform({
        height,
        width,
        normalisation: { rgb: { mean: [0], std: [1] }, of: { mean: [0], std: [0.5] } },
      }),
    })
    const [batch] = await collect(center.epoch(0))
    const plane = width * height
    const rgb = [...(batch?.inputs.rgb ?? [])].map((value) => Math.round(value * 255))
    const of = [...(batch?.inputs.of ?? [])].map((value) => Math.round((value * 255) / 2))
    expect(rgb).toHaveLength(2 * 3 * plane)
    expect(of).toHaveLength(2 * 2 * 3 * plane)
    // 5 flow images: a window of 3 starts at 1, its middle is frame 2.
    expect(batch?.frameIndices[0]).toEqual({ of: [1, 2, 3], rgb: [2] })
    const pixel = 17
    expect([0, 1, 2].map((channel) => rgb[channel * plane + pixel])).toEqual(
      [0, 1, 2].map((channel) => ((pixel * 3 + channel) * 7 + 2 * 5 + 50) % 256),
    )
    expect([0, 1, 2, 3, 4, 5].map((place) => of[place * plane + pixel])).toEqual(
      [0, 99].flatMap((add) => [1, 2, 3].map((frame) => (pixel * 7 + frame * 5 + add) % 256)),
    )
    // The second clip is of another video, whose number shows in its pixels.
    expect(batch?.sampleIndices).toEqual(Int32Array.of(0, 1))
    expect(of[6 * plane + pixel]).toBe((pixel * 7 + 3 * 31 + 3 * 5) % 256)
  })

  it('are cropped and mirrored alike', async () => {
    const made = loader({
      samples: jointSamples,
      modelType: 'joint',
      sampleStrategy: 'consecutive',
      ofSequenceLength: 1,
      rgbSequenceLength: 1,
      batchSize: 14,
      transform: transform({
        crop: 'random_crop',
        height: 8,
        width: 8,
        cropSmallerEdge: height,
        horizontalFlipProbability: 0.5,
        flipNegateU: false,
        normalisation: asFractions,
      }),
    })
    const [batch] = await collect(made.epoch(3))
    const places = new Set<number>()
    for (let clip = 0; clip < 14; clip++) {
      const first = (values: Float32Array | undefined, size: number): number =>
        Math.round((values?.[clip * size] ?? 0) * 255)
      const video = Number(samples[batch!.sampleIndices[clip]!]!.name.slice(5))
      const frame = batch!.frameIndices[clip]!.of![0]!
      expect(batch!.frameIndices[clip]!.rgb).toEqual([frame])
      // Which pixels of the image the clip's first pixel may be, seen by each stream.
      const at = (value: number, step: number, add: number): number[] =>
        Array.from({ length: width * height }, (_, i) => i).filter(
          (i) => (i * step * 7 + video * 31 + frame * 5 + add) % 256 === value,
        )
      const byFlow = at(first(batch!.inputs.of, 128), 1, 0)
      const byColor = at(first(batch!.inputs.rgb, 192), 3, 50)
      const common = byFlow.filter((pixel) => byColor.includes(pixel))
      expect(common.length).toBeGreaterThan(0)
      places.add(common[0]!)
    }
    expect(places.size).toBeGreaterThan(5)
  })

  it('have as many frames as colour and flow both have', () => {
    const short = jointSamples.map((sample) => ({ ...sample, rgb: sample.rgb.slice(0, 2) }))
    const made = loader({
      samples: short,
      modelType: 'joint',
      mode: 'all',
      sampleStrategy: 'random_interval',
    })
    expect(made.clipsPerEpoch).toBe(7)
    expect(() => loader({ samples, modelType: 'joint' })).toThrow(/no rgb frames with flow/)
  })
})

describe('segments', () => {
  it('stand in order with their index, filled into batches across videos', async () => {
    const conv = loader({ mode: 'conv', segmentCount: 2, sampleStrategy: 'consecutive', workers: 2 })
    expect(conv.clipsPerEpoch).toBe(14)
    expect(conv.batchesPerEpoch).toBe(5)
    const batches = await collect(conv.epoch(0))
    const rows = batches.flatMap(({ sampleIndices, segmentIndices, frameIndices }) =>
      frameIndices.map(({ of = [] }, i) => [sampleIndices[i], segmentIndices[i], of[0]]),
    )
    expect(rows.slice(0, 4)).toEqual([
      [0, 0, 0],
      [0, 1, 1],
      [1, 0, 1],
      [1, 1, 3],
    ])
    expect(rows.at(-1)).toEqual([6, 1, 5])
    expect(batches.every(({ targets }) => targets === null)).toBe(true)
  })

  it('are one clip of all frames with a 3D network, and batched where lengths are equal', async () => {
    const twice = samples.flatMap((sample) => [sample, sample])
    const all = loader({
      samples: twice,
      mode: 'all',
      inputType: '3d',
      sampleStrategy: 'consecutive',
      batchSize: 3,
    })
    const batches = await collect(all.epoch(0))
    expect(batches.map(({ count }) => count)).toEqual([2, 2, 2, 2, 2, 2, 2])
    for (const { inputs, sampleIndices, frameIndices } of batches) {
      const frames = twice[sampleIndices[0]!]!.u.length
      expect(inputs.of).toHaveLength(2 * 2 * frames * 8 * 8)
      expect(frameIndices.map(({ of }) => of?.length)).toEqual([frames, frames])
    }
    expect(digest(batches)).toBe(
      digest(
        await collect(
          loader({
            samples: twice,
            mode: 'all',
            inputType: '3d',
            sampleStrategy: 'consecutive',
            batchSize: 3,
            workers: 3,
          }).epoch(0),
        ),
      ),
    )
  })
})

describe('mirrored clips', () => {
  it('get the class that flippedClasses says, whether or not the class has videos', async () => {
    const always = { horizontalFlipProbability: 1, flippedClasses: [2, 1, 0] }
    const labelsOf = async (changes: Partial<TransformConfig>, mode: 'train' | 'center'): Promise<number[]> =>
      (await collect(loader({ transform: transform({ ...always, ...changes }), mode }).epoch(0)))
        .flatMap(({ labels, sampleIndices }) =>
          [...labels].map((label, i) => [sampleIndices[i]!, label] as const),
        )
        .map(([sampleIndex, label]) => label * 10 + samples[sampleIndex]!.classIndex!)
    expect([...new Set(await labelsOf({}, 'train'))].sort((a, b) => a - b)).toEqual([2, 11, 20])
    expect([...new Set(await labelsOf({ horizontalFlipProbability: 0 }, 'train'))].sort()).toEqual([
      0, 11, 22,
    ])
    expect([...new Set(await labelsOf({}, 'center'))].sort()).toEqual([0, 11, 22])
  })
})

describe('balanced epochs', () => {
  it('have as many clips as others, and of every class equally many though the classes are not', async () => {
    // 3, 2 and 2 videos; made 3, 1 and 1
    const few = samples.filter(({ name }) => !['video4', 'video5'].includes(name))
    const made = loader({ samples: few, balanced: true, clipsPerVideo: 3, batchSize: 4 })
    expect(made.clipsPerEpoch).toBe(15)
    const labels = (await collect(made.epoch(2))).flatMap((batch) => [...batch.labels])
    for (const label of [0, 1, 2]) expect(labels.filter((other) => other === label)).toHaveLength(5)
  })
})

describe('mixed clips', () => {
  it('are shares of two clips, and so are their targets; the larger share is the label', async () => {
    const plain = await collect(loader({ batchSize: 14 }).epoch(1))
    const mixed = await collect(loader({ batchSize: 14, mixupAlpha: 1, classCount: 4 }).epoch(1))
    const [a, b] = [plain[0]!, mixed[0]!]
    expect(b.labels).toEqual(a.labels)
    expect(b.sampleIndices).toEqual(a.sampleIndices)
    expect(a.targets).toBeNull()
    expect(b.targets).toHaveLength(14 * 4)
    const size = a.inputs.of!.length / 14
    for (let clip = 0; clip < 14; clip++) {
      const row = [...b.targets!.subarray(clip * 4, clip * 4 + 4)]
      expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6)
      expect(row.indexOf(Math.max(...row))).toBe(b.labels[clip])
      const clipOf = (batch: Batch, index: number): Float32Array =>
        batch.inputs.of!.subarray(index * size, (index + 1) * size)
      const share = Math.min(...row.filter((value) => value > 0))
      // Exactly one partner explains the pixels, and it has the class of the target's other share.
      const partners = Array.from({ length: 14 }, (_, other) => other).filter((other) => {
        const [own, second, seen] = [clipOf(a, clip), clipOf(a, other), clipOf(b, clip)]
        const part = row[b.labels[clip]!] === 1 ? null : share
        if (part === null) return a.labels[other] === a.labels[clip]
        return seen.every((value, i) => Math.abs((1 - part) * own[i]! + part * second[i]! - value) < 1e-5)
      })
      expect(partners.length).toBeGreaterThan(0)
      for (const partner of partners) expect(row[a.labels[partner]!]).toBeGreaterThan(0)
    }
    const shares = [...b.targets!].filter((value) => value > 0 && value < 1)
    expect(shares.length).toBeGreaterThan(4)
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
      await expect(collect(made.epoch(0))).rejects.toThrow(/Cannot read a flow image .*cut off/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('tells a crop that does not fit before the first batch, though only a late video is at fault', async () => {
    const wide = transform({ crop: 'random_crop', height: 8, width: 15 })
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
    expect(() => loader({ mixupAlpha: 0.2 })).toThrow(/needs a class/)
    const unlabelled = samples.map((sample) => ({ ...sample, classIndex: null }))
    expect(() => loader({ samples: unlabelled, balanced: true })).toThrow(/needs a class/)
  })

  it('refuses a clip of a whole video that would not fit into memory', () => {
    const long = { ...samples[0]!, u: Array<string>(20_000).fill('u'), v: Array<string>(20_000).fill('v') }
    const all = { mode: 'all', inputType: '3d', sampleStrategy: 'consecutive' } as const
    const large = transform({ height: 224, width: 224 })
    expect(() => loader({ ...all, samples: [long], transform: large })).toThrow(/would take 7\.5 GiB/)
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
      transform: transform({ height: 64, width: 64, horizontalFlipProbability: 0.5 }),
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
