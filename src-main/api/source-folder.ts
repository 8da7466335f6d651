import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isVideoFile } from '../core/video-file.ts'
import { type ClassFolder, FolderBudget, listFolder, readClassFolders } from '../dataset/class-folders.ts'
import { setAside } from '../dataset/set-aside.ts'
import type { FoundClip, Split } from '../project/index.ts'
import { Project } from '../project/index.ts'
import { planClips } from '../tasks/preprocess-plan.ts'
import { Concurrency } from './concurrency.ts'

/** What a folder holds that can be opened. */
export interface SourceFolder {
  kind: 'videos' | 'tao-dataset'
  /** Sorted: the order of the label map. */
  classNames: string[]
  clips: FoundClip[]
}

/** A clip before it is known in which split it goes. */
type UnsplitClip = Omit<FoundClip, 'split'> & { split: Split | null }

/** A clip with the part that its folder says, or null. */
type PlacedClip = Omit<FoundClip, 'split'> & { part: Split | null }

/** Share of each class that is set aside to check what was learned. */
const validationFraction = 0.2
/** Decides which clips are set aside. */
const splitSeed = 1234

/** A class folder with what can be opened in it. */
interface ClassContent extends ClassFolder {
  /** Names of the videos. */
  videos: string[]
  /** Sub-folders with frames, as in a TAO dataset. */
  prepared: PreparedFolder[]
}

interface PreparedFolder {
  name: string
  rgb: boolean
  flow: boolean
}

/** The class folders for training and validation that hold videos or prepared clips; a test part stays out. */
async function readClasses(folder: string, budget?: FolderBudget): Promise<ClassContent[]> {
  const contents = new Map<string, ClassContent>()
  const isClass = async (candidate: ClassFolder): Promise<boolean> => {
    const videos = candidate.files.filter((name) => isVideoFile(name))
    const prepared: PreparedFolder[] = []
    for (const name of candidate.folders) {
      const inside = await listFolder(join(candidate.path, name), budget).catch(() => null)
      const rgb = inside?.folders.includes('rgb') ?? false
      const flow = (inside?.folders.includes('u') && inside.folders.includes('v')) ?? false
      if (rgb || flow) prepared.push({ name, rgb, flow })
    }
    contents.set(candidate.path, { ...candidate, videos, prepared })
    return videos.length > 0 || prepared.length > 0
  }
  const { classes } = await readClassFolders(folder, isClass, budget)
  return classes.flatMap(({ path, part }) => contents.get(part === 'test' ? '' : path) ?? [])
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
  const classes = await readClasses(folder)
  const classNames = [...new Set(classes.map(({ className }) => className))].sort()
  await requireClasses(folder, classNames)

  const reading = new Concurrency(16)
  const isPrepared = classes.some((content) => content.prepared.length > 0)
  const found = isPrepared
    ? await reading.map(
        classes.flatMap((content) => content.prepared.map((clip) => ({ content, clip }))),
        ({ content, clip }) => readPreparedClip(folder, content, clip),
      )
    : await reading.map(await planVideos(folder, classNames), (video) => readVideo(folder, video))
  // A part for training alone is no split yet.
  const isSplit = found.some(({ part }) => part === 'val')
  const clips = found.map(({ part, ...clip }) => ({
    ...clip,
    split: (isSplit ? part : knownSplits.get(clip.path)) ?? null,
  }))
  return {
    kind: isPrepared ? 'tao-dataset' : 'videos',
    classNames,
    clips: await splitClips(folder, clips, isPrepared),
  }
}

/** A video with the clip that comes out of it, by the rules of `kineo preprocess`. */
interface PlannedVideo {
  source: string
  part: Split | null
  className: string
  name: string
}

async function planVideos(folder: string, classNames: readonly string[]): Promise<PlannedVideo[]> {
  const { clips } = await planClips(folder, null, 0)
  return clips.flatMap(({ source, place }) => {
    const [name = '', className = '', part = null] = place.split('/').reverse()
    // A class of nothing but sound, and a test part, are not shown.
    const isShown = classNames.includes(className) && part !== 'test'
    return isShown ? { source, part: part === 'val' || part === 'train' ? part : null, className, name } : []
  })
}

/**
 * Decides the split of every clip that has none: of each class a fifth is for validation, by the rule of `kineo preprocess
 * --val`. Clips that were split before keep their side, so that the same folder gives the same split.
 */
async function splitClips(
  folder: string,
  clips: readonly UnsplitClip[],
  isPrepared: boolean,
): Promise<FoundClip[]> {
  const videos = clips.map(({ path, className, split }) => ({ source: join(folder, path), className, split }))
  // Looking for the same content means to read every file, so it is done only when there is a new one.
  if (clips.some(({ split }) => split === null)) {
    // The folder of a prepared clip has no extension, and nothing to compare: what is in it was made from one video.
    await setAside(videos, validationFraction, splitSeed, { scenes: isPrepared ? 'names' : 'content' })
  }
  return clips.map((clip, i) => ({ ...clip, split: videos[i]?.split ?? 'train' }))
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
  const { files, folders } = await listFolder(folder)
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
  const budget = new FolderBudget(verdictBudget)
  const holdsClasses = async (path: string): Promise<boolean> => {
    const classes = await readClasses(path, budget).catch((): ClassContent[] => [])
    return new Set(classes.map(({ className }) => className)).size >= 2
  }
  for (const name of inside)
    if (await holdsClasses(join(folder, name))) return `Open the folder "${name}" in it`
  const above = dirname(folder)
  return (await holdsClasses(above)) ? `Open the folder above it, "${basename(above)}"` : null
}

async function readVideo(folder: string, { source, ...place }: PlannedVideo): Promise<PlacedClip> {
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
): Promise<PlacedClip> {
  const folder = join(content.path, clip.name)
  const info = await stat(folder).catch(() => null)
  const images = (await listFolder(join(folder, clip.rgb ? 'rgb' : 'u'))).files.length
  const frameCount = clip.rgb || images === 0 ? images : images + 1
  return {
    path: pathIn(root, folder),
    name: clip.name,
    className: content.className,
    part: content.part === 'val' || content.part === 'train' ? content.part : null,
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
    const classes = await readClasses(folder, new FolderBudget(verdictBudget))
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
