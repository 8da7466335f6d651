import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import sharp from 'sharp'
import { partialPath } from '../core/atomic-file.ts'
import { KineoError } from '../core/errors.ts'
import { decodeFrames } from './decode.ts'
import { keepEveryFrame, runFfmpeg, type FfmpegJob } from './ffmpeg-process.ts'

/** H.264 that every browser and player opens. */
const h264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p']

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
      ...h264,
      ...['-movflags', '+faststart', '-f', 'mp4'],
      ...['-preset', 'veryfast', '-crf', '20', '-g', '15', '-c:a', 'aac', '-ac', '2'],
    ],
    signal,
  }
  const target = resolve(out)
  const partial = partialPath(target)
  try {
    await mkdir(dirname(target), { recursive: true })
    await runFfmpeg({ ...job, outputFile: partial }, 'Cannot make a copy of the video that plays here', path)
    await rename(partial, target)
  } finally {
    await rm(partial, { force: true })
  }
}

export interface EncodeOptions {
  /** Even sides, in pixels. */
  width: number
  height: number
  /** Frames per second. */
  frameRate: number
  /** Frames of each clip. */
  frameCount: number
  signal?: AbortSignal | undefined
}

/**
 * Encodes clips of equal length to H.264 in MP4, one after the other by a single ffmpeg, whose start takes longer than a
 * short clip. Each file is whole or not there. The same frames give the same files with the same ffmpeg.
 *
 * @param outs Files to write, one a clip, in one folder.
 * @param frames Frames of all clips in their order, `width * height * 3` bytes of RGB each.
 * @throws KineoError when ffmpeg cannot encode or the folder cannot be written; CancelledError.
 */
export async function encodeClips(
  outs: readonly string[],
  frames: Iterable<Uint8Array>,
  options: EncodeOptions,
): Promise<void> {
  const { width, height, frameRate, frameCount, signal } = options
  const [first] = outs
  if (first === undefined) return
  const cuts = outs.slice(1).map((_, index) => (index + 1) * frameCount)
  const folder = partialPath(resolve(dirname(first), 'clips'))
  const job = {
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
    outputOptions: [
      ...h264,
      // Each clip starts with a key frame, and nothing depends on threads or on the clock.
      ...['-preset', 'veryfast', '-crf', '18', '-bf', '0', '-threads', '1', '-fflags', '+bitexact'],
      ...['-g', String(frameCount), '-keyint_min', String(frameCount), '-sc_threshold', '0'],
      ...['-f', 'segment', '-segment_format', 'mp4', '-segment_frames', cuts.join(',') || String(frameCount)],
      ...['-reset_timestamps', '1', '-segment_format_options', 'movflags=+faststart'],
    ],
    outputFile: join(folder, '%d.mp4'),
    signal,
  }
  try {
    await mkdir(folder, { recursive: true })
    await runFfmpeg(job, 'Cannot encode the clips', dirname(first))
    for (const [index, out] of outs.entries()) await rename(join(folder, `${index}.mp4`), resolve(out))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
