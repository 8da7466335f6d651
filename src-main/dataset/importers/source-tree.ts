import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { throwIfCancelled } from '../../core/errors.ts'
import { isVideoFile } from '../../core/video-file.ts'
import type { ListingOptions } from './listing.ts'

/** One file below the root of a source. */
export interface TreeFile {
  /** Absolute. */
  path: string
  name: string
  /** Names of the folders from the root down to the file; empty for a file of the root itself. */
  folders: readonly string[]
}

/** The files of a source by kind, each sorted by folder and name. */
export interface SourceTree {
  videos: TreeFile[]
  /** Lists and tables: .txt and .csv. */
  lists: TreeFile[]
  /** Packed files: .rar, .zip and the like. */
  archives: TreeFile[]
  notes: string[]
}

const archiveName = /\.(rar|zip|7z|tar|tgz|tar\.(gz|bz2|xz))$/i
const listName = /\.(txt|csv|tsv)$/i

/**
 * Lists every file below `root`, however deep. Hidden entries are passed over, links are followed, and a link back to a
 * folder that holds it is not. A folder that cannot be read is left out with a note.
 *
 * @throws CancelledError.
 */
export async function readSourceTree(
  root: string,
  { signal, onFiles }: Pick<ListingOptions, 'signal' | 'onFiles'>,
): Promise<SourceTree> {
  let files = 0
  const tree: SourceTree = { videos: [], lists: [], archives: [], notes: [] }
  const visit = async (
    folder: string,
    folders: readonly string[],
    above: ReadonlySet<string>,
  ): Promise<void> => {
    throwIfCancelled(signal)
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => null)
    if (entries === null) {
      tree.notes.push(`Left out, since it cannot be read: ${folder}`)
      return
    }
    files += entries.length
    onFiles?.(files)
    const inside: string[] = []
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue
      const path = join(folder, entry.name)
      const target = entry.isSymbolicLink() ? await stat(path).catch(() => null) : entry
      if (target?.isDirectory()) inside.push(entry.name)
      // A link to nothing is told later; a pipe or a socket would be read forever.
      else if (target?.isFile() ?? true) sortIn(tree, { path, name: entry.name, folders })
    }
    for (const name of inside) {
      const path = join(folder, name)
      const real = await realpath(path).catch(() => path)
      if (above.has(real)) tree.notes.push(`Left out, since it leads back to a folder above: ${path}`)
      else await visit(path, [...folders, name], new Set([...above, real]))
    }
  }
  await visit(root, [], new Set([await realpath(root)]))
  return tree
}

function sortIn(tree: SourceTree, file: TreeFile): void {
  if (isVideoFile(file.name)) tree.videos.push(file)
  else if (listName.test(file.name)) tree.lists.push(file)
  else if (archiveName.test(file.name)) tree.archives.push(file)
}

/** Finds the videos that an official list names. */
export class VideoIndex {
  readonly #byStem = new Map<string, TreeFile[]>()
  readonly #classNames: ReadonlySet<string>

  /** @param classNames Every class of the data set: a video in a folder of another class is not taken. */
  constructor(videos: readonly TreeFile[], classNames: Iterable<string>) {
    this.#classNames = new Set([...classNames].map(comparable))
    for (const video of videos) {
      const stem = stemOf(video.name)
      const same = this.#byStem.get(stem)
      if (same) same.push(video)
      else this.#byStem.set(stem, [video])
    }
  }

  /**
   * The video `name` of a class, whatever the letters' case and the extension: one in a folder of the class, else one
   * outside of all class folders.
   */
  find(name: string, className: string): TreeFile | undefined {
    const wanted = comparable(className)
    const same = this.#byStem.get(stemOf(name)) ?? []
    const ofClass = same.filter(({ folders }) => folders.some((folder) => comparable(folder) === wanted))
    const loose = same.filter(({ folders }) => !folders.some((one) => this.#classNames.has(comparable(one))))
    const candidates = ofClass.length > 0 ? ofClass : loose
    const depth = Math.min(...candidates.map(({ folders }) => folders.length))
    const nearest = candidates.filter(({ folders }) => folders.length === depth)
    return nearest.find((video) => video.name === name) ?? nearest[0]
  }
}

function stemOf(name: string): string {
  return comparable(isVideoFile(name) ? basename(name, extname(name)) : name)
}

/** Text by which names are compared: without case, and however a file system composes accents. */
export function comparable(name: string): string {
  return name.normalize('NFC').toLowerCase()
}
