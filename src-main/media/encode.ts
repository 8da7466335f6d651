import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Readable } from 'node:stream'
import sharp from 'sharp'
import { partialPath } from '../core/atomic-file.ts'
import { KineoError } from '../core/errors.ts'
import { decodeFrames } from './decode.ts'
import { keepEveryFrame, runFfmpeg, type FfmpegJob } from './ffmpeg-process.ts'

/** H.264 that every browser and player opens. */
const widelyPlayable = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', '-f', 'mp4']

export interface ThumbnailOptions {
  /** Time of the frame; past the end, and by default, the first frame is shown. */
  atSeconds?: number
  /** Width in pixels; the height follows. */
  width: number
  signal?: AbortSignal
}

/**
 * A still picture of a video, as JPEG.
 *
 * @throws KineoError `input` when the video has no frame that can be decoded.
 */
export async function thumbnail(path: string, options: ThumbnailOptions): Promise<Uint8Array> {
  const { atSeconds = 0, width, signal } = options
  const rgb = await firstFrame(path, atSeconds, signal).catch((error: unknown) => {
    if (atSeconds > 0 && !signal?.aborted) return firstFrame(path, 0, signal)
    throw error
  })
  return sharp(rgb.rgb, { raw: { width: rgb.width, height: rgb.height, channels: 3 } })
    .resize({ width, withoutEnlargement: true })
    .jpeg({ quality: 82 })
    .toBuffer()
}

async function firstFrame(
  path: string,
  startSeconds: number,
  signal: AbortSignal | undefined,
): Promise<{ width: number; height: number; rgb: Uint8Array }> {
  const start = startSeconds > 0 ? { startSeconds } : {}
  for await (const frame of decodeFrames(path, { ...start, maxFrames: 1, signal })) return frame
  throw new KineoError('input', 'The video holds no frame', { where: path })
}

/**
 * Writes a copy that Chromium plays (H.264 in MP4, at most 1280 pixels on its longer side), with the same frames at the
 * same times. A key frame every 15 frames makes seeking quick. Whole or not at all.
 *
 * @throws KineoError `input` when the video cannot be read; CancelledError.
 */
export async function makeProxy(path: string, out: string, signal?: AbortSignal): Promise<void> {
  const even = (side: string): string => `'2*max(1,trunc(${side}*min(1,1280/max(iw,ih))/2+0.5))'`
  const job: FfmpegJob = {
    input: resolve(path),
    outputOptions: [
      ...['-map', '0:V:0', '-map', '0:a:0?', '-sn', '-dn'],
      ...['-vf', `scale=w=${even('iw')}:h=${even('ih')}`],
      ...(await keepEveryFrame()),
      ...widelyPlayable,
      ...['-preset', 'veryfast', '-crf', '20', '-g', '15', '-c:a', 'aac', '-ac', '2'],
    ],
    signal,
  }
  await encodeWhole(job, out, 'Cannot make a copy of the video that plays here', path)
}

export interface EncodeOptions {
  width: number
  height: number
  /** Frames per second. */
  frameRate: number
  signal?: AbortSignal | undefined
}

/**
 * Encodes frames (`width * height * 3` bytes of RGB each; even sides) to H.264 in MP4. Whole or not at all; the same
 * frames give the same file with the same ffmpeg.
 *
 * @throws KineoError when ffmpeg cannot encode or `out` cannot be written; CancelledError.
 */
export async function encodeVideo(
  out: string,
  frames: Iterable<Uint8Array>,
  options: EncodeOptions,
): Promise<void> {
  const { width, height, frameRate, signal } = options
  const job: FfmpegJob = {
    input: Readable.from(frames, { objectMode: false }),
    inputOptions: [
      '-f',
      'rawvideo',
      '-pix_fmt',
      'rgb24',
      '-s',
      `${width}x${height}`,
      '-r',
      String(frameRate),
    ],
    // One thread and no wall-clock in the file: reproducible.
    outputOptions: [
      ...widelyPlayable,
      '-preset',
      'medium',
      '-crf',
      '18',
      '-threads',
      '1',
      '-fflags',
      '+bitexact',
    ],
    signal,
  }
  await encodeWhole(job, out, 'Cannot encode the video', out)
}

async function encodeWhole(job: FfmpegJob, out: string, what: string, where: string): Promise<void> {
  const target = resolve(out)
  await mkdir(dirname(target), { recursive: true })
  const partial = partialPath(target)
  try {
    await runFfmpeg({ ...job, outputFile: partial }, what, where)
    await rename(partial, target)
  } finally {
    await rm(partial, { force: true })
  }
}
