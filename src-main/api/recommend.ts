import type { ClipRecord, Project } from '../project/index.ts'
import { recommendSettings } from '../tasks/recipe.ts'
import type { Recommendation, TrainSettings } from './contract/index.ts'

/** Settings for the clips of this project, why, about how long they take, and what is in the way. */
export function recommend(project: Project): Recommendation {
  const clips = project.clips.all().filter((clip) => clip.problem === null)
  const train = clips.filter((clip) => clip.split === 'train')
  const val = clips.filter((clip) => clip.split === 'val')
  const classNames = project.clips.classes().map(({ name }) => name)
  // Flow that is not there yet is made before the training; only a dataset without videos has what it has.
  const hasFlow = project.record().kind === 'videos' || clips.every((clip) => clip.hasFlow)
  const { settings, reason } = recommendSettings({
    clipCount: train.length,
    framesPerClip: train.flatMap((clip) => (clip.frameCount === null ? [] : [clip.frameCount])),
    classNames,
    hasFlow,
  })
  return {
    settings,
    reason,
    estimatedSeconds: estimateSeconds(project, settings, train.length),
    blockedBy: blockedBy(classNames, train, val),
  }
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
    const [noun, verb] = missing.length === 1 ? ['The class', 'has'] : ['The classes', 'have']
    return `${noun} ${names} ${verb} no clip to train with`
  }
  if (val.length === 0) {
    return 'There is no clip to check the training with: add at least two clips to each class'
  }
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
