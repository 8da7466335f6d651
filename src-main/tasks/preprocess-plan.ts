import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isVideoFile } from '../core/video-file.ts'
import { readClassFolders, type ClassFolder } from '../dataset/class-folders.ts'
import { setAside, type SplittableVideo } from '../dataset/set-aside.ts'

/** One clip that is to be made out of one video. */
export interface PlannedClip {
  /** The video, absolute. */
  source: string
  /** Folder of the clip within the dataset, with `/`: `train/wave/anna_01`. */
  place: string
}

export interface Plan {
  clips: PlannedClip[]
  /** Files of the input that are no videos. */
  ignored: string[]
  /** What a person should know about how the input was understood. */
  notes: string[]
}

/** A video with the class and split that its folders give. */
interface Found {
  source: string
  split: 'train' | 'val' | 'test' | null
  className: string | null
}

/** Most bytes of the name of a folder. */
const longestName = 255
/** Sound is taken for a video that lost its picture: it is reported instead of passed over. */
const soundExtensions = new Set('.aac .flac .m4a .mp3 .ogg .opus .wav .wma'.split(' '))

/**
 * Decides which clips come out of `input`: one video, a folder of videos, a folder of class-named folders of videos, or
 * the same with train/ and val/ above, and test/ where there is one besides.
 *
 * @param valFraction Share of each class to set aside as val/; null keeps the folders as they are.
 * @throws KineoError `input` when there is nothing to read, `usage` when a split was asked for where there is one.
 */
export async function planClips(
  input: string,
  valFraction: number | null,
  seed: number,
  signal?: AbortSignal,
): Promise<Plan> {
  const root = resolve(input)
  const info = await stat(root).catch((cause: unknown) => {
    throw new KineoError('input', 'There is no such file or folder', { where: input, cause })
  })
  if (!info.isDirectory() && !info.isFile()) {
    throw new KineoError('input', 'The input is neither a file nor a folder', { where: input })
  }
  const plan: Plan = { clips: [], ignored: [], notes: [] }
  const found = info.isDirectory() ? await findVideos(root, plan) : [unlabelled(root)]
  if (found.length === 0) {
    throw new KineoError('input', 'There are no videos in this folder', {
      where: input,
      remedy: 'Make one folder for each action, named after it, and put its videos inside',
    })
  }
  if (valFraction !== null) {
    plan.notes.push(...(await setAside(undecided(found), valFraction, seed, { signal })))
  }
  plan.clips = nameClips(found)
  return plan
}

function unlabelled(source: string): Found {
  return { source, split: null, className: null }
}

async function findVideos(root: string, plan: Plan): Promise<Found[]> {
  const noVideos = new Set<string>()
  const isClass = ({ path, files }: ClassFolder): boolean => {
    for (const name of files) if (!isCandidate(name)) noVideos.add(join(path, name))
    return files.some(isCandidate)
  }
  const sorted = await readClassFolders(root, isClass).catch((cause: unknown) => {
    throw unreadable(root, cause)
  })
  const [blocked] = sorted.unreadable
  if (blocked !== undefined) throw unreadable(blocked)
  plan.ignored.push(...sorted.others, ...noVideos)
  const found: Found[] = []
  for (const { className, path, part, files, folders } of sorted.classes) {
    if (folders.length > 0) {
      plan.notes.push(`Left out, being folders within class ${className}: ${folders.join(', ')}`)
    }
    const videos = files.filter(isCandidate).map((name) => join(path, name))
    found.push(...videos.map((source) => ({ source, split: part, className })))
  }
  if (sorted.trainName !== null) {
    if (sorted.beside.length > 0) {
      plan.notes.push(`Left out beside ${sorted.trainName}: ${sorted.beside.join(', ')}`)
    }
    return found
  }
  plan.ignored.push(...sorted.files.filter((name) => !isCandidate(name)).map((name) => join(root, name)))
  const videos = sorted.files.filter(isCandidate).map((name) => join(root, name))
  if (found.length > 0 && videos.length > 0) {
    plan.notes.push(`${count(videos.length, 'video')} beside the class folders left out: they have no class`)
  }
  return found.length > 0 ? found : videos.map(unlabelled)
}

