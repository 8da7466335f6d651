import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { KineoError } from '../core/errors.ts'
import { FileLock } from '../core/file-lock.ts'
import { systemReason } from '../core/system-error.ts'
import { isWithin } from './preprocess-plan.ts'

/** What was decided for a whole dataset and changes its images. */
export interface ImageOptions {
  /** Optical flow into u/ and v/, or none. */
  flow: 'dis' | 'none'
  preset: 'fast' | 'medium'
  /** Longest side of the images in pixels, or null for the size of the video. */
  maxSide: number | null
  /** Frames per second, or null for every decoded frame. */
  fps: number | null
}

const manifest = z.object({
  version: z.literal(1),
  /** Absolute path of the video, and the SHA-256 of its content. */
  source: z.string(),
  /** Absolute path of the input of which the video was part; older clips do not tell. */
  input: z.string().optional(),
  contentHash: z.string(),
  options: z.object({
    flow: z.enum(['dis', 'none']),
    preset: z.enum(['fast', 'medium']),
    maxSide: z.number().nullable(),
    fps: z.number().nullable(),
  }),
  frames: z.number().int(),
  width: z.number().int(),
  height: z.number().int(),
  /** What was wrong with a video of which only some frames could be decoded. */
  warning: z.string().nullable(),
})

/** What a clip was made from; stands in the clip's own folder, where TAO looks only for rgb/, u/ and v/. */
export type ClipManifest = z.infer<typeof manifest>

const manifestName = '.kineo.json'
/** Clips under way and the lock; gone when the last of them is whole. */
const workshopName = '.kineo-partial'
const lockName = 'lock'

/**
 * The folder of a dataset, as a place where whole clips appear and disappear at once. One process at a time has it open:
 * two would take each other's unfinished clips for leftovers.
 */
export class DatasetFolder {
  readonly path: string
  readonly #madeHere: string[]
  readonly #lock: FileLock | null
  #lastChange = Promise.resolve()

  private constructor(path: string, madeHere: string[], lock: FileLock | null) {
    this.path = path
    this.#madeHere = madeHere
    this.#lock = lock
  }

  /**
   * Opens the folder, made when missing, and removes what a killed run left unfinished in it.
   *
   * @param onLine Told when the file system knows no locks, as some network shares do; the work can be done all the same.
   * @throws KineoError `output` when the folder cannot be made, or another Kineo writes into it.
   */
  static async open(path: string, onLine?: (line: string) => void): Promise<DatasetFolder> {
    const madeHere: string[] = []
    for (let folder = path; !existsSync(folder); folder = dirname(folder)) madeHere.push(folder)
    const workshop = join(path, workshopName)
    try {
      await mkdir(workshop, { recursive: true })
    } catch (cause) {
      throw new KineoError('output', `Cannot make the folder of the dataset${systemReason(cause)}`, {
        where: path,
        remedy: 'Choose another folder with --out',
        cause,
      })
    }
    const lock = await takeLock(workshop, onLine)
    for (const name of await readdir(workshop)) {
      if (name !== lockName) await rm(join(workshop, name), { recursive: true, force: true })
    }
    return new DatasetFolder(path, madeHere, lock)
  }

  /**
   * @param places Clips that are to be made.
   * @throws KineoError `output` when something that Kineo did not make stands where one of them belongs.
   */
  async requireFree(places: readonly string[]): Promise<void> {
    for (const place of places) {
      const parts = place.split('/')
      for (const depth of parts.keys()) {
        const above = join(this.path, ...parts.slice(0, depth + 1))
        const info = await stat(above).catch(() => null)
        if (info === null) break
        if (!info.isDirectory()) throw inTheWay('file', above)
        if (depth < parts.length - 1 && existsSync(join(above, manifestName))) {
          throw new KineoError('output', 'There is a clip where the folder of a class belongs', {
            where: above,
            remedy: 'Remove it, or choose another folder with --out',
          })
        }
      }
      const target = join(this.path, place)
      if (existsSync(target) && !(await this.manifest(place))) throw inTheWay('folder', target)
    }
  }

  /** Every clip that Kineo made here, by its place (`train/wave/anna_01`). */
  async manifests(): Promise<Map<string, ClipManifest>> {
    const found = new Map<string, ClipManifest>()
    const visit = async (place: string, depth: number): Promise<void> => {
      const known = place === '' ? null : await this.manifest(place)
      if (known) {
        found.set(place, known)
      } else if (depth < 3) {
        const entries = await readdir(join(this.path, place), { withFileTypes: true }).catch(() => [])
        const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        for (const { name } of folders) await visit(place === '' ? name : `${place}/${name}`, depth + 1)
      }
    }
    await visit('', 0)
    return found
  }

