import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join, relative, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isVideoFile } from '../media/index.ts'
import type { FoundClip } from '../project/index.ts'
import { Project } from '../project/index.ts'
import { Concurrency } from './concurrency.ts'
import { splitClips } from './split-clips.ts'

/** What a folder holds that can be opened. */
export interface SourceFolder {
  kind: 'videos' | 'tao-dataset'
  /** Sorted: the order of the label map. */
  classNames: string[]
  clips: FoundClip[]
}

/** A clip before it is known in which split it goes. */
type UnsplitClip = Omit<FoundClip, 'split'> & { split: 'train' | 'val' | null }

interface ClassContent {
  className: string
  folder: string
  videos: string[]
  /** Sub-folders with frames, as in a TAO dataset. */
  prepared: PreparedFolder[]
}

interface PreparedFolder {
  name: string
  rgb: boolean
  flow: boolean
}

const validationNames = ['val', 'test', 'valid', 'validation']

/** Stops a look at a folder that holds thousands of others. */
class Budget {
  left: number

  constructor(folders: number) {
    this.left = folders
  }
}

interface Entries {
  folders: string[]
  files: string[]
}

async function list(folder: string, budget?: Budget): Promise<Entries> {
  if (budget !== undefined && budget.left-- <= 0) return { folders: [], files: [] }
  const entries = await readdir(folder, { withFileTypes: true })
  const folders: string[] = []
  const files: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const isFolder =
      entry.isDirectory() ||
      (entry.isSymbolicLink() &&
        (await stat(join(folder, entry.name)).then(
          (info) => info.isDirectory(),
          () => false,
        )))
    ;(isFolder ? folders : files).push(entry.name)
  }
  return { folders, files }
}

/** Class folders of `root` that hold videos or prepared clips. A folder that cannot be read counts as empty. */
async function listClasses(root: string, budget?: Budget): Promise<ClassContent[]> {
  const { folders } = await list(root, budget)
  const classes: ClassContent[] = []
  for (const className of folders) {
    const folder = join(root, className)
    const content = await list(folder, budget).catch((): Entries => ({ folders: [], files: [] }))
    const videos = content.files.filter((name) => isVideoFile(name))
    const prepared: PreparedFolder[] = []
    for (const name of content.folders) {
      const inside = await list(join(folder, name), budget).catch((): Entries => ({ folders: [], files: [] }))
      const rgb = inside.folders.includes('rgb')
      const flow = inside.folders.includes('u') && inside.folders.includes('v')
      if (rgb || flow) prepared.push({ name, rgb, flow })
    }
    if (videos.length > 0 || prepared.length > 0) classes.push({ className, folder, videos, prepared })
  }
  return classes
}

interface SplitClasses {
  train: ClassContent[]
  /** Null when the folder has no split of its own. */
  val: ClassContent[] | null
}

/** Finds the classes, under train/ and val/ (or test/) where the folder has them. */
async function findClasses(folder: string, budget?: Budget): Promise<SplitClasses> {
  const { folders } = await list(folder, budget)
  if (folders.includes('train')) {
    const train = await listClasses(join(folder, 'train'), budget)
    if (train.length > 0) {
      const name = validationNames.find((candidate) => folders.includes(candidate))
      const val = name === undefined ? [] : await listClasses(join(folder, name), budget)
      return { train, val: val.length > 0 ? val : null }
    }
  }
  return { train: await listClasses(folder, budget), val: null }
}

/**
 * Reads a folder of class-named folders of videos, with or without train/ and val/ above, or a TAO dataset folder.
 * Without a validation part a fifth of each class is set aside by `splitClips`. Nothing is written.
 *
 * @param knownSplits Split of clips that were seen before, by path; they keep it where the folder itself has none.
 * @throws KineoError `input` that says what is missing.
 */
export async function readSourceFolder(
  folder: string,
  knownSplits: ReadonlyMap<string, 'train' | 'val'> = new Map(),
): Promise<SourceFolder> {
  await requireReadable(folder)
  const { train, val } = await findClasses(folder)
  const classes = [...train, ...(val ?? [])]
  const classNames = [...new Set(classes.map(({ className }) => className))].sort()
  await requireClasses(folder, classNames)

  const prepared = classes.some((content) => content.prepared.length > 0)
  const reading = new Concurrency(16)
  const read = async (content: ClassContent, split: 'train' | 'val' | null): Promise<UnsplitClip[]> =>
    prepared
      ? await reading.map(content.prepared, (clip) => readPreparedClip(folder, content, clip, split))
      : await reading.map(content.videos, (name) => readVideo(folder, content, name, split))
  const clips: UnsplitClip[] = []
  for (const content of train) clips.push(...(await read(content, val === null ? null : 'train')))
  for (const content of val ?? []) clips.push(...(await read(content, 'val')))
  return {
    kind: prepared ? 'tao-dataset' : 'videos',
    classNames,
    clips: splitClips(
      clips.map((clip) => ({ ...clip, split: clip.split ?? knownSplits.get(clip.path) ?? null })),
    ),
  }
}

