import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve, sep } from 'node:path'
import { KineoError } from '../core/errors.ts'
import type { ModelType } from '../core/streams.ts'
import { mapBounded } from './bounded.ts'
import { problemsError, type ReportNote } from './problems.ts'

/** One video of a dataset in TAO's layout: a folder of frames. */
export interface VideoSample {
  /** Absolute path of the video's folder. */
  path: string
  /** Name of the video's folder. */
  name: string
  /** Name of its class, or null where videos are listed without classes. */
  label: string | null
  /** Index of its class in the label map, or null. */
  classIndex: number | null
  /** Absolute paths of the colour frames in order; empty where only flow is looked at. */
  rgb: string[]
  /** Absolute paths of the horizontal flow images in order; empty where only colour is looked at. */
  u: string[]
  /** Absolute paths of the vertical flow images, the partner of `u[i]` at `i`. */
  v: string[]
}

const imageName = /\.(png|jpe?g|bmp|gif|tiff?|webp)$/i
/** readdir waits for the disk, not for the processor: enough in flight to keep a network share busy. */
const foldersAtOnce = 32

/** Frames that `sample` offers to a network of `modelType`; for `joint` those that have colour and flow. */
export function frameCount(sample: VideoSample, modelType: ModelType): number {
  if (modelType === 'joint') return Math.min(sample.rgb.length, sample.v.length)
  return modelType === 'rgb' ? sample.rgb.length : sample.v.length
}

/**
 * Lists `<root>/<class>/<video>/{rgb | u,v}` (tao-facts 2.1), sorted by class and video name where TAO takes the
 * file system's order. Entries that begin with a dot are skipped; files beside class or video folders and files
 * that are no images are left out with a note.
 *
 * @param labelMap Class name to class index. A class without a folder is fine.
 * @throws KineoError `input` when the root or every video is missing, a class is not in the label map, or a video has
 * no frames or u and v that do not pair; all unusable videos are told at once.
 */
export async function listDataset(
  root: string,
  labelMap: ReadonlyMap<string, number>,
  modelType: ModelType,
  onNote: ReportNote = () => {},
): Promise<VideoSample[]> {
  const folder = resolve(root)
  const classNames = await subfolders(folder, 'dataset folder', onNote)
  const unknown = classNames.filter((name) => !labelMap.has(name))
  if (unknown.length > 0) throw unknownClass(folder, unknown, labelMap)
  const perClass = await mapBounded(classNames, foldersAtOnce, (name) =>
    subfolders(join(folder, name), 'class folder', onNote),
  )
  const videos = classNames.flatMap((label, i) => (perClass[i] ?? []).map((name) => ({ label, name })))
  if (videos.length === 0) {
    throw new KineoError('input', 'The dataset has no videos', {
      where: folder,
      remedy: 'It needs one folder for each class, with one folder for each video in it',
    })
  }
  return readVideos(
    videos.map(({ label, name }) => ({
      path: join(folder, label, name),
      name,
      label,
      classIndex: labelMap.get(label) ?? null,
    })),
    modelType,
    onNote,
  )
}

/**
 * Lists the videos `<classFolder>/<video>/{rgb | u,v}` of one folder, without labels, sorted by name.
 *
 * @throws KineoError `input` as listDataset.
 */
export async function listVideos(
  classFolder: string,
  modelType: ModelType,
  onNote: ReportNote = () => {},
): Promise<VideoSample[]> {
  const folder = resolve(classFolder)
  const names = await subfolders(folder, 'folder of videos', onNote)
  if (names.length === 0) {
    throw new KineoError('input', 'The folder has no videos', {
      where: folder,
      remedy: 'It needs one folder of frames for each video',
    })
  }
  return readVideos(
    names.map((name) => ({ path: join(folder, name), name, label: null, classIndex: null })),
    modelType,
    onNote,
  )
}

type FoundVideo = Pick<VideoSample, 'path' | 'name' | 'label' | 'classIndex'>

async function readVideos(
  videos: FoundVideo[],
  modelType: ModelType,
  onNote: ReportNote,
): Promise<VideoSample[]> {
  const problems: KineoError[] = []
  const samples = await mapBounded(videos, foldersAtOnce, async (video): Promise<VideoSample | null> => {
    try {
      const rgb = modelType === 'of' ? [] : await frames(join(video.path, 'rgb'), onNote)
      if (modelType === 'rgb') return { ...video, rgb, u: [], v: [] }
      const u = await frames(join(video.path, 'u'), onNote)
      const v = await frames(join(video.path, 'v'), onNote)
      checkPairs(video.path, u, v)
      return { ...video, rgb, u, v }
    } catch (error) {
      if (!(error instanceof KineoError)) throw error
      problems.push(error)
      return null
    }
  })
  if (problems.length > 0) {
    throw problemsError(
      problems,
      `${problems.length} of ${videos.length} videos cannot be used`,
      'Prepare them again with `kineo preprocess`, or remove their folders',
    )
  }
  return samples.filter((sample) => sample !== null)
}

