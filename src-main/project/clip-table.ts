import { isAbsolute, join, relative, sep } from 'node:path'
import type { Connection } from './database.ts'
import type { ClassRecord, ClipRecord, Split } from './records.ts'

/** A clip as the source folder shows it. */
export interface FoundClip {
  /** Relative to the source folder, with `/`. */
  path: string
  name: string
  className: string
  split: Split
  fileBytes: number
  modifiedMs: number
  /** A clip that is prepared already, as in a TAO dataset. */
  frames?: { folder: string; frameCount: number; hasRgb: boolean; hasFlow: boolean } | undefined
  problem?: string | undefined
}

export interface ProbedClip {
  width: number | null
  height: number | null
  durationSeconds: number | null
  playable: boolean | null
  problem: string | null
}

export interface PreparedClip {
  /** Absolute. */
  framesFolder: string
  frameCount: number
  hasRgb: boolean
  hasFlow: boolean
}

interface ClipRow {
  id: number
  path: string
  name: string
  class_name: string
  split: Split
  file_bytes: number
  modified_ms: number
  probed: number
  width: number | null
  height: number | null
  duration_seconds: number | null
  playable: number | null
  frame_count: number | null
  frames_folder: string | null
  has_rgb: number
  has_flow: number
  problem: string | null
}

const selectClips = `
  SELECT clips.*, classes.name AS class_name FROM clips JOIN classes ON classes.id = clips.class_id`

/** Classes and clips of one project. Every change raises the project's revision, which other processes watch. */
export class ClipTable {
  readonly #connection: Connection
  readonly #projectFolder: string

  constructor(connection: Connection, projectFolder: string) {
    this.#connection = connection
    this.#projectFolder = projectFolder
  }

  /** Rises with every change of classes or clips. */
  revision(): number {
    const row = this.#connection.prepare<[], { revision: number }>('SELECT revision FROM project').get()
    return row?.revision ?? 0
  }

  /** In the order of the label map. */
  classes(): ClassRecord[] {
    return this.#connection
      .prepare<[], ClassRecord>('SELECT id AS "index", name FROM classes ORDER BY id')
      .all()
  }