async function requireReadable(folder: string): Promise<void> {
  const info = await stat(folder).catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown')
  if (info === 'ENOENT') {
    throw new KineoError('input', 'There is no such folder', { where: folder, remedy: 'Check the path' })
  }
  const readable = typeof info !== 'string' && (await readdir(folder).catch(() => null)) !== null
  if (typeof info !== 'string' && !info.isDirectory()) {
    throw new KineoError('input', 'This is a file, not a folder', {
      where: folder,
      remedy: 'Open the folder that holds the class folders',
    })
  }
  if (!readable) {
    throw new KineoError('input', 'The folder cannot be read', {
      where: folder,
      remedy: 'Check its permissions',
    })
  }
}

async function requireClasses(folder: string, classNames: readonly string[]): Promise<void> {
  const shape = 'Make one folder for each action, named after it, and put its videos inside'
  if (classNames.length >= 2) return
  const only = classNames[0]
  if (only !== undefined) {
    throw new KineoError('input', `There is only one class, "${only}"`, {
      where: folder,
      remedy: 'A model learns to tell classes apart: add a second folder with videos of something else',
    })
  }
  const { files, folders } = await list(folder)
  if (files.some((name) => isVideoFile(name))) {
    throw new KineoError('input', 'The videos are not sorted into classes', { where: folder, remedy: shape })
  }
  throw new KineoError(
    'input',
    folders.length === 0 ? 'There are no videos in this folder' : 'There are no videos in these folders',
    { where: folder, remedy: shape },
  )
}

async function readVideo(
  root: string,
  content: ClassContent,
  name: string,
  split: 'train' | 'val' | null,
): Promise<UnsplitClip> {
  const path = join(content.folder, name)
  const info = await stat(path).catch(() => null)
  return {
    path: relative(root, path).replaceAll(sep, '/'),
    name: basename(name, extname(name)),
    className: content.className,
    split,
    fileBytes: info?.size ?? 0,
    modifiedMs: Math.trunc(info?.mtimeMs ?? 0),
    problem: info === null ? 'The file cannot be read' : undefined,
  }
}

async function readPreparedClip(
  root: string,
  content: ClassContent,
  clip: PreparedFolder,
  split: 'train' | 'val' | null,
): Promise<UnsplitClip> {
  const folder = join(content.folder, clip.name)
  const info = await stat(folder).catch(() => null)
  const images = (await list(join(folder, clip.rgb ? 'rgb' : 'u'))).files.length
  const frameCount = clip.rgb || images === 0 ? images : images + 1
  return {
    path: relative(root, folder).replaceAll(sep, '/'),
    name: clip.name,
    className: content.className,
    split,
    fileBytes: frameCount,
    modifiedMs: Math.trunc(info?.mtimeMs ?? 0),
    frames: { folder, frameCount, hasRgb: clip.rgb, hasFlow: clip.flow },
    problem: frameCount === 0 ? 'The folder of frames is empty' : undefined,
  }
}

/** Folders looked into for a verdict in the folder chooser. */
const verdictBudget = 400

/** What `readSourceFolder` would make of a folder, in words, or null when there is nothing to open. Quick. */
export async function describeSourceFolder(folder: string): Promise<string | null> {
  if (Project.existsIn(folder)) return 'Kineo project'
  try {
    const { train, val } = await findClasses(folder, new Budget(verdictBudget))
    const classes = [...train, ...(val ?? [])]
    const count = new Set(classes.map(({ className }) => className)).size
    if (count === 0) return null
    const prepared = classes.reduce((sum, content) => sum + content.prepared.length, 0)
    const videos = classes.reduce((sum, content) => sum + content.videos.length, 0)
    const what = prepared > 0 ? `${plural(prepared, 'prepared clip')} (TAO dataset)` : plural(videos, 'video')
    return `${plural(count, 'class', 'classes')}, ${what}`
  } catch {
    return null
  }
}

/** `1 video`, `3 videos`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
