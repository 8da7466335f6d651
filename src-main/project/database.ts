import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { KineoError } from '../core/errors.ts'
import { migrations as allMigrations } from './migrations/index.ts'

export type Connection = Database.Database

/** The file that makes a folder a Kineo project. */
export const databaseFile = 'project.sqlite'

/** Waiting time for another process's write, in milliseconds. */
const busyTimeout = 10_000

/**
 * Opens or creates a project's database: WAL (the host reads while a worker writes), foreign keys, and every missing
 * migration, each in its own transaction after a backup into `backup/`.
 *
 * @param migrations The list to bring the file up to; only tests give another one than the real.
 * @throws KineoError when the file is no database, comes from a newer Kineo, or cannot be written.
 */
export function openDatabase(
  projectFolder: string,
  migrations: readonly string[] = allMigrations,
): Connection {
  const path = join(projectFolder, databaseFile)
  let connection: Connection | undefined
  try {
    connection = new Database(path, { timeout: busyTimeout })
    connection.pragma('journal_mode = WAL')
    connection.pragma('synchronous = NORMAL')
    connection.pragma('foreign_keys = ON')
    migrate(connection, projectFolder, migrations)
    return connection
  } catch (error) {
    connection?.close()
    if (error instanceof Database.SqliteError) throw describeSqliteError(error, path)
    throw error
  }
}

/** Reads one value of a project without changing the file, for the list of known projects. Null when it cannot. */
export function peek<Row>(projectFolder: string, sql: string): Row | null {
  let connection: Connection | undefined
  try {
    connection = new Database(join(projectFolder, databaseFile), { readonly: true, fileMustExist: true })
    return connection.prepare<[], Row>(sql).get() ?? null
  } catch {
    return null
  } finally {
    connection?.close()
  }
}

function versionOf(connection: Connection): number {
  return Number(connection.pragma('user_version', { simple: true }))
}

function migrate(connection: Connection, projectFolder: string, migrations: readonly string[]): void {
  if (versionOf(connection) > migrations.length) {
    throw new KineoError('input', 'This project was made by a newer Kineo', {
      where: projectFolder,
      remedy: 'Open it with that version',
    })
  }
  while (versionOf(connection) < migrations.length) {
    const from = versionOf(connection)
    if (from > 0) backUp(connection, projectFolder, from)
    // Another process may migrate at the same time: the version is read again once the write lock is held.
    connection
      .transaction(() => {
        const sql = migrations[from]
        if (versionOf(connection) !== from || sql === undefined) return
        connection.exec(sql)
        connection.pragma(`user_version = ${from + 1}`)
      })
      .immediate()
  }
}

/** Copies the database as it is now to `backup/project-v<version>-<time>.sqlite`. */
function backUp(connection: Connection, projectFolder: string, version: number): void {
  const folder = join(projectFolder, 'backup')
  mkdirSync(folder, { recursive: true })
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-')
  connection.prepare('VACUUM INTO ?').run(join(folder, `project-v${version}-${time}-${process.pid}.sqlite`))
}

function describeSqliteError(error: InstanceType<typeof Database.SqliteError>, path: string): KineoError {
  const details = { where: path, cause: error }
  if (error.code.startsWith('SQLITE_NOTADB') || error.code.startsWith('SQLITE_CORRUPT')) {
    return new KineoError('input', 'The project file is damaged', {
      ...details,
      remedy: 'Put a copy from the backup folder beside it in its place',
    })
  }
  if (error.code.startsWith('SQLITE_FULL')) {
    return new KineoError('output', 'The disk is full', { ...details, remedy: 'Make room and try again' })
  }
  if (error.code.startsWith('SQLITE_READONLY') || error.code.startsWith('SQLITE_CANTOPEN')) {
    return new KineoError('output', 'The project file cannot be written', {
      ...details,
      remedy: 'Check the permissions of the folder, or set KINEO_HOME to another one',
    })
  }
  return new KineoError('input', `The project file cannot be used (${error.message})`, details)
}