function unreadable(folder: string, cause?: unknown): KineoError {
  return new KineoError('input', 'The folder cannot be read', { where: folder, cause })
}

function isCandidate(name: string): boolean {
  return isVideoFile(name) || soundExtensions.has(extname(name).toLowerCase())
}

/**
 * The videos with their side open. A train/ alone is no split yet: part of it can be set aside.
 *
 * @throws KineoError `usage` when the folders split the videos already, or some have no class.
 */
function undecided(found: readonly Found[]): SplittableVideo[] {
  const videos: SplittableVideo[] = []
  for (const video of found) {
    if (video.split === 'train') video.split = null
    if (!isOpen(video)) {
      throw new KineoError('usage', `The input has a split of its own: train/ and ${video.split}/`, {
        remedy: 'Leave out --val',
      })
    }
    if (video.className === null) {
      throw new KineoError('usage', 'Videos without a class cannot be split', {
        remedy: 'Put them into class-named folders, or leave out --val',
      })
    }
    videos.push(video)
  }
  return videos
}

function isOpen(video: Found): video is Found & SplittableVideo {
  return video.split === null
}

/** `<split>/<class>/<name>`, as much of it as there is. Names that differ only in their extension keep it. */
function nameClips(found: readonly Found[]): PlannedClip[] {
  const placeOf = (clip: Found, name: string): string =>
    [clip.split, clip.className, name].filter((part) => part !== null).join('/')
  // Names are compared without case, because some file systems do.
  const wanted = new Map<string, number>()
  for (const clip of found) {
    const key = placeOf(clip, stemOf(clip.source)).toLowerCase()
    wanted.set(key, (wanted.get(key) ?? 0) + 1)
  }
  const taken = new Set<string>()
  return found.map((clip) => {
    const stem = stemOf(clip.source)
    const alone = wanted.get(placeOf(clip, stem).toLowerCase()) === 1
    const ending = alone ? '' : `_${extname(clip.source).slice(1)}`
    let place = placeOf(clip, withEnding(stem, ending))
    for (let number = 2; taken.has(place.toLowerCase()); number++) {
      place = placeOf(clip, withEnding(stem, `${ending}_${number}`))
    }
    taken.add(place.toLowerCase())
    return { source: clip.source, place }
  })
}

/** `stem` with `ending` behind it, the stem cut where the name would be longer than file systems allow. */
function withEnding(stem: string, ending: string): string {
  const characters = [...stem]
  while (Buffer.byteLength(characters.join('') + ending) > longestName) characters.pop()
  return characters.join('') + ending
}

function stemOf(path: string): string {
  return basename(path, extname(path))
}

/** @throws KineoError `usage` when the dataset would lie in the input, and so become input the next time. */
export async function requireApart(input: string, output: string): Promise<void> {
  const [from, to] = [await realPath(resolve(input)), await realPath(resolve(output))]
  const way = relative(from, to)
  if (isWithin(from, to)) {
    throw new KineoError(
      'usage',
      way === '' ? 'Input and output are the same' : 'The output lies in the input',
      {
        where: output,
        remedy: 'Choose a folder outside of the input with --out',
      },
    )
  }
}

/** Whether `path` is `folder` or lies in it; both absolute. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  // On Windows the way to another drive is absolute.
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/**
 * @throws KineoError `usage` when a clip would be written among the videos: `videos/wave/a.mp4` of the input `videos`
 *   stays untouched even if the output is the folder around it and a class has the name of the input.
 */
export async function requireClear(
  clips: readonly PlannedClip[],
  input: string,
  output: string,
): Promise<void> {
  const [from, to] = [await realPath(resolve(input)), await realPath(resolve(output))]
  const within = clips.find(({ place }) => isWithin(from, join(to, place)))
  if (within) {
    throw new KineoError('usage', 'A clip would come to lie among the videos of the input', {
      where: join(output, within.place),
      remedy: 'Choose another folder with --out',
    })
  }
}

/** The real path of what exists, and the rest as it is. */
async function realPath(path: string): Promise<string> {
  const real = await realpath(path).catch(() => null)
  if (real !== null || dirname(path) === path) return real ?? path
  return join(await realPath(dirname(path)), basename(path))
}

/** `1 video`, `3 videos`. */
export function count(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? '' : 's'}`
}
