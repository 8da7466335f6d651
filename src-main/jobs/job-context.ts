import { KineoError } from '../core/errors.ts'
import type { ReportProgress } from '../core/progress.ts'
import type { LiveFigures } from '../core/work.ts'
import type { JobRecord, Project, RunRecord } from '../project/index.ts'
import type { Spec } from '../spec/index.ts'
import { recipeSpec, type RunPaths, specOf } from '../tasks/index.ts'

/** What a running job works with. */
export interface JobContext {
  project: Project
  job: JobRecord
  /** Aborted when the person cancels, and when the machine shuts down. */
  signal: AbortSignal
  onProgress: ReportProgress
  /** Figures of a training between two epochs. */
  onLive: (live: LiveFigures) => void
  /** A line for the log of the worker. */
  onLine: (line: string) => void
}

/** Does one kind of job. Returns what the person should know of the result, or null. */
export type JobRunner = (context: JobContext) => Promise<string | null>

/** The run that a job belongs to. */
export function runOf({ project, job }: JobContext): RunRecord {
  const run = job.runId === null ? null : project.runs.get(job.runId)
  if (run === null)
    throw new KineoError('input', `"${job.title}" belongs to a run that is not there any more`)
  return run
}

/** The experiment spec of a run; one from a version that did not store it gets what its settings mean now. */
export function specOfRun(run: RunRecord, paths: RunPaths): Spec {
  return specOf(run.experiment ?? recipeSpec(run.settings), paths, run.classNames)
}
