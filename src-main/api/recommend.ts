import type { ClipRecord, Project } from '../project/index.ts'
import type { Recommendation, TrainSettings } from './contract/index.ts'
import { plural } from './source-folder.ts'

/** Frames that a network sees of a clip where the clips are long enough. */
const usualFrames = { of: 10, rgb: 8 } as const
const size = 112
/** Enough steps for a network that starts from nothing; more epochs where there are fewer clips. */
const wantedSteps = 175
/** Words in class names that a mirror image makes wrong. */
const sided = /(^|[^a-z])(left|right|clockwise|counter|anticlockwise|cw|ccw|links|rechts)([^a-z]|$)/i

/** Settings for this data, and why. Without hidden choices: the same data gives the same settings. */
export function recommend(project: Project): Recommendation {
  const clips = project.clips.all().filter((clip) => clip.problem === null)
  const train = clips.filter((clip) => clip.split === 'train')
  const val = clips.filter((clip) => clip.split === 'val')
  const isDataset = project.record().kind === 'tao-dataset'
  const flowless = isDataset && clips.some((clip) => !clip.hasFlow)
  const modelType = flowless ? 'rgb' : 'of'

  const lengths = clips.flatMap((clip) => (clip.frameCount === null ? [] : [clip.frameCount]))
  const shortest = lengths.reduce((least, length) => Math.min(least, length), Number.POSITIVE_INFINITY)
  const available = Math.max(1, modelType === 'of' ? shortest - 1 : shortest)
  const batchSize = Math.max(1, Math.min(16, Math.floor(train.length / 3), Math.max(1, val.length)))
  const stepsPerEpoch = Math.max(1, Math.ceil(train.length / batchSize))
  const classNames = project.clips.classes().map(({ name }) => name)
  const mirrorable = !classNames.some((name) => sided.test(name))

  const settings: TrainSettings = {
    modelType,
    frames: Math.min(usualFrames[modelType], available),
    size,
    epochs: Math.min(60, Math.max(15, Math.ceil(wantedSteps / stepsPerEpoch / 5) * 5)),
    batchSize,
    learningRate: 0.01,
    horizontalFlip: mirrorable,
    seed: 1234,
  }
  return {
    settings,
    reason: reasonFor(settings, flowless, mirrorable, train.length),
    estimatedSeconds: estimateSeconds(project, settings, train.length),
    blockedBy: blockedBy(classNames, train, val),
  }
}

function reasonFor(settings: TrainSettings, flowless: boolean, mirrorable: boolean, count: number): string {
  const input = flowless
    ? 'Pictures, because this dataset has no optical flow'
    : 'Optical flow, because it tells actions apart by motion and needs few clips'
  const mirror = mirrorable
    ? 'clips are also shown mirrored'
    : 'clips are not mirrored, because a class name speaks of a side'
  return `${input}. ${settings.epochs} epochs for ${plural(count, 'clip')} from a fresh network; ${mirror}.`
}

function blockedBy(
  classNames: readonly string[],
  train: readonly ClipRecord[],
  val: readonly ClipRecord[],
): string | null {
  if (train.length === 0) return 'No clip can be used for training'
  const missing = classNames.filter((name) => !train.some((clip) => clip.className === name))
  if (missing.length > 0) {
    const names = missing.map((name) => `"${name}"`).join(', ')
    return `${missing.length === 1 ? 'The class' : 'The classes'} ${names} ${missing.length === 1 ? 'has' : 'have'} no clip to train with`
  }
  if (val.length === 0)
    return 'There is no clip to check the training with: add at least two clips to each class'
  return null
}

/** From the speed of the newest run with the same input, scaled by the work for a clip. */
function estimateSeconds(project: Project, settings: TrainSettings, trainClips: number): number | null {
  for (const run of project.runs.all().reverse()) {
    if (run.settings.modelType !== settings.modelType) continue
    const speed = project.runs.epochs(run.id).at(-1)?.clipsPerSecond
    if (speed === undefined || speed <= 0) continue
    const work = (settings.size / run.settings.size) ** 2
    return (trainClips * settings.epochs * work) / speed
  }
  return null
}
