import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { KineoError } from '../core/errors.ts'
import type { ModelType } from '../core/streams.ts'
import { isVideoFile } from '../core/video-file.ts'
import { mapBounded } from './bounded.ts'
import { countOf, isSystemEntry, listFrames, unreadableFolder, type FrameLists } from './frame-folders.ts'
import { problemsError, type ReportNote } from './problems.ts'

/** One video of a dataset in TAO's layout: a folder of frames. Flow image `v[i]` is the partner of `u[i]`. */
export interface VideoSample extends FrameLists {
  /** Absolute path of the video's folder. */
  path: string
  /** Name of the video's folder. */
  name: string
  /** Name of its class, or null where videos are listed without classes. */
  label: string | null
  /** Index of its class in the label map, or null. */
  classIndex: number | null
}

/** readdir waits for the disk, not for the processor: enough in flight to keep a network share busy. */
const foldersAtOnce = 32
const streamFolders = new Set(['rgb', 'u', 'v'])

/** Frames that `sample` offers to a network of `modelType`; for `joint` those that have colour and flow. */
export function frameCount(sample: VideoSample, modelType: ModelType): number {
  if (modelType === 'joint') return Math.min(sample.rgb.length, sample.v.length)
  return modelType === 'rgb' ? sample.rgb.length : sample.v.length
}

/**
 * Lists `<root>/<class>/<video>/{rgb | u,v}` (tao-facts 2.1), sorted by class and video name where TAO takes the
 * file system's order. Entries that begin with a dot or are a system's own are skipped; files beside class or video
 * folders, files that are no images, and classes without videos are told in notes.
 *
 * @param labelMap Class name to class index.
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
  const classes = await entriesOf(folder, 'dataset folder')
  const unknown = classes.folders.filter((name) => !labelMap.has(name))
  if (unknown.length > 0) throw unknownClass(folder, unknown, labelMap)
  noteFiles(classes.files, 'dataset folder', folder, onNote)
  const perClass = await mapBounded(classes.folders, foldersAtOnce, async (label) => ({
    label,
    ...(await entriesOf(join(folder, label), 'class folder')),
  }))
  const videos = perClass.flatMap(({ label, folders }) => folders.map((name) => ({ label, name })))
  const files = perClass.flatMap((inside) => inside.files)
  if (videos.length === 0) throw noVideos(folder, 'The dataset has no videos', [...classes.files, ...files])
  for (const inside of perClass) {
    const path = join(folder, inside.label)
    if (inside.folders.length > 0 && inside.folders.every((name) => streamFolders.has(name))) {
      throw new KineoError('input', 'A class folder has frames where its videos should be', {
        where: path,
        remedy: 'It needs one folder for each video, with rgb, u and v in it',
      })
    }
    noteFiles(inside.files, 'class folder', path, onNote)
  }
  const filled = new Set(videos.map(({ label }) => label))
  const missing = [...labelMap.keys()].filter((label) => !filled.has(label))
  if (missing.length > 0) onNote(withoutVideos(folder, missing))
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
  const { folders, files } = await entriesOf(folder, 'folder of videos')
  if (folders.length === 0) throw noVideos(folder, 'The folder has no videos', files)
  // Whoever lists prepared videos may take video files beside them by itself.
  noteFiles(
    files.filter((name) => !isVideoFile(name)),
    'folder of videos',
    folder,
    onNote,
  )
  return readVideos(
    folders.map((name) => ({ path: join(folder, name), name, label: null, classIndex: null })),
    modelType,
    onNote,
  )
}

async function readVideos(
  videos: Omit<VideoSample, keyof FrameLists>[],
  modelType: ModelType,
  onNote: ReportNote,
): Promise<VideoSample[]> {
  const found = await mapBounded(videos, foldersAtOnce, async (video): Promise<VideoSample | KineoError> => {
    try {
      return { ...video, ...(await listFrames(video.path, modelType, onNote)) }
    } catch (error) {
      if (error instanceof KineoError) return error
      throw error
    }
  })
  const problems = found.filter((video) => video instanceof KineoError)
  if (problems.length > 0) {
    throw problemsError(
      problems,
      `${problems.length} of ${videos.length} videos cannot be used`,
      'Prepare them again with `kineo preprocess`, or remove their folders',
    )
  }
  return found.filter((video): video is VideoSample => !(video instanceof KineoError))
}

/** Names of the folders in `folder` (links to folders too) and of the files, sorted, without what is to be skipped. */
async function entriesOf(folder: string, kind: string): Promise<{ folders: string[]; files: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadableFolder(folder, kind, error)
  })
  const folders: string[] = []
  const files: string[] = []
  for (const entry of entries) {
    if (isSystemEntry(entry.name)) continue
    const isFolder =
      entry.isDirectory() ||
      (entry.isSymbolicLink() &&
        (await stat(join(folder, entry.name)).catch(() => null))?.isDirectory() === true)
    ;(isFolder ? folders : files).push(entry.name)
  }
  return { folders: folders.sort(), files: files.sort() }
}

function noteFiles(files: readonly string[], kind: string, folder: string, onNote: ReportNote): void {
  if (files.length === 0) return
  const hint = files.some(isVideoFile) ? '; videos have to be prepared with `kineo preprocess` first' : ''
  onNote(`Ignored ${countOf(files, 'file')} in the ${kind} ${folder}${hint}`)
}

function withoutVideos(folder: string, missing: readonly string[]): string {
  const names = missing.map((name) => `"${name}"`).join(', ')
  const kind = missing.length === 1 ? `The class ${names} has` : `The classes ${names} have`
  return `${kind} no videos in ${folder}: add ${missing.length === 1 ? 'its folder' : 'their folders'}, or take ${missing.length === 1 ? 'it' : 'them'} out of label_map`
}

function noVideos(folder: string, what: string, files: readonly string[]): KineoError {
  return new KineoError('input', what, {
    where: folder,
    remedy: files.some(isVideoFile)
      ? 'It holds video files; make folders of frames of them with `kineo preprocess`'
      : what.includes('dataset')
        ? 'It needs one folder for each class, with one folder for each video in it'
        : 'It needs one folder of frames for each video',
  })
}

function unknownClass(folder: string, unknown: string[], labelMap: ReadonlyMap<string, number>): KineoError {
  const classes = [...labelMap.keys()].join(', ')
  const listed = unknown.map((name) => `"${name}"`).join(', ')
  const what =
    unknown.length === 1
      ? `The class ${listed} is not in the label map`
      : `The classes ${listed} are not in the label map`
  const split = ['train', 'val', 'test'].find((name) => unknown.includes(name))
  const remedy =
    split !== undefined
      ? `Point to the folder that holds the classes, such as ${join(folder, split)}`
      : unknown.some((name) => streamFolders.has(name))
        ? 'This is the folder of one video; point to the folder that holds the classes'
        : `The label map has: ${classes}. Add the class or remove the folder`
  return new KineoError('input', what, { where: folder, remedy })
}
