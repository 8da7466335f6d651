import { isAbsolute, join, relative, sep } from 'node:path'
import { z } from 'zod'
import { KineoError } from '../core/errors.ts'
import type { ClipRecord } from '../project/index.ts'
import { prepareClips, type ClipOutcome } from '../tasks/preprocess.ts'
import type { JobRunner } from './job-context.ts'

/** Longest side of prepared images: networks look at 112 to 224 pixels, and larger images only fill the disk. */
const maxSide = 320
/** Files named in the result; more are counted. */
const namedFailures = 12

const prepareOptions = z.object({ flow: z.enum(['dis', 'none']) })

/**
 * Makes frames and optical flow of every clip, in the project's dataset folder and in the project's split. Clips that are
 * whole already stay. Each clip counts as prepared as soon as it is; one that cannot be read says why, and the rest goes on.
 *
 * @throws KineoError when not one clip could be prepared.
 */
export const prepareJob: JobRunner = async ({ project, job, signal, onProgress, onLine }) => {
  const { flow } = prepareOptions.parse(job.options)
  const { sourceFolder } = project.record()
  const clips = project.clips.all()
  const byPlace = new Map<string, ClipRecord>(clips.map((clip) => [placeOf(clip), clip]))
  const planned = [...byPlace].map(([place, clip]) => ({ source: join(sourceFolder, clip.path), place }))

  const onClip = (outcome: ClipOutcome): void => {
    const clip = byPlace.get(outcome.place)
    if (clip === undefined) return
    const { frames } = outcome
    if (outcome.reason !== null) project.clips.setProblem(clip.id, outcome.reason)
    else if (flow === 'dis' && frames < 2) {
      project.clips.setProblem(clip.id, 'The clip has a single frame, and so no motion')
    } else {
      project.clips.setPrepared(clip.id, {
        framesFolder: join(project.datasetFolder, outcome.place),
        frameCount: frames,
        hasRgb: true,
        hasFlow: flow === 'dis',
      })
    }
  }
  const options = {
    input: sourceFolder,
    output: project.datasetFolder,
    flow,
    preset: 'medium',
    maxSide,
  } as const
  const report = await prepareClips(planned, options, { signal, onProgress, onLine, onClip })

  const failed = report.clips.filter(({ reason }) => reason !== null)
  const message = failed.length === 0 ? null : describeFailures(failed, sourceFolder)
  if (failed.length === report.clips.length) {
    throw new KineoError('input', `None of the clips could be prepared. ${message ?? ''}`)
  }
  return message
}

/** Place of a clip in the dataset. */
function placeOf(clip: ClipRecord): string {
  return `${clip.split}/${clip.className}/${clip.name}`
}

function describeFailures(failed: readonly ClipOutcome[], sourceFolder: string): string {
  const named = failed
    .slice(0, namedFailures)
    .map(({ source, reason }) => `${shortPath(source, sourceFolder)} (${reason ?? ''})`)
  const more = failed.length > namedFailures ? `, and ${failed.length - namedFailures} more` : ''
  const count = failed.length === 1 ? '1 file was left out' : `${failed.length} files were left out`
  return `${count}: ${named.join(', ')}${more}`
}

function shortPath(path: string, folder: string): string {
  const way = relative(folder, path)
  return way.startsWith('..') || isAbsolute(way) ? path : way.replaceAll(sep, '/')
}
