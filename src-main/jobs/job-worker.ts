import { describeError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import { Project, WorkerLock } from '../project/index.ts'
import { renderSample } from '../tasks/render-sample.ts'
import { runJob } from './run-job.ts'
import { progressLine, sampleOption } from './sample-process.ts'

/**
 * Entry of the process that works off a project's queue: `job-worker <project folder>`. It needs no host: what it does and
 * how far it is stands in the project's database, and it ends when nothing waits. Another one that works on the same
 * project holds the lock; then there is nothing to do here.
 */
async function work(projectFolder: string): Promise<void> {
  const lock = WorkerLock.tryAcquire(projectFolder)
  if (lock === null) return
  const project = Project.open(projectFolder)
  const shutdown = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => shutdown.abort())
  // The terminal in which the host was started may close; the job goes on.
  process.on('SIGHUP', () => {})
  const onLine = (line: string): void => console.log(line)
  try {
    project.jobs.endAbandoned('interrupted', 'The process of this job is gone: it was stopped from outside')
    while (!shutdown.signal.aborted) {
      const job = project.jobs.takeNext(process.pid)
      if (job === null) break
      onLine(`${new Date().toISOString()} ${job.title}`)
      await runJob(project, job, shutdown.signal, onLine)
    }
  } finally {
    project.close()
    lock.release()
  }
}

const [first, second] = process.argv.slice(2)
if (first === undefined) {
  console.error(`usage: job-worker <project folder>, or job-worker ${sampleOption} <folder>`)
  process.exit(2)
}
const onProgress = (progress: Progress): void => console.log(progressLine(progress))
const done =
  first === sampleOption && second !== undefined ? renderSample(second, { onProgress }) : work(first)
done.then(
  // Native libraries may hold threads; the work is done.
  () => process.exit(0),
  (error: unknown) => {
    console.error(describeError(error))
    process.exit(1)
  },
)
