import { resolve } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { keepEveryFrame, readOutput, startFfmpeg, type FfmpegEnd } from './ffmpeg-process.ts'
import { PpmReader } from './ppm-reader.ts'
import { probe, unreadable } from './probe.ts'

/** One decoded frame, as shown: rotated as the file asks for. */
export interface DecodedFrame {
  /** 0-based, in presentation order. */
  index: number
  width: number
  height: number
  /** Red, green, blue of each pixel, row by row: `width * height * 3` bytes, owned by the receiver. */
  rgb: Uint8Array
}

export interface DecodeOptions {
  /** Longest side of the frames in pixels; larger frames are scaled down, smaller ones stay. */
  maxSide?: number | undefined
  /** Frames per second to resample to; by default exactly the frames of the file. */
  fps?: number | undefined
  /** Start at this time. */
  startSeconds?: number | undefined
  /** Stop after so many frames. */
  maxFrames?: number | undefined
  /** Threads of the decoder; by default ffmpeg's own choice. */
  threads?: number | undefined
  /** Told once, after the last frame, when a damaged file gave only some of its frames or faulty ones. */
  onDamage?: ((complaint: string) => void) | undefined
  signal?: AbortSignal | undefined
}

/**
 * Decodes a video frame by frame through a pipe. All frames have the size of the first, also when the size changes
 * within the file. A file that breaks off in the middle gives the frames before the break (see `onDamage`).
 *
 * @throws KineoError `input` when the file has no frame that can be decoded; CancelledError.
 */
export async function* decodeFrames(
  path: string,
  options: DecodeOptions = {},
): AsyncGenerator<DecodedFrame, void> {
  const process = await startFfmpeg({
    input: resolve(path),
    inputOptions: [
      ...(options.threads === undefined ? [] : ['-threads', String(options.threads)]),
      ...(options.startSeconds === undefined ? [] : ['-ss', String(options.startSeconds)]),
    ],
    // PPM is raw RGB with the size before each frame, so the size of what arrives is never a guess.
    outputOptions: [
      ...['-map', '0:V:0', '-an', '-sn', '-dn'],
      ...filters(options),
      ...(await keepEveryFrame()),
      ...(options.maxFrames === undefined ? [] : ['-frames:v', String(options.maxFrames)]),
      ...['-f', 'image2pipe', '-c:v', 'ppm', '-pix_fmt', 'rgb24'],
    ],
    signal: options.signal,
  })
  const reader = new PpmReader()
  const chunks = readOutput(process, options.signal)
  let index = 0
  let size = ''
  try {
    let next = await chunks.next()
    while (!next.done) {
      for (const image of reader.push(next.value)) {
        const its = `${image.width}x${image.height}`
        if (index === 0) size = its
        else if (its !== size) throw new Error(`ffmpeg gave a frame of ${its} in a video of ${size}`)
        yield { index, ...image }
        index++
      }
      next = await chunks.next()
    }
    await judgeEnd(next.value, index, path, options)
  } finally {
    await chunks.return({ failure: null, messages: [] })
  }
}

/**
 * Judges how a decoding ended that gave so many frames.
 *
 * @throws KineoError `input` with the reason when it gave none.
 */
export async function judgeEnd(
  end: FfmpegEnd,
  frames: number,
  path: string,
  options: Pick<DecodeOptions, 'signal' | 'onDamage'>,
): Promise<void> {
  // Without the address of the decoder, which says nothing to people.
  const complaint =
    end.messages.findLast((line) => !isHarmless(line))?.replace(/^\[(\w+)[^\]]* @ 0x[0-9a-f]+\]/, '$1:') ??
    end.failure
  if (frames > 0) {
    if (complaint !== null) options.onDamage?.(complaint)
    return
  }
  // No frame came. Probing tells best why; what it does not see, ffmpeg's own words do.
  const { hasVideo, hasAudio } = await probe(path, options.signal)
  if (!hasVideo) {
    throw new KineoError(
      'input',
      hasAudio ? 'The file holds sound but no video' : 'The file holds no video',
      {
        where: path,
      },
    )
  }
  if (complaint !== null) throw await unreadable(path, complaint)
  throw new KineoError('input', 'The video holds no frame', { where: path })
}

/**
 * ffmpeg complains of frames of equal or falling times, which cut and joined files have, but writes them to a pipe all the
 * same: nothing there has times.
 */
function isHarmless(line: string): boolean {
  return /^\[(?:image2pipe|framecrc) @ .* non monotonically increasing dts|^Last message repeated/.test(line)
}

function filters({ maxSide, fps }: DecodeOptions): string[] {
  const chain: string[] = []
  if (fps !== undefined) chain.push(`fps=${fps}`)
  if (maxSide !== undefined) {
    const scaled = (side: string): string => `'max(1,trunc(${side}*min(1,${maxSide}/max(iw,ih))+0.5))'`
    chain.push(`scale=w=${scaled('iw')}:h=${scaled('ih')}`)
  }
  return chain.length === 0 ? [] : ['-vf', chain.join(',')]
}
