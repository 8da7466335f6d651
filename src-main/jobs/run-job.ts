import { describeError, isCancelled, KineoError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import type { JobKind, LiveFigures } from '../core/work.ts'
import type { JobRecord, Project } from '../project/index.ts'
import { evaluateJob } from './evaluate-job.ts'
import { exportJob } from './export-job.ts'
import type { JobRunner } from './job-context.ts'
import { prepareJob } from './prepare-job.ts'
import { Throttle } from './throttle.ts'
import { trainJob } from './train-job.ts'

const runners: Record<JobKind, JobRunner> = {
  prepare: prepareJob,
  train: trainJob,
  evaluate: evaluateJob,
  export: exportJob,
}

/** How often progress is written down, and how often the database is asked for a cancel, in milliseconds. */
const writeInterval = 200
const cancelInterval = 250

/**
 * Runs one job to its end and writes down how it went. Never throws: a failure is the job's result.
 *
 * @param shutdown Aborted when the process is asked to go: the job counts as interrupted and can be taken up again.
 */
export async function runJob(
  project: Project,
  job: JobRecord,
  shutdown: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  const cancel = new AbortController()
  const cancelTimer = setInterval(() => {
    if (project.jobs.isCancelRequested(job.id)) cancel.abort()
  }, cancelInterval)
  const progress = new Throttle<Progress>(writeInterval, (value) => project.jobs.setProgress(job.id, value))
  const live = new Throttle<LiveFigures>(writeInterval, (value) => project.jobs.setLive(job.id, value))
  try {
    const message = await runners[job.kind]({
      project,
      job,
      signal: AbortSignal.any([cancel.signal, shutdown]),
      onProgress: (value) => progress.put(value),
      onLive: (value) => live.put(value),
      onLine,
    })
    progress.flush()
    project.jobs.end(job.id, 'done', message)
  } catch (error) {
    progress.flush()
    if (!isCancelled(error)) {
      if (!(error instanceof KineoError)) onLine(error instanceof Error ? (error.stack ?? '') : String(error))
      project.jobs.end(job.id, 'failed', describeError(error))
    } else if (cancel.signal.aborted) {
      // What a stopped training has learned can be looked at.
      const hasLearned =
        job.kind === 'train' && job.runId !== null && project.runs.epochs(job.runId).length > 0
      if (hasLearned) project.jobs.release(job.id)
      project.jobs.end(job.id, 'cancelled', null)
    } else {
      project.jobs.end(job.id, 'interrupted', 'The machine or Kineo was stopped meanwhile')
    }
  } finally {
    clearInterval(cancelTimer)
  }
}
