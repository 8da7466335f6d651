import { join } from 'node:path'
import Database from 'better-sqlite3'

/** Waiting time of a worker for the lock, so that somebody who only looks whether it is free does not turn it away. */
const acquireTimeout = 2_000

/** Keeps held locks from the garbage collector, which would close and so release them. */
const held = new Set<Database.Database>()

/**
 * The right to run jobs of one project. It is an exclusive lock on a file, held by the operating system for the
 * process that took it: it is gone at the moment when that process is, however it ended, on every platform, and a
 * process number that was given out again cannot be mistaken for the worker.
 */
export class WorkerLock {
  readonly #connection: Database.Database

  private constructor(connection: Database.Database) {
    this.#connection = connection
  }

  /** @returns null while another process holds the lock. */
  static tryAcquire(projectFolder: string, timeout: number = acquireTimeout): WorkerLock | null {
    const connection = new Database(join(projectFolder, 'worker.lock'), { timeout })
    try {
      connection.exec('BEGIN EXCLUSIVE')
      held.add(connection)
      return new WorkerLock(connection)
    } catch (error) {
      connection.close()
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return null
      throw error
    }
  }

  release(): void {
    held.delete(this.#connection)
    this.#connection.close()
  }
}
