import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CancelledError, KineoError } from '../../src-main/core/errors.ts'
import type { Progress } from '../../src-main/core/progress.ts'
import { readFrame } from '../../src-main/dataset/frame-image.ts'
import { readImageHeader } from '../../src-main/dataset/image-header.ts'
import {
  checkDataset,
  listDataset,
  type DatasetCheck,
  type ModelType,
  type TransformConfig,
} from '../../src-main/dataset/index.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-images-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

const [width, height] = [24, 16]
const size = { width, height }
/** A slope in each channel, which JPEG keeps. */
const colors = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
  const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
  return [x * 10, y * 15, 255 - x * 5 - y * 5][channel]!
})
const grays = Uint8Array.from({ length: width * height }, (_, i) => (i % width) * 7 + 20)
const color = (): Sharp => sharp(colors, { raw: { ...size, channels: 3 } })
const gray = (): Sharp => sharp(grays, { raw: { ...size, channels: 1 } }).toColourspace('b-w')
const deep = (): Sharp =>
  sharp(
    Uint16Array.from(grays, (value) => value * 257),
    { raw: { ...size, channels: 1 } },
  ).toColourspace('grey16')

async function write(path: string, image: Sharp | Buffer): Promise<string> {
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, Buffer.isBuffer(image) ? image : await image.toBuffer())
  return file
}

/** An uncompressed BMP file; rows begin at the bottom unless `topDown`. */
function bitmap(bits: 8 | 24 | 32, topDown = false): Buffer {
  const rowBytes = Math.ceil((width * bits) / 32) * 4
  const palette = bits === 8 ? 1024 : 0
  const file = Buffer.alloc(54 + palette + rowBytes * height)
  file.write('BM')
  file.writeUInt32LE(54 + palette, 10)
  file.writeUInt32LE(40, 14)
  file.writeInt32LE(width, 18)
  file.writeInt32LE(topDown ? -height : height, 22)
  file.writeUInt16LE(bits, 28)
  for (let i = 0; i < palette; i++) file[54 + i] = Math.floor(i / 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 54 + palette + (topDown ? y : height - 1 - y) * rowBytes + (x * bits) / 8
      const pixel = y * width + x
      if (bits === 8) file[at] = grays[pixel]!
      else for (let channel = 0; channel < 3; channel++) file[at + 2 - channel] = colors[pixel * 3 + channel]!
    }
  }
  return file
}

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a).toHaveLength(b.length)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

const grayColors = Uint8Array.from({ length: width * height * 3 }, (_, i) => grays[Math.floor(i / 3)]!)

describe('colour frames', () => {
  it('are read as RGB from every kind of image', async () => {
    const rgba = color().ensureAlpha(0.3)
    const kinds: [string, Sharp | Buffer, Uint8Array, number][] = [
      ['rgb.png', color().png(), colors, 0],
      ['rgba.png', rgba.png(), colors, 0],
      ['lossless.webp', color().webp({ lossless: true }), colors, 0],
      ['rgb.tiff', color().tiff({ compression: 'lzw' }), colors, 0],
      ['24.bmp', bitmap(24), colors, 0],
      ['32.bmp', bitmap(32), colors, 0],
      ['down.bmp', bitmap(24, true), colors, 0],
      ['8.bmp', bitmap(8), grayColors, 0],
      ['gray.png', gray().png(), grayColors, 0],
      ['deep.png', deep().png(), grayColors, 0],
      ['rgb.jpg', color().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }), colors, 4],
      [
        'progressive.jpg',
        color().jpeg({ quality: 100, chromaSubsampling: '4:4:4', progressive: true }),
        colors,
        4,
      ],
      ['palette.png', gray().png({ palette: true }), grayColors, 12],
    ]
    for (const [name, image, expected, tolerance] of kinds) {
      const file = await write(name, image)
      const pixels = await readFrame(file, 'rgb')
      expect([pixels.width, pixels.height], name).toEqual([width, height])
      expect(largestDifference(pixels.data, expected), name).toBeLessThanOrEqual(tolerance)
      expect(await readImageHeader(file), name).toMatchObject(size)
    }
  })

  it('are read as RGB from CMYK, whose colours are not exactly defined', async () => {
    const file = await write('cmyk.jpg', color().toColourspace('cmyk').jpeg({ quality: 100 }))
    expect(await readImageHeader(file)).toMatchObject({ color: 'cmyk', ...size })
    const { data } = await readFrame(file, 'rgb')
    const mean = data.reduce((sum, value, i) => sum + Math.abs(value - colors[i]!), 0) / data.length
    expect(data).toHaveLength(colors.length)
    expect(mean).toBeLessThan(40)
  })

  it('are turned upright as EXIF says', async () => {
    for (const [name, image] of [
      ['turned.jpg', color().jpeg({ quality: 100, chromaSubsampling: '4:4:4' })],
      ['turned.png', color().png()],
    ] as const) {
      const file = await write(name, image.withMetadata({ orientation: 6 }))
      expect(await readImageHeader(file), name).toMatchObject({ ...size, orientation: 6 })
      const { data, ...turned } = await readFrame(file, 'rgb')
      expect(turned, name).toEqual({ width: height, height: width })
      // A quarter turn to the right: the left lower corner comes to the left upper one.
      const corner = colors.subarray((height - 1) * width * 3, (height - 1) * width * 3 + 3)
      expect(largestDifference(data.subarray(0, 3), corner), name).toBeLessThanOrEqual(4)
    }
  })
})

