import { close, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { readBitmapHeader } from './bitmap.ts'
import type { ImageSize } from './resize.ts'

/** What the header of an image says; width and height as stored, before `orientation` turns it. */
export interface ImageHeader extends ImageSize {
  color: 'gray' | 'rgb' | 'palette' | 'cmyk'
  alpha: boolean
  /** Bits of a channel. */
  depth: number
  /** EXIF's, 1 = upright; 5 and above swap width and height. */
  orientation: number
  /** False when the file does not end as its format wants: it may be cut off, and decoding it tells. */
  complete: boolean
}

/** Small images come with one read; of others the first part, and a second read for the end. */
const firstBytes = 16 << 10
const tailBytes = 12
const jpegChunk = 64 << 10

// File handles of fs/promises take three times as long, which counts for 100,000 images.
const openFile = promisify(open)
const closeFile = promisify(close)
const statFile = promisify(fstat)
const readFile = promisify(read)

const upright = { alpha: false, depth: 8, orientation: 1 } as const

/**
 * Reads the header of a PNG, JPEG, WebP or BMP image in a few KB; of other formats as libvips reads it.
 * @throws Error saying in plain words what is wrong.
 */
export async function readImageHeader(file: string): Promise<ImageHeader> {
  const handle = await openFile(file, 'r')
  try {
    const start = await readAt(handle, 0, firstBytes)
    if (start.length === 0) throw new Error('the file is empty')
    const size = start.length < firstBytes ? start.length : (await statFile(handle)).size
    const end = async (): Promise<Buffer> =>
      size === start.length
        ? start.subarray(Math.max(0, size - tailBytes))
        : await readAt(handle, size - tailBytes, tailBytes)
    const known =
      (await pngHeader(start, end)) ??
      (await jpegHeader(start, handle, end)) ??
      webpHeader(start, size) ??
      readBitmapHeader(start, size)
    return known ?? (await otherHeader(file))
  } finally {
    await closeFile(handle)
  }
}

async function readAt(handle: number, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await readFile(handle, Buffer.allocUnsafe(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

async function pngHeader(start: Buffer, end: () => Promise<Buffer>): Promise<ImageHeader | null> {
  if (!start.subarray(0, 8).equals(pngSignature)) return null
  if (start.length < 33) throw new Error('the PNG header is cut off')
  const type = start[25] ?? 0
  return {
    ...upright,
    width: start.readUInt32BE(16),
    height: start.readUInt32BE(20),
    // Gray and palette images of fewer bits are spread over 8.
    depth: start[24] === 16 ? 16 : 8,
    color: type === 3 ? 'palette' : type === 2 || type === 6 ? 'rgb' : 'gray',
    alpha: type === 4 || type === 6,
    orientation: pngOrientation(start),
    complete: (await end()).includes('IEND', 0, 'latin1'),
  }
}

/** From the eXIf chunk, which stands before the pixels where there is one. */
function pngOrientation(start: Buffer): number {
  for (let at = 33; at + 8 < start.length;) {
    const name = start.toString('latin1', at + 4, at + 8)
    if (name === 'IDAT') break
    const length = start.readUInt32BE(at)
    if (name === 'eXIf') return tiffOrientation(start.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  return 1
}

async function jpegHeader(
  start: Buffer,
  handle: number,
  end: () => Promise<Buffer>,
): Promise<ImageHeader | null> {
  if (start[0] !== 0xff || start[1] !== 0xd8) return null
  let chunk = start
  let chunkAt = 0
  let orientation = 1
  for (let position = 2; ;) {
    if (position - chunkAt + 20 > chunk.length) {
      const next = await readAt(handle, position, jpegChunk)
      if (next.length < 11) throw new Error('the JPEG header is cut off')
      chunk = next
      chunkAt = position
    }
    const at = position - chunkAt
    const marker = chunk[at + 1] ?? 0
    if (chunk[at] !== 0xff) throw new Error('the JPEG header is damaged')
    if (marker === 0xff) {
      position += 1
      continue
    }
    const length = chunk.readUInt16BE(at + 2)
    // Start of frame; C4, C8 and CC are other tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const components = chunk[at + 9] ?? 0
      return {
        ...upright,
        width: chunk.readUInt16BE(at + 7),
        height: chunk.readUInt16BE(at + 5),
        depth: chunk[at + 4] ?? 8,
        color: components === 1 ? 'gray' : components === 4 ? 'cmyk' : 'rgb',
        orientation,
        complete: (await end()).includes(Buffer.from([0xff, 0xd9])),
      }
    }
    if (marker === 0xda || marker === 0xd9 || length < 2) throw new Error('the JPEG header is damaged')
    if (marker === 0xe1) {
      const block = await readAt(handle, position + 4, length - 2)
      if (block.toString('latin1', 0, 6) === 'Exif\0\0') orientation = tiffOrientation(block.subarray(6))
    }
    position += 2 + length
  }
}

/** The orientation in the TIFF structure of an EXIF block, 1 where it has none. */
function tiffOrientation(tiff: Buffer): number {
  if (tiff.length < 10) return 1
  const little = tiff.toString('latin1', 0, 2) === 'II'
  const short = (at: number): number =>
    at + 2 > tiff.length ? 0 : little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at)
  const directory = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4)
  for (let entry = 0; entry < short(directory); entry++) {
    const at = directory + 2 + 12 * entry
    if (short(at) !== 0x0112) continue
    const value = short(at + 8)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}

function webpHeader(start: Buffer, size: number): ImageHeader | null {
  if (start.toString('latin1', 0, 4) !== 'RIFF' || start.toString('latin1', 8, 12) !== 'WEBP') return null
  if (start.length < 30) throw new Error('the WebP header is cut off')
  const base = { ...upright, color: 'rgb', complete: start.readUInt32LE(4) + 8 <= size } as const
  const kind = start.toString('latin1', 12, 16)
  if (kind === 'VP8 ') {
    return { ...base, width: start.readUInt16LE(26) & 0x3fff, height: start.readUInt16LE(28) & 0x3fff }
  }
  if (kind === 'VP8L') {
    const bits = start.readUInt32LE(21)
    const [width, height] = [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1]
    return { ...base, width, height, alpha: ((bits >>> 28) & 1) === 1 }
  }
  const [width, height] = [start.readUIntLE(24, 3) + 1, start.readUIntLE(27, 3) + 1]
  return { ...base, width, height, alpha: ((start[20] ?? 0) & 0x10) !== 0 }
}

/** GIF, TIFF and what else libvips reads; these may be cut off without a sign, so decoding has to tell. */
async function otherHeader(file: string): Promise<ImageHeader> {
  const { width, height, channels, depth, space, hasAlpha, orientation, isPalette } =
    await sharp(file).metadata()
  const colors = channels - (hasAlpha ? 1 : 0)
  const color = space === 'cmyk' ? 'cmyk' : isPalette === true ? 'palette' : colors >= 3 ? 'rgb' : 'gray'
  return {
    width,
    height,
    color,
    alpha: hasAlpha,
    depth: depth === 'uchar' ? 8 : 16,
    orientation: orientation ?? 1,
    complete: false,
  }
}
