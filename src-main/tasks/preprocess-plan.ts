import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isVideoFile } from '../core/video-file.ts'
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

/** Names of the folder beside train/ that is for validation; the first that is there is taken. */
export const validationNames = ['val', 'valid', 'validation', 'test']
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
    plan.notes.push(...(await setAside(undecided(found), valFraction, seed, signal)))
  }
  plan.clips = nameClips(found)
  return plan
}

function unlabelled(source: string): Found {
  return { source, split: null, className: null }
}

async function findVideos(root: string, plan: Plan): Promise<Found[]> {
  const { folders, files } = await list(root, plan)
  const train = folders.find((name) => name.toLowerCase() === 'train')
  if (train !== undefined && !(await holdsVideos(join(root, train)))) {
    const found = await findClasses(join(root, train), 'train', plan)
    if (found.length > 0) {
      const names = validationNames.map((known) => folders.find((name) => name.toLowerCase() === known))
      const val = names.find((name) => name !== undefined)
      if (val !== undefined) found.push(...(await findClasses(join(root, val), 'val', plan)))
      const test = folders.find((name) => name !== val && name.toLowerCase() === 'test')
      if (test !== undefined) found.push(...(await findClasses(join(root, test), 'test', plan)))
      const others = folders.filter((name) => ![train, val, test].includes(name))
      if (others.length > 0) plan.notes.push(`Left out beside ${train}: ${others.join(', ')}`)
      return found
    }
  }
  const videos = candidates(root, files, plan)
  const labelled = await findClasses(root, null, plan)
  if (labelled.length > 0 && videos.length > 0) {
    plan.notes.push(`${count(videos.length, 'video')} beside the class folders left out: they have no class`)
  }
  return labelled.length > 0 ? labelled : videos.map(unlabelled)
}

async function findClasses(folder: string, split: Found['split'], plan: Plan): Promise<Found[]> {
  const found: Found[] = []
  for (const className of (await list(folder)).folders) {
    const path = join(folder, className)
    const { folders, files } = await list(path, plan)
    const videos = candidates(path, files, plan)
    if (videos.length > 0 && folders.length > 0) {
      plan.notes.push(`Left out, being folders within class ${className}: ${folders.join(', ')}`)
    }
    found.push(...videos.map((source) => ({ source, split, className })))
  }
  return found
}

function candidates(folder: string, files: readonly string[], plan: Plan): string[] {
  const isCandidate = (name: string): boolean =>
    isVideoFile(name) || soundExtensions.has(extname(name).toLowerCase())
  plan.ignored.push(...files.filter((name) => !isCandidate(name)).map((name) => join(folder, name)))
  return files.filter(isCandidate).map((name) => join(folder, name))
}

async function holdsVideos(folder: string): Promise<boolean> {
  return (await list(folder)).files.some((name) => isVideoFile(name))
}

/**
 * Folders and files of a folder by name; hidden ones are passed over, links are followed. A link to nothing counts as a
 * file, which is found out later; what is no file at all (a pipe would be read forever) goes to the ignored ones of `plan`.
 */
async function list(folder: string, plan?: Plan): Promise<{ folders: string[]; files: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new KineoError('input', 'The folder cannot be read', { where: folder, cause })
  })
  const folders: string[] = []
  const files: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => null) : entry
    if (target?.isDirectory()) folders.push(entry.name)
    else if (target?.isFile() ?? true) files.push(entry.name)
    else plan?.ignored.push(join(folder, entry.name))
  }
  return { folders, files }
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