describe('flow images', () => {
  it('are read as they stand, also where gray was stored in colour, with a palette or with alpha', async () => {
    const stored = sharp(grayColors, { raw: { ...size, channels: 3 } })
    const kinds: [string, Sharp | Buffer, number][] = [
      ['gray.png', gray().png(), 0],
      ['gray.jpg', gray().jpeg({ quality: 100 }), 1],
      ['rgb.jpg', stored.clone().jpeg({ quality: 100 }), 2],
      ['rgba.png', stored.clone().ensureAlpha(0.5).png(), 0],
      ['8.bmp', bitmap(8), 0],
      ['turned.jpg', gray().jpeg({ quality: 100 }).withMetadata({ orientation: 6 }), 1],
    ]
    for (const [name, image, tolerance] of kinds) {
      const { data, ...found } = await readFrame(await write(name, image), 'gray')
      expect(found, name).toEqual(size)
      expect(largestDifference(data, grays), name).toBeLessThanOrEqual(tolerance)
    }
  })

  it('are refused in colours and with 16 bits, whose meaning nobody knows', async () => {
    for (const image of [color().png(), bitmap(24)]) {
      await expect(readFrame(await write('u', image), 'gray')).rejects.toThrow(/this one has colours/)
    }
    for (const image of [deep().png(), deep().tiff({ compression: 'lzw' })]) {
      await expect(readFrame(await write('u', image), 'gray')).rejects.toThrow(/must have 8 bits/)
    }
  })
})

describe('images that cannot be read', () => {
  it('are told with file and reason', async () => {
    const png = await color().png().toBuffer()
    const jpeg = await color().jpeg().toBuffer()
    for (const [name, image, reason] of [
      ['empty.png', Buffer.alloc(0), 'the file is empty'],
      ['text.png', Buffer.from('not an image at all'), 'it is no image, or of an unknown format'],
      ['head.png', png.subarray(0, 20), 'it is cut off or damaged'],
      ['cut.png', png.subarray(0, png.length / 2), 'it is cut off or damaged'],
      ['head.jpg', jpeg.subarray(0, 12), 'it is cut off or damaged'],
      ['cut.jpg', jpeg.subarray(0, jpeg.length - 60), 'it is cut off or damaged'],
      ['cut.bmp', bitmap(24).subarray(0, 500), 'it is cut off or damaged'],
    ] as const) {
      const file = await write(name, image)
      const error: unknown = await readFrame(file, 'rgb').catch((reasonOf: unknown) => reasonOf)
      if (!(error instanceof KineoError)) throw new Error(`${name} was read`)
      expect(error.code).toBe('input')
      expect(error.describe(), name).toContain(`Cannot read a frame (${reason}): ${file}. Prepare`)
    }
    await expect(readFrame(join(root, 'none.png'), 'gray')).rejects.toThrow(
      'Cannot read a flow image (the file is missing)',
    )
  })
})

