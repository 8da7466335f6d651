import { randomBytes } from 'node:crypto'
import { constants, existsSync, type Dirent } from 'node:fs'
import {
  access,
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  utimes,
} from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { isVideoFile } from '../../core/video-file.ts'
import { mapBounded } from '../bounded.ts'
import { contentHash } from '../set-aside.ts'
import { partOf, type DatasetPart } from './listing.ts'

/** What became of a video: `occupied` when another one has its place. */
export type Arrival = 'linked' | 'copied' | 'unchanged' | 'occupied'

/** A video that stands in the dataset. */
export interface StandingVideo {
  part: DatasetPart | null
  /** Name of its class folder. */
  folder: string
  name: string
}

/** Copies under way; each run has a folder of its own in it. */
const workshopName = '.kineo-import'
const looksAtOnce = 32

/** The folder that videos are imported into, where whole files appear at once and none is removed. */
export class ImportFolder {
  readonly path: string
  readonly #workshop: string

  /** @param path Absolute; made when the first video arrives. */
  constructor(path: string) {
    this.path = path
    this.#workshop = join(path, workshopName, `${process.pid}-${randomBytes(4).toString('hex')}`)
  }

  /** Every video in a class folder, at the top or below train/, val/ and test/; none without the folder. */
  async videos(): Promise<StandingVideo[]> {
    const standing: StandingVideo[] = []
    for (const top of await this.#folders('')) {
      const names = await this.#videosOf(top)
      standing.push(...names.map((name) => ({ part: null, folder: top, name })))
      const part = partOf(top)
      if (part !== top || names.length > 0) continue
      for (const folder of await this.#folders(top)) {
        const inClass = await this.#videosOf(`${top}/${folder}`)
        standing.push(...inClass.map((name) => ({ part, folder, name })))
      }
    }
    return standing
  }

  async #folders(place: string): Promise<string[]> {
    const folders = (await this.#entries(place)).filter((entry) => entry.isDirectory())
    return folders.map(({ name }) => name).filter((name) => !name.startsWith('.'))
  }

  async #videosOf(place: string): Promise<string[]> {
    const files = (await this.#entries(place)).filter((entry) => !entry.isDirectory())
    return files.map(({ name }) => name).filter((name) => isVideoFile(name))
  }

  async #entries(place: string): Promise<Dirent[]> {
    const entries = await readdir(join(this.path, place), { withFileTypes: true }).catch(() => [])
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Whether `source` stands at `place`: the same file, or one with the same content. */
  async holds(place: string, source: string): Promise<boolean> {
    const target = join(this.path, place)
    const [there, wanted] = await Promise.all([target, source].map((path) => stat(path).catch(() => null)))
    if (!there?.isFile() || !wanted) return false
    if (there.ino !== 0 && there.ino === wanted.ino && there.dev === wanted.dev) return true
    if (there.size !== wanted.size) return false
    // A copy keeps the time of its source, to the millisecond; where a file system rounds it, the content decides.
    if (Math.abs(there.mtimeMs - wanted.mtimeMs) < 1) return true
    return (await contentHash(target)) === (await contentHash(source))
  }

  /** @throws KineoError `usage` when one of the videos lies in this folder: the source is never written. */
  async requireOutside(videos: readonly string[]): Promise<void> {
    const root = await realpath(this.path).catch(() => null)
    if (root === null) return
    for (const folder of new Set(videos.map((video) => dirname(video)))) {
      const way = relative(root, await realpath(folder).catch(() => folder))
      if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) continue
      throw new KineoError('usage', 'Videos of the source lie in the output', {
        where: folder,
        remedy: 'Choose another folder with --out',
      })
    }
  }

  /** @throws KineoError `output` when the copies that will have to be made would not fit. */
  async requireRoom(
    videos: readonly { source: string; place: string }[],
    mode: 'link' | 'copy',
  ): Promise<void> {
    const nearest = this.#nearestFolder()
    const [disk, here] = await Promise.all([statfs(nearest).catch(() => null), stat(nearest)])
    if (disk === null) return
    const sizes = await mapBounded(videos, looksAtOnce, async ({ source, place }) => {
      const paths = [source, join(this.path, place)]
      const [info, there] = await Promise.all(paths.map((path) => stat(path).catch(() => null)))
      const isLinked = mode === 'link' && info?.dev === here.dev
      return !info || there || isLinked ? 0 : info.size
    })
    const needed = sizes.reduce((sum, size) => sum + size, 0)
    const free = disk.bavail * disk.bsize
    if (needed <= free) return
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
    throw new KineoError('output', `The videos take ${megabytes(needed)}, and ${megabytes(free)} are free`, {
      where: this.path,
      remedy: 'Make room, take fewer with --classes or --limit, or choose a folder on the disk of the source',
    })
  }

  #nearestFolder(): string {
    let folder = this.path
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
    return folder
  }

  /**
   * Brings a video to its place: by a hard link, which takes no room and shares the content with the source, or where that
   * cannot be or `mode` says so by a copy. What stands there already stays.
   *
   * @throws KineoError `input` when the source cannot be read; errors of the file system when the dataset cannot be written.
   */
  async bring(source: string, place: string, mode: 'link' | 'copy'): Promise<Arrival> {
    const target = join(this.path, place)
    if (await lstat(target).catch(() => null)) {
      return (await this.holds(place, source)) ? 'unchanged' : 'occupied'
    }
    const real = await readableFile(source)
    await mkdir(dirname(target), { recursive: true })
    if (mode === 'link' && (await tryLink(real, target))) return 'linked'
    await this.#copy(real, target)
    return 'copied'
  }

  async #copy(source: string, target: string): Promise<void> {
    await mkdir(this.#workshop, { recursive: true })
    const partial = join(this.#workshop, randomBytes(8).toString('hex'))
    try {
      await copyFile(source, partial, constants.COPYFILE_FICLONE)
      const { mode, atime, mtime } = await stat(source)
      await chmod(partial, (mode & 0o777) | 0o600)
      const file = await open(partial, 'r+')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
      await utimes(partial, atime, mtime)
      await rename(partial, target)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
  }

  /** Removes what this run, or one that was killed, left unfinished. */
  async close(): Promise<void> {
    await rm(this.#workshop, { recursive: true, force: true })
    const shared = join(this.path, workshopName)
    for (const name of await readdir(shared).catch(() => [])) {
      if (!isRunning(Number.parseInt(name))) await rm(join(shared, name), { recursive: true, force: true })
    }
    await rmdir(shared).catch(() => undefined)
  }
}

/** The file behind links, after a look whether it can be read. */
async function readableFile(source: string): Promise<string> {
  try {
    const real = await realpath(source)
    await access(real, constants.R_OK)
    if ((await stat(real)).size === 0) throw new KineoError('input', 'The file is empty', { where: source })
    return real
  } catch (cause) {
    if (cause instanceof KineoError) throw cause
    throw new KineoError('input', 'The file cannot be read', { where: source, cause })
  }
}

/** False where a link cannot be made: across disks, on file systems without them, or when the system forbids it. */
async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOSPC' || code === 'EROFS' || code === 'EDQUOT') throw error
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