/** Names of the folders in `folder` (links to folders too), sorted, without dot entries. */
async function subfolders(folder: string, kind: string, onNote: ReportNote): Promise<string[]> {
  const entries = await reading(readdir(folder, { withFileTypes: true }), folder, kind)
  const names: string[] = []
  const files: string[] = []
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const isFolder =
      entry.isDirectory() ||
      (entry.isSymbolicLink() &&
        (await stat(join(folder, entry.name)).catch(() => null))?.isDirectory() === true)
    ;(isFolder ? names : files).push(entry.name)
  }
  if (files.length > 0) onNote(`Ignored ${countOf(files, 'file')} in the ${kind} ${folder}`)
  return names.sort()
}

/** Absolute paths of the images in `folder`, in order. */
async function frames(folder: string, onNote: ReportNote): Promise<string[]> {
  const all = (await reading(readdir(folder), folder, 'folder of frames')).filter(
    (name) => !name.startsWith('.'),
  )
  const images = all.filter((name) => imageName.test(name))
  if (images.length === 0) {
    throw new KineoError('input', 'A video has no frames', {
      where: folder,
      remedy: 'Prepare it again with `kineo preprocess`, or remove its folder',
    })
  }
  if (images.length < all.length) {
    onNote(
      `Ignored ${countOf(
        all.filter((name) => !imageName.test(name)),
        'file',
      )} that are no images in ${folder}`,
    )
  }
  // Concatenated, so that a hundred frames share the text of their folder until one is opened.
  return sortFrameNames(images).map((name) => `${folder}${sep}${name}`)
}

/** Waits for the reading of a folder; a folder that is missing or unreadable is told as what it is for. */
async function reading<T>(entries: Promise<T>, folder: string, kind: string): Promise<T> {
  try {
    return await entries
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reason: Record<string, string> = { ENOENT: 'is missing', ENOTDIR: 'is not a folder' }
    const what = reason[String(code)] ?? `cannot be read (${String(code)})`
    throw new KineoError('input', `The ${kind} ${what}`, { where: folder, cause: error })
  }
}

/**
 * Frame names in the order of time: sorted as text, as TAO does. Names of unequal length are sorted by their last number first,
 * where text would put `10.png` before `2.png` and so break the order of time.
 */
export function sortFrameNames(names: readonly string[]): string[] {
  const length = names[0]?.length ?? 0
  if (names.every((name) => name.length === length)) return names.toSorted()
  const numbered = names.map((name) => ({ name, number: Number(/(\d+)\D*$/.exec(name)?.[1] ?? NaN) }))
  if (numbered.some(({ number }) => Number.isNaN(number))) return names.toSorted()
  numbered.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1))
  return numbered.map(({ name }) => name)
}

function checkPairs(path: string, u: string[], v: string[]): void {
  if (u.length !== v.length) {
    throw new KineoError('input', `A video has ${u.length} images in u and ${v.length} in v`, {
      where: path,
      remedy: 'Prepare it again with `kineo preprocess`',
    })
  }
  const stem = (file: string): string => basename(file).replace(imageName, '')
  const odd = u.findIndex((file, i) => stem(file) !== stem(v[i] ?? ''))
  if (odd >= 0) {
    throw new KineoError('input', `The flow images of a video do not pair: ${basename(u[odd] ?? '')} in u`, {
      where: `${path} (${basename(v[odd] ?? '')} in v)`,
      remedy: 'Prepare it again with `kineo preprocess`',
    })
  }
}

function unknownClass(folder: string, unknown: string[], labelMap: ReadonlyMap<string, number>): KineoError {
  const classes = [...labelMap.keys()].join(', ')
  const listed = unknown.map((name) => `"${name}"`).join(', ')
  const what =
    unknown.length === 1
      ? `The class ${listed} is not in the label map`
      : `The classes ${listed} are not in the label map`
  const split = ['train', 'val', 'test'].find((name) => unknown.includes(name))
  return new KineoError('input', what, {
    where: folder,
    remedy:
      split === undefined
        ? `The label map has: ${classes}. Add the class or remove the folder`
        : `Point to the folder that holds the classes, such as ${join(folder, split)}`,
  })
}

function countOf(names: string[], noun: string): string {
  return names.length === 1
    ? `1 ${noun} (${names[0] ?? ''})`
    : `${names.length} ${noun}s (${names[0] ?? ''}, ...)`
}
