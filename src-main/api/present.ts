import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isPrepared } from '../project/index.ts'
import type { ClipRecord, JobRecord, Project, RunRecord } from '../project/index.ts'
import type { ClipMedia } from './clip-media.ts'
import type { Clip, Evaluation, Job, ProjectState, Run } from './contract/index.ts'

/** The records of a project as the contract shows them. */

/** File name of an exported model in `runs/<n>/export`. */
export const modelFile = 'model.onnx'

export function presentClip(clip: ClipRecord, media: ClipMedia): Clip {
  return {
    id: clip.id,
    name: clip.name,
    className: clip.className,
    split: clip.split,
    width: clip.width,
    height: clip.height,
    durationSeconds: clip.durationSeconds,
    frameCount: clip.frameCount,
    prepared: isPrepared(clip),
    problem: clip.problem,
    mediaUrl: media.videoUrl(clip),
    thumbnailUrl: media.thumbnailUrl(clip),
  }
}

export function presentState(project: Project, datasetBytes: number | null): ProjectState {
  const record = project.record()
  const clips = project.clips.all()
  const prepared = clips.filter(isPrepared)
  const count = (className: string, split: 'train' | 'val'): number =>
    clips.filter((clip) => clip.className === className && clip.split === split && clip.problem === null)
      .length
  return {
    name: record.name,
    folder: project.folder,
    sourceFolder: record.sourceFolder,
    kind: record.kind,
    classes: project.clips.classes().map(({ index, name }) => ({
      index,
      name,
      clips: clips.filter((clip) => clip.className === name).length,
      trainClips: count(name, 'train'),
      valClips: count(name, 'val'),
    })),
    clipCount: clips.length,
    brokenClipCount: clips.filter((clip) => clip.problem !== null).length,
    unreadClipCount: clips.filter((clip) => clip.problem === null && !clip.probed).length,
    preparedClipCount: prepared.length,
    hasFlow: prepared.some((clip) => clip.hasFlow),
    hasRgb: prepared.some((clip) => clip.hasRgb),
    datasetBytes,
  }
}

export function presentJob(job: JobRecord): Job {
  return {
    id: job.id,
    kind: job.kind,
    title: job.title,
    status: job.status,
    runId: job.runId,
    progress: job.progress,
    message: job.message,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    endedAt: job.endedAt,
  }
}

/** Whether a run that does nothing now has learned more than its stored evaluation knows of. */
export function canEvaluate(project: Project, runId: number): boolean {
  if (project.jobs.open().some((job) => job.runId === runId)) return false
  const learned = project.runs.epochs(runId).at(-1)?.epoch
  return learned !== undefined && learned !== project.runs.evaluatedEpochs(runId)
}

/** How a run stands, told by its newest training job. */
function runStatus(job: JobRecord | null): Run['status'] {
  switch (job?.status) {
    case undefined:
    case 'queued':
      return 'queued'
    case 'running':
      return 'training'
    case 'cancelled':
      return 'stopped'
    default:
      return job?.status ?? 'queued'
  }
}

export function presentRun(project: Project, run: RunRecord): Run {
  const job = project.jobs.latestOf(run.id, 'train')
  const model = join(project.runFolder(run.id), 'export', modelFile)
  return {
    id: run.id,
    name: runName(run.id),
    status: runStatus(job),
    settings: run.settings,
    classNames: run.classNames,
    valClipCount: run.valClipCount,
    points: project.runs.epochs(run.id),
    live: job?.status === 'running' ? job.live : null,
    folder: project.runFolder(run.id),
    message: job?.message ?? null,
    evaluated: project.runs.evaluatedEpochs(run.id) !== null,
    canEvaluate: canEvaluate(project, run.id),
    exportedFile: existsSync(model) ? model : null,
    createdAt: run.createdAt,
  }
}

export function runName(runId: number): string {
  return `Run ${runId}`
}

export function presentEvaluation(project: Project, media: ClipMedia, runId: number): Evaluation | null {
  const evaluation = project.runs.evaluation(runId)
  if (evaluation === null) return null
  return {
    runId,
    epochs: evaluation.epochs,
    accuracy: evaluation.accuracy,
    meanClassAccuracy: evaluation.meanClassAccuracy,
    classNames: evaluation.classNames,
    confusion: evaluation.confusion,
    videos: evaluation.predictions.map(({ clipId, name, label, prediction, scores }) => {
      const clip = clipId === null ? null : project.clips.get(clipId)
      return {
        clipId,
        name,
        label,
        prediction,
        scores,
        mediaUrl: clip === null ? null : media.videoUrl(clip),
        thumbnailUrl: clip === null ? null : media.thumbnailUrl(clip),
      }
    }),
  }
}