describe('checkDataset', () => {
  const half = { mean: [0.5], std: [0.5] }
  const transform: TransformConfig = {
    crop: 'random_crop',
    height: 8,
    width: 8,
    cropSmallerEdge: 12,
    scales: [1],
    horizontalFlipProbability: 0,
    flipNegateU: true,
    flippedClasses: null,
    colorJitter: null,
    normalisation: { rgb: half, of: half },
  }

  async function check(modelType: ModelType, changes: Partial<DatasetCheck> = {}): Promise<string[]> {
    const notes: string[] = []
    const samples = await listDataset(join(root, 'data'), new Map([['wave', 0]]), modelType)
    await checkDataset(samples, { modelType, onNote: (note) => notes.push(note), ...changes })
    return notes
  }

  async function failure(work: Promise<unknown>): Promise<KineoError> {
    const error: unknown = await work.catch((reason: unknown) => reason)
    if (!(error instanceof KineoError)) throw new Error(`no KineoError: ${String(error)}`)
    return error
  }

  async function writeVideo(name: string, frames = 3): Promise<void> {
    for (let frame = 0; frame < frames; frame++) {
      await write(`data/wave/${name}/rgb/${frame}.png`, color().png())
      for (const stream of ['u', 'v']) await write(`data/wave/${name}/${stream}/${frame}.jpg`, gray().jpeg())
    }
  }

  it('has nothing to say about a sound data set, and reports how far it is', async () => {
    await writeVideo('a')
    const progress: Progress[] = []
    const onProgress = (step: Progress): number => progress.push(step)
    expect(await check('joint', { transforms: [transform], onProgress })).toEqual([])
    expect(progress.at(-1)).toMatchObject({ done: 9, total: 9, unit: 'images' })
  })

  it('tells all images that cannot be used at once, in the order of the data set', async () => {
    await writeVideo('a')
    await writeVideo('b')
    const jpeg = await gray().jpeg().toBuffer()
    const png = await color().png().toBuffer()
    const broken = [
      await write('data/wave/a/rgb/1.png', png.subarray(0, png.length - 20)),
      await write('data/wave/a/u/2.jpg', Buffer.alloc(0)),
      await write('data/wave/b/rgb/0.png', Buffer.from('a text in the place of an image')),
      await write('data/wave/b/u/0.jpg', color().jpeg()),
      await write('data/wave/b/v/1.jpg', jpeg.subarray(0, jpeg.length - 20)),
      await write('data/wave/b/v/2.jpg', deep().png()),
    ]
    const error = await failure(check('joint'))
    expect(error.code).toBe('input')
    expect(error.message.split('\n')).toEqual([
      'The images of the data set have 6 problems:',
      `  Cannot read a frame (it is cut off or damaged): ${broken[0]}`,
      `  Cannot read a flow image (the file is empty): ${broken[1]}`,
      `  Cannot read a frame (it is no image, or of an unknown format): ${broken[2]}`,
      `  Cannot read a flow image (a flow image must be gray, and this one has colours): ${broken[3]}`,
      `  Cannot read a flow image (it is cut off or damaged): ${broken[4]}`,
      `  Cannot read a flow image (a flow image must have 8 bits, with 128 for no motion): ${broken[5]}`,
    ])
    expect(error.remedy).toContain('kineo preprocess')
    // Only what the network looks at counts.
    expect((await failure(check('rgb'))).message).toContain('2 problems')
  })

  it('tells a single problem as it is', async () => {
    await writeVideo('a')
    const file = await write('data/wave/a/rgb/1.png', Buffer.alloc(0))
    expect((await failure(check('rgb'))).describe()).toBe(
      `Cannot read a frame (the file is empty): ${file}. Prepare its video again with \`kineo preprocess\`, or remove the video`,
    )
  })

  it('tells frames of different sizes where they are cropped, and notes it where they are not', async () => {
    await writeVideo('a')
    await writeVideo('b')
    const small = sharp(new Uint8Array(12 * 12), { raw: { width: 12, height: 12, channels: 1 } })
    const file = await write('data/wave/b/rgb/2.png', small.png())
    const error = await failure(check('rgb', { transforms: [transform] }))
    expect(error.message).toContain('different shapes (24x16 and 12x12)')
    expect(error.where).toBe(file)
    const notes = await check('rgb', { transforms: [{ ...transform, crop: 'no_crop' }] })
    expect(notes[0]).toContain('1 video differ in size')
  })

  it('tells crops that do not fit, once for each video', async () => {
    await writeVideo('a')
    await writeVideo('b')
    const tall = { ...transform, height: 15, width: 8 }
    const error = await failure(check('of', { transforms: [{ ...transform, crop: 'no_crop' }, tall] }))
    expect(error.message).toContain('2 problems')
    expect(error.message).toContain('does not fit')
    expect(error.message).toContain('(24x16)')
  })

  it('notes what is converted, with a count and an example', async () => {
    await writeVideo('a')
    const alpha = await write('data/wave/a/rgb/0.png', color().ensureAlpha(0.5).png())
    const grayed = await write('data/wave/a/rgb/1.png', deep().png())
    const turned = await write('data/wave/a/rgb/2.png', color().jpeg().withMetadata({ orientation: 3 }))
    const flow = await write(
      'data/wave/a/u/0.jpg',
      sharp(grayColors, { raw: { ...size, channels: 3 } }).jpeg(),
    )
    expect(await check('joint')).toEqual([
      `1 colour image with an alpha channel, which is left out (such as ${alpha})`,
      `1 colour image of 16 bits, read with 8 (such as ${grayed})`,
      `1 colour image in gray, read as three equal channels (such as ${grayed})`,
      `1 colour image with an EXIF orientation, turned upright (such as ${turned})`,
      `1 flow image stored in colour or with a palette, read as gray (such as ${flow})`,
    ])
  })

  it('stops when asked to', async () => {
    await writeVideo('a')
    await expect(check('rgb', { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError)
  })
})
