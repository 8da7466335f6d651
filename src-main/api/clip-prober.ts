import { describeError, isCancelled, KineoError } from '../core/errors.ts'
import { probe } from '../media/index.ts'
import type { ClipRecord, ProbedClip, Project } from '../project/index.ts'
import type { ClipMedia } from './clip-media.ts'
import { Concurrency } from './concurrency.ts'

/** How often clients hear of newly probed clips, in milliseconds. */
const reportInterval = 400

/**
 * Reads size and length of every clip that is new, in the background, and stores why a clip cannot be used.
 *
 * @param onChange Called now and then while results come, and once at the end.
 */
export async function probeClips(
  project: Project,
  media: ClipMedia,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  const clips = project.clips.unprobed()
  const framesOnly = project.record().kind === 'tao-dataset'
  if (clips.length === 0) return
  let reported = performance.now()
  await new Concurrency(2).map(clips, async (clip) => {
    if (signal.aborted) return
    const probed = framesOnly ? await probeFrames(media, clip) : await probeVideo(media, clip, signal)
    if (probed === null || signal.aborted) return
    project.clips.setProbed(clip.id, probed)
    if (performance.now() - reported < reportInterval) return
    reported = performance.now()
    onChange()
  })
  if (!signal.aborted) onChange()
}

/** @returns null when it was stopped. */
async function probeVideo(
  media: ClipMedia,
  clip: ClipRecord,
  signal: AbortSignal,
): Promise<ProbedClip | null> {
  try {
    const info = await probe(media.videoPath(clip), signal)
    return {
      width: info.hasVideo ? info.width : null,
      height: info.hasVideo ? info.height : null,
      durationSeconds: info.durationSeconds,
      playable: info.playable,
      problem: info.hasVideo ? null : 'The file has sound but no picture',
    }
  } catch (error) {
    if (isCancelled(error)) return null
    return { ...unknown, problem: problemText(error) }
  }
}

const unknown = { width: null, height: null, durationSeconds: null, playable: null }

/** Clips of a TAO dataset have a size but no clock. */
async function probeFrames(media: ClipMedia, clip: ClipRecord): Promise<ProbedClip> {
  try {
    const { width, height } = await probe(await media.thumbnailFile(clip))
    return { ...unknown, width, height, problem: null }
  } catch (error) {
    return { ...unknown, problem: problemText(error) }
  }
}

/** What is wrong with a clip, for a place that shows the clip's name anyway. */
export function problemText(error: unknown): string {
  if (!(error instanceof KineoError)) return describeError(error)
  return error.remedy === undefined ? error.message : `${error.message}. ${error.remedy}`
}
