import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { ClipTable } from './clip-table.ts'
import type { Connection } from './database.ts'
import { databaseFile, openDatabase } from './database.ts'
import { JobTable } from './job-table.ts'
import type { ProjectKind, ProjectRecord } from './records.ts'
import { RunTable } from './run-table.ts'

export interface NewProject {
  name: string
  kind: ProjectKind
  /** Absolute. Kineo never writes to it, except that the sample's clips stand inside its project. */
  sourceFolder: string
  isSample: boolean
}

/**
 * One project folder: `project.sqlite`, `dataset/`, `runs/<n>/`, `cache/`. Several processes may have it open; each
 * sees what the others have committed.
 */
export class Project {
  readonly folder: string
  readonly clips: ClipTable
  readonly runs: RunTable
  readonly jobs: JobTable
  readonly #connection: Connection

  private constructor(folder: string, connection: Connection) {
    this.folder = folder
    this.#connection = connection
    this.clips = new ClipTable(connection, folder)
    this.runs = new RunTable(connection)
    this.jobs = new JobTable(connection)
  }

  /** True when the folder holds a project. */
  static existsIn(folder: string): boolean {
    return existsSync(join(folder, databaseFile))
  }

  /** @throws KineoError when there is no project, or it cannot be used. */
  static open(folder: string): Project {
    if (!Project.existsIn(folder)) {
      throw new KineoError('input', 'There is no Kineo project in this folder', { where: folder })
    }
    const connection = openDatabase(folder)
    const project = new Project(folder, connection)
    project.record()
    return project
  }

  /** Makes the folder and an empty project in it. */
  static create(folder: string, details: NewProject): Project {
    mkdirSync(folder, { recursive: true })
    const connection = openDatabase(folder)
    connection
      .prepare(
        `INSERT INTO project (id, key, name, kind, source_folder, is_sample, created_at) VALUES (1, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        randomBytes(6).toString('hex'),
        details.name,
        details.kind,
        storedSource(folder, details.sourceFolder),
        Number(details.isSample),
        new Date().toISOString(),
      )
    return new Project(folder, connection)
  }

  record(): ProjectRecord {
    const row = this.#connection
      .prepare<[], Omit<ProjectRecord, 'isSample'> & { isSample: number }>(
        `SELECT key, name, kind, source_folder AS sourceFolder, is_sample AS isSample, created_at AS createdAt
         FROM project`,
      )
      .get()
    if (row === undefined) throw new KineoError('input', 'The project file is empty', { where: this.folder })
    return { ...row, sourceFolder: resolve(this.folder, row.sourceFolder), isSample: row.isSample === 1 }
  }

  /** A number that changes when another process has written; cheap enough to ask several times a second. */
  dataVersion(): number {
    return Number(this.#connection.pragma('data_version', { simple: true }))
  }

  /** Several changes as one. */
  transaction<Result>(change: () => Result): Result {
    return this.#connection.transaction(change).immediate()
  }

  get datasetFolder(): string {
    return join(this.folder, 'dataset')
  }

  /** TAO's results_dir of a run; train/, evaluate/ and export/ stand in it. */
  runFolder(runId: number): string {
    return join(this.folder, 'runs', String(runId))
  }

  /** Thumbnails, proxies and logs; may be deleted at any time. */
  get cacheFolder(): string {
    return join(this.folder, 'cache')
  }

  close(): void {
    this.#connection.close()
  }
}

/** A source inside the project, as the sample's, is stored relative to it, so that the project moves. */
function storedSource(projectFolder: string, sourceFolder: string): string {
  const path = relative(projectFolder, sourceFolder)
  return path.startsWith('..') || isAbsolute(path) ? sourceFolder : path.replaceAll(sep, '/')
}
