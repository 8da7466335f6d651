import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isVideoFile } from '../core/video-file.ts'
import type { FoundClip, Split } from '../project/index.ts'
import { Project } from '../project/index.ts'
import { planClips, validationNames } from '../tasks/preprocess-plan.ts'
import { Concurrency } from './concurrency.ts'
import { splitClips, splitSeed, validationFraction } from './split-clips.ts'

/** What a folder holds that can be opened. */
export interface SourceFolder {
  kind: 'videos' | 'tao-dataset'
  /** Sorted: the order of the label map. */
  classNames: string[]
  clips: FoundClip[]
}

/** A clip before it is known in which split it goes. */
type UnsplitClip = Omit<FoundClip, 'split'> & { split: Split | null }

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

/** Where the classes stand. */
interface Layout {
  trainRoot: string
  train: ClassContent[]
  /** Null when the folder has no split of its own. */
  valRoot: string | null
  val: ClassContent[]
}

/** Finds the classes, under train/ and val/ (or test/) where the folder has them. */
async function findLayout(folder: string, budget?: Budget): Promise<Layout> {
  const { folders } = await list(folder, budget)
  if (folders.includes('train')) {
    const trainRoot = join(folder, 'train')
    const train = await listClasses(trainRoot, budget)
    if (train.length > 0) {
      const name = validationNames.find((candidate) => folders.includes(candidate))
      const valRoot = name === undefined ? null : join(folder, name)
      const val = valRoot === null ? [] : await listClasses(valRoot, budget)
      return { trainRoot, train, valRoot: val.length > 0 ? valRoot : null, val }
    }
  }
  return { trainRoot: folder, train: await listClasses(folder, budget), valRoot: null, val: [] }
}

/**
 * Reads a folder of class-named folders of videos, with or without train/ and val/ above, or a TAO dataset folder.
 * Without a validation part a fifth of each class is set aside. Nothing is written.
 *
 * @param knownSplits Split of clips that were seen before, by path; they keep it where the folder itself has none.
 * @throws KineoError `input` that says what is missing.
 */
export async function readSourceFolder(
  folder: string,
  knownSplits: ReadonlyMap<string, Split> = new Map(),
): Promise<SourceFolder> {
  await requireReadable(folder)
  const layout = await findLayout(folder)
  const classes = [...layout.train, ...layout.val]
  const classNames = [...new Set(classes.map(({ className }) => className))].sort()
  await requireClasses(folder, classNames)

  if (!classes.some((content) => content.prepared.length > 0)) {
    const planned = (await planVideos(layout, folder, knownSplits)).filter(({ place }) =>
      classNames.includes(place.className),
    )
    const clips = await new Concurrency(16).map(planned, ({ source, place }) =>
      readVideo(folder, source, place),
    )
    return { kind: 'videos', classNames, clips }
  }
  const reading = new Concurrency(16)
  const clips: UnsplitClip[] = []
  for (const [contents, split] of [
    [layout.train, layout.valRoot === null ? null : 'train'],
    [layout.val, 'val'],
  ] as const) {
    for (const content of contents) {
      clips.push(
        ...(await reading.map(content.prepared, (clip) => readPreparedClip(folder, content, clip, split))),
      )
    }
  }
  const known = clips.map((clip) => ({ ...clip, split: clip.split ?? knownSplits.get(clip.path) ?? null }))
  return { kind: 'tao-dataset', classNames, clips: splitClips(known) }
}

interface PlannedVideo {
  source: string
  place: { split: Split; className: string; name: string }
}

/** Which clips come out of the videos, under which names, by the rules of `kineo preprocess`. */
async function planVideos(
  layout: Layout,
  folder: string,
  knownSplits: ReadonlyMap<string, Split>,
): Promise<PlannedVideo[]> {
  const plan = async (root: string, split: Split): Promise<PlannedVideo[]> => {
    const { clips } = await planClips(root, null, splitSeed)
    return clips.map(({ source, place }) => {
      const [className = '', name = ''] = place.split('/')
      return { source, place: { split, className, name } }
    })
  }
  const train = await plan(layout.trainRoot, 'train')
  if (layout.valRoot !== null) return [...train, ...(await plan(layout.valRoot, 'val'))]
  // Setting clips aside means to read every file, so it is done only when there is a new one.
  const knownSplit = (source: string): Split | undefined => knownSplits.get(pathIn(folder, source))
  const isNew = train.some(({ source }) => knownSplit(source) === undefined)
  const { clips } = isNew ? await planClips(layout.trainRoot, validationFraction, splitSeed) : { clips: [] }
  const planned = new Map(
    clips.map(({ source, place }) => [source, place.startsWith('val/') ? 'val' : 'train'] as const),
  )
  return train.map(({ source, place }) => ({
    source,
    place: { ...place, split: knownSplit(source) ?? planned.get(source) ?? 'train' },
  }))
}

/** Path within the opened folder, with `/`. */
function pathIn(folder: string, path: string): string {
  return relative(folder, path).replaceAll(sep, '/')
}

/** @throws KineoError `input` when there is no such folder, when it is a file, and when it cannot be read. */
export async function requireReadable(folder: string): Promise<void> {
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
  const remedy = (await nearbyFolder(folder, folders)) ?? shape
  if (files.some((name) => isVideoFile(name))) {
    throw new KineoError('input', 'The videos are not sorted into classes', { where: folder, remedy })
  }
  throw new KineoError(
    'input',
    folders.length === 0 ? 'There are no videos in this folder' : 'There are no videos in these folders',
    { where: folder, remedy },
  )
}

/** What to open instead, where a person went one folder too far or not far enough. */
async function nearbyFolder(folder: string, inside: readonly string[]): Promise<string | null> {
  const budget = new Budget(verdictBudget)
  const holdsClasses = async (path: string): Promise<boolean> => {
    const { train, val } = await findLayout(path, budget).catch(() => ({ train: [], val: [] }))
    return new Set([...train, ...val].map(({ className }) => className)).size >= 2
  }
  for (const name of inside)
    if (await holdsClasses(join(folder, name))) return `Open the folder "${name}" in it`
  const above = dirname(folder)
  return (await holdsClasses(above)) ? `Open the folder above it, "${basename(above)}"` : null
}

async function readVideo(folder: string, source: string, place: PlannedVideo['place']): Promise<FoundClip> {
  const info = await stat(source).catch(() => null)
  return {
    path: pathIn(folder, source),
    ...place,
    fileBytes: info?.size ?? 0,
    modifiedMs: Math.trunc(info?.mtimeMs ?? 0),
    problem: info === null ? 'The file cannot be read' : undefined,
  }
}

async function readPreparedClip(
  root: string,
  content: ClassContent,
  clip: PreparedFolder,
  split: Split | null,
): Promise<UnsplitClip> {
  const folder = join(content.folder, clip.name)
  const info = await stat(folder).catch(() => null)
  const images = (await list(join(folder, clip.rgb ? 'rgb' : 'u'))).files.length
  const frameCount = clip.rgb || images === 0 ? images : images + 1
  return {
    path: pathIn(root, folder),
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
    const { train, val } = await findLayout(folder, new Budget(verdictBudget))
    const classes = [...train, ...val]
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