  /** By class, then by path. */
  all(): ClipRecord[] {
    return this.#connection
      .prepare<[], ClipRow>(`${selectClips} ORDER BY clips.class_id, clips.path`)
      .all()
      .map((row) => this.#record(row))
  }

  get(id: number): ClipRecord | null {
    const row = this.#connection.prepare<[number], ClipRow>(`${selectClips} WHERE clips.id = ?`).get(id)
    return row === undefined ? null : this.#record(row)
  }

  unprobed(): ClipRecord[] {
    return this.#connection
      .prepare<[], ClipRow>(`${selectClips} WHERE clips.probed = 0 ORDER BY clips.id`)
      .all()
      .map((row) => this.#record(row))
  }

  /**
   * Brings the tables in line with what the source folder holds now. Known clips keep their id; a changed file is to
   * be probed and prepared again; a file that is gone goes, except from the results of runs, which keep its name. The label
   * map is the sorted class names; it changes only when classes come or go.
   *
   * @returns true when anything changed.
   */
  synchronise(classNames: readonly string[], found: readonly FoundClip[]): boolean {
    return this.#connection
      .transaction(() => {
        const known = new Map(this.all().map((clip) => [clip.path, clip]))
        const current = this.classes().map(({ name }) => name)
        const sameClasses =
          current.length === classNames.length && current.every((name, i) => name === classNames[i])
        let changed = !sameClasses
        const paths = new Set(found.map((clip) => clip.path))
        const remove = this.#connection.prepare('DELETE FROM clips WHERE id = ?')
        for (const clip of known.values()) {
          if (paths.has(clip.path)) continue
          remove.run(clip.id)
          changed = true
        }
        if (!sameClasses) this.#replaceClasses(classNames)
        for (const clip of found) if (this.#put(clip, known.get(clip.path), !sameClasses)) changed = true
        if (changed) this.#raiseRevision()
        return changed
      })
      .immediate()
  }

  /** Keeps class ids dense and in order; clips are re-tied to them by `#put` in the same transaction. */
  #replaceClasses(classNames: readonly string[]): void {
    this.#connection.pragma('defer_foreign_keys = ON')
    this.#connection.prepare('DELETE FROM classes').run()
    const insert = this.#connection.prepare('INSERT INTO classes (id, name) VALUES (?, ?)')
    classNames.forEach((name, index) => insert.run(index, name))
  }

  /** @returns true when a row was added or changed. */
  #put(clip: FoundClip, known: ClipRecord | undefined, classesMoved: boolean): boolean {
    const isSame =
      known !== undefined &&
      known.fileBytes === clip.fileBytes &&
      known.modifiedMs === clip.modifiedMs &&
      known.split === clip.split &&
      known.className === clip.className &&
      (clip.frames === undefined || known.framesFolder === clip.frames.folder)
    if (isSame) {
      if (classesMoved) {
        this.#connection
          .prepare('UPDATE clips SET class_id = (SELECT id FROM classes WHERE name = ?) WHERE id = ?')
          .run(clip.className, known.id)
      }
      return false
    }
    const frames = clip.frames
    this.#connection
      .prepare(
        `INSERT INTO clips (path, name, class_id, split, file_bytes, modified_ms, probed, frame_count, frames_folder,
           has_rgb, has_flow, problem)
         VALUES (?, ?, (SELECT id FROM classes WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (path) DO UPDATE SET name = excluded.name, class_id = excluded.class_id, split = excluded.split,
           file_bytes = excluded.file_bytes, modified_ms = excluded.modified_ms, probed = excluded.probed,
           width = NULL, height = NULL, duration_seconds = NULL, playable = NULL,
           frame_count = excluded.frame_count, frames_folder = excluded.frames_folder,
           has_rgb = excluded.has_rgb, has_flow = excluded.has_flow, problem = excluded.problem`,
      )
      .run(
        clip.path,
        clip.name,
        clip.className,
        clip.split,
        clip.fileBytes,
        clip.modifiedMs,
        clip.problem === undefined ? 0 : 1,
        frames?.frameCount ?? null,
        frames === undefined ? null : this.#stored(frames.folder),
        Number(frames?.hasRgb ?? false),
        Number(frames?.hasFlow ?? false),
        clip.problem ?? null,
      )
    return true
  }

  /** Stores what probing the file told. */
  setProbed(id: number, probed: ProbedClip): void {
    this.#connection
      .transaction(() => {
        this.#connection
          .prepare(
            `UPDATE clips SET probed = 1, width = ?, height = ?, duration_seconds = ?, playable = ?, problem = ?
             WHERE id = ?`,
          )
          .run(
            probed.width,
            probed.height,
            probed.durationSeconds,
            probed.playable === null ? null : Number(probed.playable),
            probed.problem,
            id,
          )
        this.#raiseRevision()
      })
      .immediate()
  }

  /** Stores that the clip's frames are there. */
  setPrepared(id: number, prepared: PreparedClip): void {
    this.#connection
      .transaction(() => {
        this.#connection
          .prepare(
            `UPDATE clips SET frame_count = ?, frames_folder = ?, has_rgb = ?, has_flow = ?, problem = NULL WHERE id = ?`,
          )
          .run(
            prepared.frameCount,
            this.#stored(prepared.framesFolder),
            Number(prepared.hasRgb),
            Number(prepared.hasFlow),
            id,
          )
        this.#raiseRevision()
      })
      .immediate()
  }

  /** Stores why the clip cannot be used. */
  setProblem(id: number, problem: string): void {
    this.#connection
      .transaction(() => {
        this.#connection
          .prepare(
            `UPDATE clips SET problem = ?, frames_folder = NULL, has_rgb = 0, has_flow = 0 WHERE id = ?`,
          )
          .run(problem, id)
        this.#raiseRevision()
      })
      .immediate()
  }

  #raiseRevision(): void {
    this.#connection.prepare('UPDATE project SET revision = revision + 1').run()
  }

  /** Frames inside the project are stored relative to it, so that a project moves. */
  #stored(framesFolder: string): string {
    const path = relative(this.#projectFolder, framesFolder)
    return path.startsWith('..') || isAbsolute(path) ? framesFolder : path.replaceAll(sep, '/')
  }

  #record(row: ClipRow): ClipRecord {
    const folder = row.frames_folder
    return {
      id: row.id,
      path: row.path,
      name: row.name,
      className: row.class_name,
      split: row.split,
      fileBytes: row.file_bytes,
      modifiedMs: row.modified_ms,
      probed: row.probed === 1,
      width: row.width,
      height: row.height,
      durationSeconds: row.duration_seconds,
      playable: row.playable === null ? null : row.playable === 1,
      frameCount: row.frame_count,
      framesFolder: folder === null || isAbsolute(folder) ? folder : join(this.#projectFolder, folder),
      hasRgb: row.has_rgb === 1,
      hasFlow: row.has_flow === 1,
      problem: row.problem,
    }
  }
}
