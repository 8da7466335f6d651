import { readFile } from 'node:fs/promises'
import sharp, { type SharpOptions } from 'sharp'
import { KineoError } from '../core/errors.ts'
import type { ImageSize } from './resize.ts'
import type { Pixels } from './frame-stacker.ts'

/** What an image is read as: three channels of sRGB, or one of gray. */
export type ImageKind = 'rgb' | 'gray'

const readOptions: SharpOptions = {
  // As PIL: profiles are not applied, and an image with errors is refused.
  ignoreIcc: true,
  failOn: 'error',
  sequentialRead: true,
}

/**
 * Reads a frame as 8-bit pixels, whatever its own kind: gray, palette, 16 bit and CMYK are converted, an alpha
 * channel is dropped. (TAO gives an empty clip for most of these.)
 *
 * @throws KineoError `input` naming the file when it cannot be read as an image.
 */
export async function readFrame(file: string, kind: ImageKind): Promise<Pixels> {
  try {
    const image = sharp(await readFile(file), readOptions)
      .toColourspace(kind === 'rgb' ? 'srgb' : 'b-w')
      .removeAlpha()
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    return { data, width: info.width, height: info.height }
  } catch (error) {
    throw unreadable(file, error)
  }
}

/**
 * Width and height of an image, from its header.
 * @throws KineoError `input` naming the file.
 */
export async function readSize(file: string): Promise<ImageSize> {
  try {
    const { width, height } = await sharp(file, readOptions).metadata()
    return { width, height }
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, cause: unknown): KineoError {
  const reason = cause instanceof Error ? ` (${cause.message.split('\n', 1)[0] ?? ''})` : ''
  return new KineoError('input', `Cannot read a frame${reason}`, {
    where: file,
    remedy: 'Prepare its video again with `kineo preprocess`, or remove the video',
    cause,
  })
}
