import { KineoError } from '../core/errors.ts'
import type { JobRecord, NewJob, Project } from '../project/index.ts'
import { WorkerLock } from '../project/index.ts'
import type { StartWorker, WorkerEnd, WorkerProcess } from './worker-process.ts'
import { killWorker, lastWords, startWorkerProcess } from './worker-process.ts'

/** A worker that was asked to stop is killed after this many milliseconds. */
const cancelPatience = 10_000
/** How often a worker that another host started is looked after, in milliseconds. */
const lookInterval = 1_500

export interface JobQueueOptions {
  startWorker?: StartWorker
  /** Told after every change that this host makes to the jobs. */
  onChange: () => void
  cancelPatience?: number
}

/**
 * The host's side of a project's queue. The jobs stand in the project's database and a worker process works them off, so
 * nothing is lost when the host goes: another host finds the worker by its WorkerLock, or the jobs that it left behind.
 */
export class JobQueue {
  readonly #project: Project
  readonly #options: JobQueueOptions
  readonly #startWorker: StartWorker
  readonly #timers = new Set<NodeJS.Timeout>()
  #worker: WorkerProcess | null = null
  #closed = false

  constructor(project: Project, options: JobQueueOptions) {
    this.#project = project
    this.#options = options
    this.#startWorker = options.startWorker ?? startWorkerProcess
    this.#look()
    const timer = setInterval(() => this.#look(), lookInterval)
    timer.unref()
    this.#timers.add(timer)
  }

  /**
   * Adds jobs in order, each to start only when the one before is done, and makes sure that a worker runs.
   *
   * @returns Ids of the jobs.
   */
  add(chain: readonly NewJob[]): number[] {
    const ids = this.#project.transaction(() => {
      const added: number[] = []
      for (const job of chain) added.push(this.#project.jobs.add({ afterJobId: added.at(-1), ...job }))
      return added
    })
    this.#ensureWorker()
    this.#options.onChange()
    return ids
  }

  /**
   * Ends a waiting job; asks a running one to stop and kills its worker when it does not.
   *
   * @throws KineoError when there is no such job.
   */
  cancel(jobId: number): void {
    const job = this.#project.jobs.get(jobId)
    if (job === null) throw new KineoError('input', `There is no job ${jobId}`)
    this.#project.jobs.requestCancel(jobId)
    this.#options.onChange()
    if (job.status !== 'running') return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#killIfStillRunning(job)
    }, this.#options.cancelPatience ?? cancelPatience)
    timer.unref()
    this.#timers.add(timer)
  }

  /** Stops looking after the queue; a running worker goes on. */
  close(): void {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #killIfStillRunning(job: JobRecord): void {
    const now = this.#project.jobs.get(job.id)
    if (now?.status !== 'running' || now.workerPid === null) return
    // The lock is held, so the process that holds it is alive and its number is the one that it wrote down.
    const lock = WorkerLock.tryAcquire(this.#project.folder, 0)
    if (lock === null) killWorker(now.workerPid)
    else lock.release()
  }

  #ensureWorker(): void {
    if (this.#worker !== null || this.#closed) return
    const worker = this.#startWorker(this.#project.folder)
    this.#worker = worker
    worker.onExit((end) => {
      this.#worker = null
      if (!this.#closed) this.#afterWorker(end)
    })
  }

  /** A worker of ours has ended: in order, because there is nothing to do, or in the middle of a job. */
  #afterWorker(end: WorkerEnd): void {
    const crashed = end.code !== 0
    const ended = this.#endAbandoned('failed', this.#crashMessage(end))
    if (ended === null) return
    const waiting = this.#project.jobs.open()
    const first = waiting[0]
    if (first === undefined) {
      this.#options.onChange()
      return
    }
    // One that dies before it takes a job would do so again.
    if (crashed && ended === 0) this.#project.jobs.end(first.id, 'failed', this.#crashMessage(end))
    this.#options.onChange()
    if (this.#project.jobs.open().length > 0) this.#ensureWorker()
  }

  #crashMessage({ code, signal }: WorkerEnd): string {
    const how = signal === null ? `with code ${String(code)}` : `by ${signal}`
    const words = lastWords(this.#project.folder)
    const why =
      signal === 'SIGKILL'
        ? 'Often this means that the machine ran out of memory: close other programs, or choose a smaller batch or picture size'
        : words === null
          ? 'Start it again'
          : `Its last words: ${words}`
    return `The process of this job ended unexpectedly (${how}). ${why}`
  }

  /** Finds jobs whose worker has gone while no host was there, and starts one for jobs that wait. */
  #look(): void {
    if (this.#worker !== null) return
    const open = this.#project.jobs.open()
    if (open.length === 0) return
    const message = 'The process of this job is gone: the machine or Kineo was stopped meanwhile'
    const ended = this.#endAbandoned('interrupted', message)
    if (ended === null) return
    if (ended > 0) this.#options.onChange()
    if (this.#project.jobs.open().length > 0) this.#ensureWorker()
  }

  /** @returns Number of jobs ended, or null while a worker is alive. */
  #endAbandoned(status: 'interrupted' | 'failed', message: string): number | null {
    const lock = WorkerLock.tryAcquire(this.#project.folder, 0)
    if (lock === null) return null
    try {
      return this.#project.jobs.endAbandoned(status, message)
    } finally {
      lock.release()
    }
  }
}
