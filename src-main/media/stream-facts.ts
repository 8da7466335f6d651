import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { mediaTools } from './media-tools.ts'

/** What cutting wants to know of a file; null is what the file does not say. */
export interface StreamFacts {
  /** When the file begins by its own clock. */
  startSeconds: number | null
  pixelFormat: string | null
  colorSpace: string | null
  colorPrimaries: string | null
  colorTransfer: string | null
}

const run = promisify(execFile)
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? null)
const report = z.object({
  format: z.object({ start_time: text }).default({ start_time: null }),
  streams: z
    .array(z.object({ pix_fmt: text, color_space: text, color_primaries: text, color_transfer: text }))
    .default([]),
})
const entries = 'format=start_time:stream=pix_fmt,color_space,color_primaries,color_transfer'

/**
 * Asks ffprobe. The ffprobe that npm carries dies of MPEG transport streams, which ffmpeg beside it decodes: where there is
 * no answer, nothing is known.
 */
export async function streamFacts(path: string): Promise<StreamFacts> {
  const { ffprobe } = await mediaTools()
  const words = ['-v', 'error', '-protocol_whitelist', 'file,pipe', '-print_format', 'json']
  const asked = [...words, '-select_streams', 'V:0', '-show_entries', entries, resolve(path)]
  const answer = await run(ffprobe, asked, { timeout: 60_000, windowsHide: true }).catch(() => null)
  const { format, streams } = report.parse(answer === null ? {} : JSON.parse(answer.stdout))
  const start = format.start_time === null ? Number.NaN : Number(format.start_time)
  const [video] = streams
  return {
    startSeconds: Number.isFinite(start) ? start : null,
    pixelFormat: video?.pix_fmt ?? null,
    colorSpace: video?.color_space ?? null,
    colorPrimaries: video?.color_primaries ?? null,
    colorTransfer: video?.color_transfer ?? null,
  }
}
