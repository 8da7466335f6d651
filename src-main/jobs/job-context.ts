import type { ReportProgress } from '../core/progress.ts'
import type { JobRecord, LiveRecord, Project, RunRecord } from '../project/index.ts'
import { KineoError } from '../core/errors.ts'

/** What a running job works with. */
export interface JobContext {
  project: Project
  job: JobRecord
  /** Aborted when the person cancels, and when the machine shuts down. */
  signal: AbortSignal
  onProgress: ReportProgress
  /** Figures of a training between two epochs. */
  onLive: (live: LiveRecord) => void
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
