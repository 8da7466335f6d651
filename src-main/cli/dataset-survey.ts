import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { streamsOf, type ModelType } from '../core/streams.ts'
import { listDataset, type VideoSample } from '../dataset/index.ts'
import { validationNames } from '../tasks/preprocess-plan.ts'

/** The folders of a data set and what is in them. */
export interface DatasetSurvey {
  trainFolder: string
  /** Null when nothing is set aside for validation. */
  valFolder: string | null
  /** Sorted. */
  classNames: string[]
  trainVideos: VideoSample[]
  /** True when every training video has optical flow. */
  hasFlow: boolean
}

/**
 * Looks at a data set in TAO's layout, with or without `train/` and `val/` above its classes.
 * @throws KineoError `input` when there is no such data set there, with what is there instead.
 */
export async function surveyDataset(root: string): Promise<DatasetSurvey> {
  const names = await folderNames(root)
  const isSplit = names.includes('train')
  const trainFolder = isSplit ? join(root, 'train') : root
  const val = isSplit ? validationNames.find((name) => names.includes(name)) : undefined
  const classNames = isSplit ? await folderNames(trainFolder) : names
  await refuseOtherLayouts(root, trainFolder, classNames)
  const { videos, hasFlow } = await trainingVideos(trainFolder, classNames)
  return {
    trainFolder,
    valFolder: val === undefined ? null : join(root, val),
    classNames,
    trainVideos: videos,
    hasFlow,
  }
}

async function refuseOtherLayouts(root: string, trainFolder: string, classNames: string[]): Promise<void> {
  const first = classNames[0]
  if (first === undefined) {
    throw new KineoError('input', 'The data set has no class folders', {
      where: trainFolder,
      remedy: 'Make one of your videos with kineo preprocess VIDEOS --out DATASET',
    })
  }
  const below = await folderNames(join(trainFolder, first))
  if (below.includes('rgb') || below.includes('u')) {
    throw new KineoError('input', 'This is a folder of videos of one class, not of classes', {
      where: root,
      remedy: 'Give the folder above it',
    })
  }
  if (below.length === 0) {
    throw new KineoError('input', 'The class folder has no prepared videos', {
      where: join(trainFolder, first),
      remedy: 'If it has video files, make frames of them first: kineo preprocess VIDEOS --out DATASET',
    })
  }
}

async function trainingVideos(
  folder: string,
  classNames: readonly string[],
): Promise<{ videos: VideoSample[]; hasFlow: boolean }> {
  const labelMap = new Map(classNames.map((name, index) => [name, index]))
  const list = (modelType: ModelType): Promise<VideoSample[]> => listDataset(folder, labelMap, modelType)
  try {
    return { videos: await list('joint'), hasFlow: true }
  } catch (error) {
    if (!(error instanceof KineoError)) throw error
  }
  return { videos: await list('rgb'), hasFlow: false }
}

/** The shortest and the longest video, in frames of the longer stream that a network of `modelType` takes. */
export function frameRange(videos: readonly VideoSample[], modelType: ModelType): [number, number] {
  const counts = videos.map((video) =>
    Math.max(...streamsOf(modelType).map((stream) => (stream === 'rgb' ? video.rgb : video.u).length)),
  )
  return [Math.min(...counts), Math.max(...counts)]
}

/** Names of the folders in `folder`, sorted, without dot entries. @throws KineoError `input` when it cannot be read. */
export async function folderNames(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort()
  } catch (error) {
    throw new KineoError('input', 'Cannot read the folder', {
      where: folder,
      remedy: 'Check the path',
      cause: error,
    })
  }
}
