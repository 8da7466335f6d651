import type { Progress } from '../core/progress.ts'
import { liveFigures, progress as progressShape } from '../core/work.ts'
import type { JobKind, JobStatus, LiveFigures } from '../core/work.ts'
import type { Connection } from './database.ts'
import type { JobRecord } from './records.ts'

export interface NewJob {
  kind: JobKind
  title: string
  runId?: number | undefined
  /** Start only when that job is done. */
  afterJobId?: number | undefined
  options?: unknown
}

interface JobRow {
  id: number
  kind: JobKind
  title: string
  status: JobStatus
  run_id: number | null
  after_job_id: number | null
  options: string
  progress: string | null
  live: string | null
  message: string | null
  cancel_requested: number
  worker_pid: number | null
  created_at: string
  started_at: string | null
  ended_at: string | null
}

/** The durable queue: rows are taken in order, one at a time, by whoever holds the WorkerLock. */
export class JobTable {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** @returns Id of the new job. */
  add(job: NewJob): number {
    const result = this.#connection
      .prepare(
        `INSERT INTO jobs (kind, title, status, run_id, after_job_id, options, created_at)
         VALUES (?, ?, 'queued', ?, ?, ?, ?)`,
      )
      .run(
        job.kind,
        job.title,
        job.runId ?? null,
        job.afterJobId ?? null,
        JSON.stringify(job.options ?? {}),
        new Date().toISOString(),
      )
    return Number(result.lastInsertRowid)
  }

  /** Oldest first. */
  all(): JobRecord[] {
    return this.#connection.prepare<[], JobRow>('SELECT * FROM jobs ORDER BY id').all().map(jobRecord)
  }

  get(id: number): JobRecord | null {
    const row = this.#connection.prepare<[number], JobRow>('SELECT * FROM jobs WHERE id = ?').get(id)
    return row === undefined ? null : jobRecord(row)
  }

  /** Jobs that wait or run. */
  open(): JobRecord[] {
    return this.#connection
      .prepare<[], JobRow>("SELECT * FROM jobs WHERE status IN ('queued', 'running') ORDER BY id")
      .all()
      .map(jobRecord)
  }

  /** The newest job of a kind for a run. */
  latestOf(runId: number, kind: JobKind): JobRecord | null {
    const row = this.#connection
      .prepare<[number, JobKind], JobRow>(
        'SELECT * FROM jobs WHERE run_id = ? AND kind = ? ORDER BY id DESC LIMIT 1',
      )
      .get(runId, kind)
    return row === undefined ? null : jobRecord(row)
  }

  /**
   * Takes the oldest waiting job, marks it running and returns it; null when none waits. A job whose predecessor did
   * not get done is ended on the way.
   */
  takeNext(workerPid: number): JobRecord | null {
    return this.#connection
      .transaction(() => {
        for (;;) {
          const row = this.#connection
            .prepare<[], JobRow>("SELECT * FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1")
            .get()
          if (row === undefined) return null
          const before = row.after_job_id === null ? null : this.get(row.after_job_id)
          if (before !== null && before.status !== 'done') {
            this.#end(row.id, 'cancelled', `Not started, because "${before.title}" was not finished`)
            continue
          }
          this.#connection
            .prepare("UPDATE jobs SET status = 'running', started_at = ?, worker_pid = ? WHERE id = ?")
            .run(new Date().toISOString(), workerPid, row.id)
          return this.get(row.id)
        }
      })
      .immediate()
  }

  setProgress(id: number, progress: Progress): void {
    this.#connection.prepare('UPDATE jobs SET progress = ? WHERE id = ?').run(JSON.stringify(progress), id)
  }

  setLive(id: number, live: LiveFigures): void {
    this.#connection.prepare('UPDATE jobs SET live = ? WHERE id = ?').run(JSON.stringify(live), id)
  }

  /** Ends a running job. Its live figures go; its progress stays as the record of how far it came. */
  end(id: number, status: Exclude<JobStatus, 'queued' | 'running'>, message: string | null): void {
    this.#end(id, status, message)
  }

  #end(id: number, status: JobStatus, message: string | null): void {
    this.#connection
      .prepare(
        `UPDATE jobs SET status = ?, message = ?, live = NULL, ended_at = ?
         WHERE id = ? AND status IN ('queued', 'running')`,
      )
      .run(status, message, new Date().toISOString(), id)
  }

  /** Lets jobs that wait for this one start though it does not get done. */
  release(id: number): void {
    this.#connection
      .prepare("UPDATE jobs SET after_job_id = NULL WHERE after_job_id = ? AND status = 'queued'")
      .run(id)
  }

  /** Ends a waiting job at once; asks the worker of a running one to stop. */
  requestCancel(id: number): void {
    this.#connection
      .transaction(() => {
        this.#connection.prepare('UPDATE jobs SET cancel_requested = 1 WHERE id = ?').run(id)
        if (this.get(id)?.status === 'queued') this.#end(id, 'cancelled', null)
      })
      .immediate()
  }

  isCancelRequested(id: number): boolean {
    return this.get(id)?.cancelRequested ?? false
  }

  /**
   * Ends jobs marked as running whose worker is gone. Call it only while holding the WorkerLock: then nobody else
   * can be running one.
   *
   * @returns Number of such jobs.
   */
  endAbandoned(status: 'interrupted' | 'failed', message: string): number {
    return this.#connection
      .transaction(() => {
        const abandoned = this.open().filter((job) => job.status === 'running')
        for (const job of abandoned) {
          if (job.cancelRequested) this.#end(job.id, 'cancelled', null)
          else this.#end(job.id, status, message)
        }
        return abandoned.length
      })
      .immediate()
  }
}

function jobRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    title: row.title,
    status: row.status,
    runId: row.run_id,
    afterJobId: row.after_job_id,
    options: JSON.parse(row.options) as unknown,
    progress: row.progress === null ? null : progressShape.parse(JSON.parse(row.progress)),
    live: row.live === null ? null : liveFigures.parse(JSON.parse(row.live)),
    message: row.message,
    cancelRequested: row.cancel_requested === 1,
    workerPid: row.worker_pid,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}
