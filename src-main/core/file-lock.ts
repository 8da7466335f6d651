import Database from 'better-sqlite3'

/** Keeps held locks from the garbage collector, which would close and so release them. */
const held = new Set<Database.Database>()

/**
 * An exclusive lock on a file, held by the operating system for the process that took it: it is gone at the moment when
 * that process is, however it ended, on every platform, and a process number that was given out again cannot be mistaken
 * for the holder. Node has no call for it; SQLite locks its files so.
 */
export class FileLock {
  readonly #connection: Database.Database

  private constructor(connection: Database.Database) {
    this.#connection = connection
  }

  /**
   * @param path File of the lock and nothing else; made when it is missing, and left behind.
   * @param timeout Milliseconds to wait for a holder to go.
   * @returns null while somebody else, in this process or another, holds the lock.
   * @throws Error when the file cannot be made or the file system knows no locks.
   */
  static tryAcquire(path: string, timeout: number): FileLock | null {
    const connection = new Database(path, { timeout })
    try {
      connection.exec('BEGIN EXCLUSIVE')
      held.add(connection)
      return new FileLock(connection)
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
