import { join } from 'node:path'
import { FileLock } from '../core/file-lock.ts'

/** Waiting time of a worker for the lock, so that somebody who only looks whether it is free does not turn it away. */
const acquireTimeout = 2_000

/** The right to run jobs of one project; see FileLock for what holds it. */
export class WorkerLock {
  readonly #lock: FileLock

  private constructor(lock: FileLock) {
    this.#lock = lock
  }

  /** @returns null while another process holds the lock. */
  static tryAcquire(projectFolder: string, timeout: number = acquireTimeout): WorkerLock | null {
    const lock = FileLock.tryAcquire(join(projectFolder, 'worker.lock'), timeout)
    return lock === null ? null : new WorkerLock(lock)
  }

  release(): void {
    this.#lock.release()
  }
}
