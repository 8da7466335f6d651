import { KineoError } from '../core/errors.ts'
import { isReadyFor } from '../project/index.ts'
import type { JobRecord, NewJob, Project, RunRecord } from '../project/index.ts'
import type { SpecChanges, TrainSettings } from './contract/index.ts'
import { plannedRun } from './plan-run.ts'
import { canEvaluate, runName } from './present.ts'
import { plural } from './source-folder.ts'

/** Which jobs a click becomes, in order; each starts when the one before is done. */

/** @throws KineoError when every clip is prepared already, or the project has frames only. */
export function prepareChain(project: Project, flow: 'dis' | 'none'): NewJob[] {
  refuseWhileOpen(project, 'prepare', 'The clips are being prepared already')
  const record = project.record()
  const missing = project.clips
    .all()
    .filter((clip) => !isReadyFor(clip, 'rgb') || (flow === 'dis' && !isReadyFor(clip, 'of')))
  if (missing.length === 0) throw new KineoError('usage', 'All clips are prepared already')
  if (record.kind === 'tao-dataset') {
    throw new KineoError('input', 'This dataset has no videos from which frames could be made', {
      where: record.sourceFolder,
      remedy: 'Open the folder of the original videos instead',
    })
  }
  return [prepareJob(project, missing.length, flow)]
}

/** Flow that is there for some clips is made for all: a dataset is of one kind. */
function prepareJob(project: Project, clipCount: number, flow: 'dis' | 'none'): NewJob {
  const hasFlow = project.clips.all().some((clip) => clip.hasFlow)
  const options = { flow: hasFlow ? 'dis' : flow }
  return { kind: 'prepare', title: `Prepare ${plural(clipCount, 'clip')}`, options }
}

/**
 * Adds a run and the jobs that lead to its result: prepare where clips lack what it needs, train, evaluate.
 *
 * @param changes What differs from the recipe.
 * @throws KineoError when there is nothing to train with, or the changes are wrong.
 */
export function startRun(project: Project, changes: SpecChanges): { runId: number; chain: NewJob[] } {
  const { settings, experiment } = plannedRun(project, changes)
  const usable = project.clips.all().filter((clip) => clip.problem === null)
  const before = preparation(project, settings.modelType)
  const runId = project.runs.add({
    settings,
    experiment,
    classNames: project.clips.classes().map(({ name }) => name),
    valClipCount: usable.filter((clip) => clip.split === 'val').length,
  })
  return { runId, chain: [...before, ...trainAndEvaluate(runId)] }
}

/** @throws KineoError when the run is not there, goes on, or is done. */
export function resumeChain(project: Project, runId: number): NewJob[] {
  const run = requiredRun(project, runId)
  const status = project.jobs.latestOf(runId, 'train')?.status
  if (status === 'queued' || status === 'running') {
    throw new KineoError('usage', `${runName(runId)} is under way already`)
  }
  if (status === 'done' && !canEvaluate(project, runId)) {
    throw new KineoError('usage', `${runName(runId)} is finished already`)
  }
  return [...preparation(project, run.settings.modelType), ...trainAndEvaluate(runId)]
}

/** @throws KineoError when there is nothing that is not checked yet. */
export function evaluateChain(project: Project, runId: number): NewJob[] {
  requiredRun(project, runId)
  if (!canEvaluate(project, runId)) {
    throw new KineoError('usage', `${runName(runId)} has nothing to check now`)
  }
  return [evaluateJob(runId)]
}

/** @throws KineoError when the run has learned nothing yet. */
export function exportChain(project: Project, runId: number): NewJob[] {
  requiredRun(project, runId)
  if (project.runs.epochs(runId).length === 0) {
    throw new KineoError('input', `${runName(runId)} has nothing to export yet`, {
      remedy: 'Let it train for at least one epoch',
    })
  }
  return [{ kind: 'export', title: `Export ${runName(runId)}`, runId }]
}

function requiredRun(project: Project, runId: number): RunRecord {
  const run = project.runs.get(runId)
  if (run === null) throw new KineoError('input', `There is no run ${runId}`)
  return run
}

function refuseWhileOpen(project: Project, kind: NewJob['kind'], what: string): void {
  if (project.jobs.open().some((job) => job.kind === kind)) throw new KineoError('usage', what)
}

/** The job that makes what the network looks at, where clips lack it. */
function preparation(project: Project, modelType: TrainSettings['modelType']): NewJob[] {
  const usable = project.clips.all().filter((clip) => clip.problem === null)
  const missing = usable.filter((clip) => !isReadyFor(clip, modelType))
  const underWay = project.jobs.open().some((job) => job.kind === 'prepare' && makes(job, modelType))
  if (missing.length === 0 || underWay || project.record().kind === 'tao-dataset') return []
  return [prepareJob(project, missing.length, modelType === 'rgb' ? 'none' : 'dis')]
}

/** Whether a job to prepare makes what a network of this type looks at. */
function makes({ options }: JobRecord, modelType: TrainSettings['modelType']): boolean {
  const flow = typeof options === 'object' && options !== null && 'flow' in options ? options.flow : null
  return modelType === 'rgb' || flow === 'dis'
}

function trainAndEvaluate(runId: number): NewJob[] {
  return [{ kind: 'train', title: `Train ${runName(runId)}`, runId }, evaluateJob(runId)]
}

function evaluateJob(runId: number): NewJob {
  return { kind: 'evaluate', title: `Check ${runName(runId)}`, runId }
}
