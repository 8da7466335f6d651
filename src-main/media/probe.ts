import { execFile } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { CancelledError, KineoError } from '../core/errors.ts'
import { mediaTools } from './media-tools.ts'

/** What one media file holds. Of several video streams the first that is no cover picture counts. */
export interface MediaInfo {
  hasVideo: boolean
  hasAudio: boolean
  /** Size as shown, so after the rotation that the file asks for; 0 without video. */
  width: number
  height: number
  durationSeconds: number | null
  /** Frames that the container announces; the truth is known only after decoding. */
  frameCount: number | null
  /** Average frames per second. */
  frameRate: number | null
  /** ffmpeg's name of the codec, such as `h264`, or null without video. */
  codec: string | null
  pixelFormat: string | null
  /** Whether Chromium plays the file as it is; otherwise it needs a proxy. */
  playable: boolean
}

const run = promisify(execFile)
/** What execFile adds to the error when a program fails. */
const failure = z.object({ killed: z.boolean().default(false), stderr: z.string().default('') })

const number = z.union([z.number(), z.string()]).transform((value) => Number(value))
const stream = z.object({
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  pix_fmt: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  r_frame_rate: z.string().optional(),
  duration: number.optional(),
  nb_frames: number.optional(),
  disposition: z.object({ attached_pic: z.number().optional() }).optional(),
  tags: z.object({ rotate: number.optional() }).optional(),
  side_data_list: z.array(z.object({ rotation: number.optional() })).optional(),
})
const report = z.object({
  streams: z.array(stream).default([]),
  format: z.object({ format_name: z.string().optional(), duration: number.optional() }).default({}),
})
type Stream = z.infer<typeof stream>

const playableCodecs = new Map([
  ['mp4', new Set(['h264', 'vp9', 'av1'])],
  ['webm', new Set(['vp8', 'vp9', 'av1'])],
])

/**
 * Reads what a media file holds.
 *
 * @throws KineoError `input` when the file is missing, empty, or nothing that ffprobe understands; `machine` without
 *   ffprobe; CancelledError.
 */
export async function probe(path: string, signal?: AbortSignal): Promise<MediaInfo> {
  await requireContent(path)
  const { streams, format } = parseReport(await runFfprobe(path, signal), path)
  const video = streams.find((s) => s.codec_type === 'video' && s.disposition?.attached_pic !== 1)
  const hasAudio = streams.some((s) => s.codec_type === 'audio')
  const durationSeconds = positive(video?.duration) ?? positive(format.duration)
  if (!video) {
    return {
      ...{
        hasVideo: false,
        hasAudio,
        width: 0,
        height: 0,
        durationSeconds,
        frameCount: null,
        frameRate: null,
      },
      ...{ codec: null, pixelFormat: null, playable: false },
    }
  }
  const [width, height] = shownSize(video)
  return {
    hasVideo: true,
    hasAudio,
    width,
    height,
    durationSeconds,
    frameCount: positive(video.nb_frames),
    frameRate: rate(video.avg_frame_rate) ?? rate(video.r_frame_rate),
    codec: video.codec_name ?? null,
    pixelFormat: video.pix_fmt ?? null,
    playable: isPlayable(video, format.format_name ?? '', path),
  }
}

/** @throws KineoError `input` when `path` is no file or has no bytes. */
async function requireContent(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new KineoError('input', 'Cannot open the file', {
      where: path,
      remedy: 'Is it still there?',
      cause,
    })
  })
  if (!found.isFile()) throw new KineoError('input', 'Not a file', { where: path })
  if (found.size === 0) throw new KineoError('input', 'The file is empty', { where: path })
}

async function runFfprobe(path: string, signal: AbortSignal | undefined): Promise<string> {
  const { ffprobe } = await mediaTools()
  const words = ['-v', 'error', '-protocol_whitelist', 'file,pipe', '-print_format', 'json']
  const options = { timeout: 60_000, maxBuffer: 16 << 20, windowsHide: true, ...(signal ? { signal } : {}) }
  // An absolute path can be taken neither for an option nor for a protocol.
  const asked = run(ffprobe, [...words, '-show_streams', '-show_format', resolve(path)], options)
  const failed = async (error: unknown): Promise<never> => {
    if (signal?.aborted) throw new CancelledError()
    const { killed, stderr } = failure.parse(error)
    throw await unreadable(path, killed ? 'ffprobe did not finish within a minute' : stderr)
  }
  return (await asked.catch(failed)).stdout
}

/** Turns ffmpeg's complaint about a file that it cannot open into words for people. */
export async function unreadable(path: string, complaint: string): Promise<KineoError> {
  const details = { where: path, cause: new Error(complaint.trim()) }
  // ffmpeg misses the index also in a text file that is called .mp4.
  if (/moov atom not found/.test(complaint) && (await startsLikeMp4(path))) {
    return new KineoError('input', 'The video is cut off or damaged: its index is missing', {
      ...details,
      remedy: 'Copy it again from where it came from',
    })
  }
  const last =
    complaint
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(`${resolve(path)}: `, '') ?? ''
  return new KineoError(
    'input',
    `Not a video that ffmpeg can read (${last === '' ? 'no reason given' : last})`,
    details,
  )
}

async function startsLikeMp4(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0)
    return ['ftyp', 'mdat', 'wide', 'free', 'skip'].includes(buffer.toString('latin1', 4))
  } finally {
    await file.close()
  }
}

function parseReport(output: string, path: string): z.infer<typeof report> {
  try {
    return report.parse(JSON.parse(output))
  } catch (cause) {
    throw new KineoError('input', 'ffprobe gave an answer that Kineo does not understand', {
      where: path,
      cause,
    })
  }
}

/** Width and height after rotation; older ffprobe tells the angle as a tag, newer ones as side data. */
function shownSize(video: Stream): [width: number, height: number] {
  const width = video.width ?? 0
  const height = video.height ?? 0
  const angle =
    video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? video.tags?.rotate ?? 0
  return Math.abs(Math.round(angle / 90)) % 2 === 1 ? [height, width] : [width, height]
}

/** Measured with Chromium 156: these codecs play, in 8 bit 4:2:0, from MP4 (and MOV) and WebM. */
function isPlayable(video: Stream, formatName: string, path: string): boolean {
  const extension = extname(path).toLowerCase()
  const isWebm = formatName.includes('webm') && extension === '.webm'
  const isMp4 = formatName.split(',').includes('mp4') && ['.mp4', '.m4v', '.mov'].includes(extension)
  const container = isWebm ? 'webm' : isMp4 ? 'mp4' : undefined
  if (container === undefined || !['yuv420p', 'yuvj420p'].includes(video.pix_fmt ?? '')) return false
  return playableCodecs.get(container)?.has(video.codec_name ?? '') ?? false
}

/** `30000/1001` as a number; `0/0` is ffprobe's way to say that it does not know. */
function rate(fraction: string | undefined): number | null {
  const [numerator, denominator] = (fraction ?? '').split('/').map(Number)
  return positive((numerator ?? 0) / (denominator ?? 1))
}

function positive(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : null
}
