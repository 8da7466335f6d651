import { dirname } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { streamsOf, type ModelType } from '../core/streams.ts'
import { type ClassFolder, listFolder, readClassFolders } from '../dataset/class-folders.ts'
import { listDataset, type VideoSample } from '../dataset/index.ts'

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
  const { classes } = await reading(
    readClassFolders(root, () => true),
    root,
  )
  const train = classes.filter(({ part }) => part === 'train' || part === null)
  refuseOtherLayouts(root, train)
  const val = classes.find(({ part }) => part === 'val')
  const trainFolder = dirname(train[0]?.path ?? root)
  const classNames = train.map(({ className }) => className)
  const { videos, hasFlow } = await trainingVideos(trainFolder, classNames)
  return {
    trainFolder,
    valFolder: val === undefined ? null : dirname(val.path),
    classNames,
    trainVideos: videos,
    hasFlow,
  }
}

function refuseOtherLayouts(root: string, classes: readonly ClassFolder[]): void {
  const [first] = classes
  if (first === undefined) {
    throw new KineoError('input', 'The data set has no class folders', {
      where: root,
      remedy: 'Make one of your videos with kineo preprocess VIDEOS --out DATASET',
    })
  }
  if (['rgb', 'u', 'v'].some((stream) => first.folders.includes(stream))) {
    throw new KineoError('input', 'This is a folder of videos of one class, not of classes', {
      where: root,
      remedy: 'Give the folder above it',
    })
  }
  if (classes.every(({ folders }) => folders.length === 0)) {
    throw new KineoError('input', 'The class folders have no prepared videos', {
      where: dirname(first.path),
      remedy: 'If they have video files, make frames of them first: kineo preprocess VIDEOS --out DATASET',
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

/** Names of the folders in `folder`, sorted, without hidden ones. @throws KineoError `input` when it cannot be read. */
export async function folderNames(folder: string): Promise<string[]> {
  return (await reading(listFolder(folder), folder)).folders
}

async function reading<T>(work: Promise<T>, folder: string): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new KineoError('input', 'Cannot read the folder', {
      where: folder,
      remedy: 'Check the path',
      cause: error,
    })
  }
}