  /**
   * Clips that were made of `input` and have no place in the plan any more. What was made of a wider input, of which this
   * one is a part, is not concerned.
   *
   * @param input Absolute path.
   */
  async stale(planned: readonly string[], input: string): Promise<Map<string, ClipManifest>> {
    const places = new Set(planned)
    const manifests = [...(await this.manifests())]
    return new Map(
      manifests.filter(
        ([place, its]) => !places.has(place) && (its.input ?? input) === input && isWithin(input, its.source),
      ),
    )
  }

  /** Manifest of one clip, or null when there is no clip or none that Kineo made. */
  async manifest(place: string): Promise<ClipManifest | null> {
    try {
      return manifest.parse(JSON.parse(await readFile(join(this.path, place, manifestName), 'utf8')))
    } catch {
      return null
    }
  }

  /** A fresh folder in which a clip can be made; `keep` gives it its place, `remove` throws it away. */
  newClip(): string {
    return join(this.path, workshopName, `${process.pid}-${randomBytes(6).toString('hex')}`)
  }

  /** Puts a whole clip in its place; an older version that Kineo made is replaced. */
  async keep(folder: string, place: string, its: ClipManifest): Promise<void> {
    await writeFile(join(folder, manifestName), `${JSON.stringify(its, null, 2)}\n`)
    await this.#alone(() => this.#put(folder, place))
  }

  /** Gives a clip another place. */
  async move(from: string, to: string): Promise<void> {
    await this.#alone(async () => {
      await this.#put(join(this.path, from), to)
      await this.#removeEmptyParents(from)
    })
  }

  /** Removes a clip with one step, and folders that are empty without it. */
  async remove(place: string): Promise<void> {
    await this.#alone(async () => {
      await this.#takeAway(place)
      await this.#removeEmptyParents(place)
    })
  }

  /** One change at a time: none may remove an empty folder that another is about to fill. */
  #alone(change: () => Promise<void>): Promise<void> {
    const changed = this.#lastChange.then(change)
    this.#lastChange = changed.catch(() => undefined)
    return changed
  }

  async #put(folder: string, place: string): Promise<void> {
    const target = join(this.path, place)
    if (existsSync(target)) {
      if (!(await this.manifest(place))) throw inTheWay('folder', target)
      await this.#takeAway(place)
    }
    await mkdir(dirname(target), { recursive: true })
    await rename(folder, target)
  }

  async #takeAway(place: string): Promise<void> {
    const rest = this.newClip()
    await rename(join(this.path, place), rest)
    await rm(rest, { recursive: true, force: true })
  }

  async #removeEmptyParents(place: string): Promise<void> {
    for (let parent = dirname(place); parent !== '.'; parent = dirname(parent)) {
      if (!(await removeIfEmpty(join(this.path, parent)))) return
    }
  }

  /** Removes what is not whole, and the folder itself when this run made it and nothing is in it. */
  async close(): Promise<void> {
    const workshop = join(this.path, workshopName)
    // While the lock is held, so that nobody can have taken it in between; Windows removes no file that is in use.
    const held = await rm(workshop, { recursive: true, force: true }).catch(() => 'held')
    this.#lock?.release()
    if (held === 'held') await rm(workshop, { recursive: true, force: true }).catch(() => undefined)
    for (const folder of this.#madeHere) {
      if (!(await removeIfEmpty(folder))) return
    }
  }
}

/** @returns null where the file system knows no locks. */
async function takeLock(workshop: string, onLine?: (line: string) => void): Promise<FileLock | null> {
  const path = join(workshop, lockName)
  let lock: FileLock | null
  try {
    lock = FileLock.tryAcquire(path, 0)
  } catch {
    onLine?.(`${dirname(workshop)} cannot be locked: make sure that no other Kineo writes there.`)
    return null
  }
  if (lock === null) {
    throw new KineoError('output', 'Another Kineo is writing clips into this folder', {
      where: dirname(workshop),
      remedy: 'Wait until it is done, or choose another folder with --out',
    })
  }
  if (existsSync(path)) return lock
  // The one before removed the file after we had opened it and before we had it locked: that lock keeps nobody out.
  lock.release()
  await mkdir(workshop, { recursive: true })
  return takeLock(workshop, onLine)
}

function inTheWay(what: 'file' | 'folder', where: string): KineoError {
  return new KineoError('output', `There is a ${what} in the way that Kineo did not make`, {
    where,
    remedy: 'Move it away, or choose another --out',
  })
}

function removeIfEmpty(folder: string): Promise<boolean> {
  return rmdir(folder).then(
    () => true,
    () => false,
  )
}

/** Whether a clip is what would come out again of the same content. */
export function isUnchanged(
  its: ClipManifest | null | undefined,
  contentHash: string,
  options: ImageOptions,
): boolean {
  return (
    its?.contentHash === contentHash &&
    its.options.flow === options.flow &&
    (options.flow === 'none' || its.options.preset === options.preset) &&
    its.options.maxSide === options.maxSide &&
    its.options.fps === options.fps
  )
}
