import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { VideoSample } from '../../dataset/index.ts'
import type { JsonValue } from '../../engine/checkpoint/index.ts'

/** How the frames of videos were made, as `kineo preprocess` writes it down. */
export interface FrameSource {
  /** Frames per second, or null for every decoded frame. */
  fps: number | null
  /** Longest side in pixels, or null for the size of the video. */
  maxSide: number | null
  preset: 'fast' | 'medium'
}

const frameSource = z.object({
  fps: z.number().positive().nullable(),
  maxSide: z.number().positive().nullable(),
  preset: z.enum(['fast', 'medium']),
})

/** @param saved `extra.frames` of a checkpoint; without it, videos are taken as they are. */
export function frameSourceOf(saved: JsonValue | undefined): FrameSource {
  const parsed = frameSource.safeParse(saved)
  return parsed.success ? parsed.data : { fps: null, maxSide: null, preset: 'medium' }
}

/**
 * How the frames of a data set were made, by the `.kineo.json` of its first video, so that video files are later looked
 * at in the same way. Null for a data set that others prepared.
 */
export async function readFrameSource(samples: readonly VideoSample[]): Promise<FrameSource | null> {
  const [first] = samples
  if (first === undefined) return null
  try {
    const text = await readFile(join(first.path, '.kineo.json'), 'utf8')
    return z.object({ options: frameSource }).parse(JSON.parse(text)).options
  } catch {
    return null
  }
}
