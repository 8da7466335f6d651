import { readFile } from 'node:fs/promises'
import sharp, { type SharpOptions } from 'sharp'
import { KineoError } from '../core/errors.ts'
import { decodeBitmap } from './bitmap.ts'
import type { Pixels } from './frame-stacker.ts'
import { readImageHeader } from './image-header.ts'
import type { ImageSize } from './resize.ts'

/** What an image is read as: three channels of sRGB, or one of gray. */
export type ImageKind = 'rgb' | 'gray'

const readOptions: SharpOptions = {
  // As PIL: profiles are not applied, and an image with errors is refused.
  ignoreIcc: true,
  failOn: 'error',
  sequentialRead: true,
}
/** Why a flow image of more than 8 bits is refused. */
export const deepFlow = 'a flow image must have 8 bits, with 128 for no motion'

/** Channels of a gray image that was stored in colour differ by no more than what JPEG leaves. */
const mostColor = 24

/**
 * Reads a frame as 8-bit pixels, whatever its own kind. `rgb`: gray, palette, 16 bit and CMYK are converted, an alpha
 * channel is dropped, and EXIF's orientation is followed, as every viewer does. `gray`, which is flow: a gray image that
 * was stored in colour or with a palette is taken; one in real colours or of 16 bits is refused, since what its values
 * stand for is not known. (TAO gives an empty clip for most of these.)
 *
 * @throws KineoError `input` naming the file when it cannot be read as an image of this kind.
 */
export async function readFrame(file: string, kind: ImageKind): Promise<Pixels> {
  try {
    const bytes = await readFile(file)
    if (bytes.length === 0) throw new Error('the file is empty')
    if (bytes[0] === 0x42 && bytes[1] === 0x4d) {
      const image = decodeBitmap(bytes)
      return kind === 'rgb' ? image : { ...image, data: grayOf(image.data) }
    }
    return kind === 'rgb' ? await readColor(bytes) : await readGray(bytes)
  } catch (error) {
    throw unreadable(file, kind, error)
  }
}

async function readColor(bytes: Buffer): Promise<Pixels> {
  const image = sharp(bytes, readOptions).autoOrient().toColourspace('srgb').removeAlpha()
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height }
}

async function readGray(bytes: Buffer): Promise<Pixels> {
  if (await isDeep(bytes)) throw new Error(deepFlow)
  const image = sharp(bytes, readOptions).removeAlpha()
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  const size = { width: info.width, height: info.height }
  return { ...size, data: info.channels === 1 ? data : grayOf(data) }
}

/** True for more than 8 bits a channel. */
async function isDeep(bytes: Buffer): Promise<boolean> {
  const [isJpeg, isPng] = [bytes[0] === 0xff, bytes[0] === 0x89]
  if (isJpeg || isPng) return isPng && bytes[24] === 16
  return (await sharp(bytes).metadata()).depth !== 'uchar'
}

/** The one channel of a gray image stored as R, G, B. */
function grayOf(pixels: Uint8Array): Uint8Array {
  const gray = new Uint8Array(pixels.length / 3)
  for (let i = 0, at = 0; i < gray.length; i++, at += 3) {
    const [red, green, blue] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0]
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > mostColor) {
      throw new Error('a flow image must be gray, and this one has colours')
    }
    gray[i] = green
  }
  return gray
}

/**
 * Width and height of an image as readFrame gives it, from its header.
 * @throws KineoError `input` naming the file.
 */
export async function readSize(file: string, kind: ImageKind): Promise<ImageSize> {
  try {
    const { width, height, orientation } = await readImageHeader(file)
    return kind === 'rgb' && orientation >= 5 ? { width: height, height: width } : { width, height }
  } catch (error) {
    throw unreadable(file, kind, error)
  }
}

function unreadable(file: string, kind: ImageKind, cause: unknown): KineoError {
  const reason = cause instanceof Error ? ` (${plainReason(cause.message)})` : ''
  return new KineoError('input', `Cannot read a ${kind === 'rgb' ? 'frame' : 'flow image'}${reason}`, {
    where: file,
    remedy: 'Prepare its video again with `kineo preprocess`, or remove the video',
    cause,
  })
}

/** libvips' messages in words for people, without the path that is told anyway. */
export function plainReason(message: string): string {
  const line = message.split('\n', 1)[0] ?? ''
  if (/unsupported image format/i.test(line)) return 'it is no image, or of an unknown format'
  if (/ENOENT/.test(line)) return 'the file is missing'
  if (/EACCES|EPERM/.test(line)) return 'reading it is not allowed'
  if (/EISDIR/.test(line)) return 'it is a folder'
  const damaged =
    /premature end|unexpected end|truncated|read error|cut off|libspng read|not enough|corrupt|damaged|unknown error/i
  if (damaged.test(line)) return 'it is cut off or damaged'
  return line
}
