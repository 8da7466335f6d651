import { parse, stringify } from 'yaml'
import { KineoError } from '../core/errors.ts'
import { isReadyFor } from '../project/index.ts'
import type { ClipRecord, Project } from '../project/index.ts'
import {
  adviceOn,
  checkSpec,
  describeSections,
  describeSpec,
  parseSpec,
  specToYaml,
  type Spec,
} from '../spec/index.ts'
import {
  projectKeys,
  type RecipeWish,
  recipeSpec,
  recommendSettings,
  settingsOf,
  type SpecTree,
} from '../tasks/index.ts'
import type { SpecChanges, SpecKey, SpecSection, TrainPlan, TrainSettings } from './contract/index.ts'
import { plural } from './source-folder.ts'

/** A run that can be started. */
export interface PlannedRun {
  settings: TrainSettings
  /** The experiment spec without the keys of the project. */
  experiment: SpecTree
}

const knownKeys: ReadonlySet<string> = new Set(describeSpec().map(({ key }) => key))

type Problem = TrainPlan['problems'][number]

/** Every key of the experiment spec and the groups they stand in, in the words of the schema. */
export function specKeys(): { sections: SpecSection[]; keys: SpecKey[] } {
  return {
    sections: [
      ...describeSections().map(({ section, meaning }) => ({ section, meaning })),
      { section: '', meaning: 'What concerns every command.' },
    ],
    keys: describeSpec().map((each) => ({
      key: each.key,
      section: each.section,
      kind: each.kind,
      rule: each.rule,
      choices: each.kind === 'choice' ? [...each.choices] : [],
      default: written(each.default),
      meaning: each.meaning,
      taoDifference: each.taoDifference,
      lockedBy: lockOf(each.key),
    })),
  }
}

function lockOf(key: string): string | null {
  if (projectKeys.has(key)) return 'The project sets it.'
  if (key === 'encryption_key') {
    return 'On the command line only: the project file is no safe place for a key.'
  }
  return null
}

/** What a run with these changes to the recipe would be: settings, spec, what is wrong, and what is in the way. */
export function planRun(project: Project, changes: SpecChanges): TrainPlan {
  const { recommended, experiment, spec, problems, advice } = drawUp(project, changes)
  const settings = spec === null ? recommended.settings : settingsOf(spec)
  const clips = usableClips(project)
  const recipe = parseSpec(recipeSpec(recommended.settings))
  // To these the rest of the recipe is fitted; the recipe's own are those without a wish.
  const own = recommendSettings(factsOf(project)).settings
  recipe.model.model_type = own.modelType
  recipe.model.input_type = own.inputType
  recipe.train.num_epochs = own.epochs
  return {
    settings,
    reason: recommended.reason,
    estimatedSeconds: estimateSeconds(
      project,
      settings,
      clips.filter(({ split }) => split === 'train').length,
    ),
    blockedBy: blockedBy(project, settings, clips),
    recipe: Object.fromEntries(
      describeSpec()
        .filter(({ key }) => lockOf(key) === null)
        .map(({ key }) => [key, written(valueAt(recipe, key))]),
    ),
    problems,
    advice,
    yaml: spec === null ? null : specToYaml(parseSpec(experiment)),
  }
}

/** @throws KineoError with what is in the way, or with everything that is wrong with the changes. */
export function plannedRun(project: Project, changes: SpecChanges): PlannedRun {
  const { experiment, spec, problems } = drawUp(project, changes)
  if (spec === null) {
    const list = problems.map(({ key, message }) => `${key}: ${message}`)
    throw new KineoError('spec', list.join('; '))
  }
  const settings = settingsOf(spec)
  const blocked = blockedBy(project, settings, usableClips(project))
  if (blocked !== null) throw new KineoError('input', blocked)
  return { settings, experiment }
}

interface Draft {
  recommended: ReturnType<typeof recommendSettings>
  experiment: SpecTree
  /** Null while there are problems. */
  spec: Spec | null
  problems: Problem[]
  advice: Problem[]
}

function drawUp(project: Project, changes: SpecChanges): Draft {
  const { values, problems } = readChanges(changes)
  const recommended = recommendSettings(factsOf(project), wishOf(values))
  const experiment = recipeSpec(recommended.settings)
  for (const [key, value] of values) setAt(experiment, key.split('.'), value)
  const reading = checkSpec(experiment)
  const all = [...problems, ...reading.problems.map(({ key, message }) => ({ key: ownerOf(key), message }))]
  const spec = all.length === 0 ? reading.spec : null
  const places = new Map([...values.keys()].map((key) => [key, 'all settings']))
  const advice = [...reading.notes, ...adviceOn({ spec, places })].map(({ key, message }) => ({
    key,
    message,
  }))
  return { recommended, experiment, spec, problems: all, advice }
}

/** The key of the spec in whose value a problem lies, such as `train.class_weights` for one of its classes. */
function ownerOf(key: string): string {
  return [...knownKeys].find((known) => key === known || key.startsWith(`${known}.`)) ?? key
}

/** The values that were written, as YAML reads them. */
function readChanges(changes: SpecChanges): { values: Map<string, unknown>; problems: Problem[] } {
  const values = new Map<string, unknown>()
  const problems: Problem[] = []
  for (const [key, text] of Object.entries(changes)) {
    if (!knownKeys.has(key)) {
      problems.push({ key, message: 'is not a key of the spec' })
      continue
    }
    const lock = lockOf(key)
    if (lock !== null) {
      problems.push({ key, message: lock })
      continue
    }
    try {
      values.set(key, parse(text) ?? null)
    } catch {
      problems.push({ key, message: `is not valid YAML: ${text}` })
    }
  }
  return { values, problems }
}

function wishOf(values: ReadonlyMap<string, unknown>): RecipeWish {
  const modelType = (['rgb', 'of', 'joint'] as const).find((each) => each === values.get('model.model_type'))
  const inputType = (['2d', '3d'] as const).find((each) => each === values.get('model.input_type'))
  const epochs = Number(values.get('train.num_epochs'))
  return {
    ...(modelType === undefined ? {} : { modelType }),
    ...(inputType === undefined ? {} : { inputType }),
    ...(Number.isSafeInteger(epochs) && epochs > 0 ? { epochs } : {}),
  }
}

function factsOf(project: Project): Parameters<typeof recommendSettings>[0] {
  const clips = usableClips(project)
  const train = clips.filter((clip) => clip.split === 'train')
  return {
    clipCount: train.length,
    framesPerClip: train.flatMap((clip) => (clip.frameCount === null ? [] : [clip.frameCount])),
    classNames: project.clips.classes().map(({ name }) => name),
    // Flow that is not there yet is made before the training; only a dataset without videos has what it has.
    hasFlow: project.record().kind === 'videos' || clips.every((clip) => clip.hasFlow),
  }
}

function usableClips(project: Project): ClipRecord[] {
  return project.clips.all().filter((clip) => clip.problem === null)
}

function blockedBy(
  project: Project,
  { modelType }: TrainSettings,
  clips: readonly ClipRecord[],
): string | null {
  const train = clips.filter((clip) => clip.split === 'train')
  if (train.length === 0) return 'No clip can be used for training'
  const classNames = project.clips.classes().map(({ name }) => name)
  const missing = classNames.filter((name) => !train.some((clip) => clip.className === name))
  if (missing.length > 0) {
    const names = missing.map((name) => `"${name}"`).join(', ')
    const [noun, verb] = missing.length === 1 ? ['The class', 'has'] : ['The classes', 'have']
    return `${noun} ${names} ${verb} no clip to train with`
  }
  if (!clips.some((clip) => clip.split === 'val')) {
    return 'There is no clip to check the training with: add at least two different clips to each class'
  }
  return project.record().kind === 'videos' ? null : missingFrames(clips, modelType)
}

/** What a dataset without videos, from which it could be made, lacks for this type of network. */
function missingFrames(clips: readonly ClipRecord[], modelType: TrainSettings['modelType']): string | null {
  const lacking = clips.filter((clip) => !isReadyFor(clip, modelType))
  if (lacking.length === 0) return null
  const what =
    modelType === 'of' ? 'optical flow' : modelType === 'rgb' ? 'pictures' : 'both pictures and optical flow'
  const [verb, remedy] = [
    lacking.length === 1 ? 'has' : 'have',
    modelType === 'rgb' ? 'Train on motion instead' : 'Train on pictures instead',
  ]
  const without = modelType === 'joint' ? 'not ' : 'no '
  return `${plural(lacking.length, 'clip')} of this dataset ${verb} ${without}${what}. ${remedy}, or open the folder of the original videos`
}

/** From the speed of the newest run with the same kind of network, scaled by the work for a clip. */
function estimateSeconds(project: Project, settings: TrainSettings, trainClips: number): number | null {
  for (const { id, settings: before } of project.runs.all().reverse()) {
    const sameKind =
      before.modelType === settings.modelType &&
      before.inputType === settings.inputType &&
      before.backbone === settings.backbone
    if (!sameKind) continue
    const speed = project.runs.epochs(id).at(-1)?.clipsPerSecond
    if (speed === undefined || speed <= 0) continue
    return (trainClips * settings.epochs * pixelsOf(settings)) / pixelsOf(before) / speed
  }
  return null
}

/** What the time for a clip grows with: in 3D every frame is worked on, in 2D the frames only widen the first layer. */
function pixelsOf({ modelType, inputType, rgbFrames, ofFrames, height, width }: TrainSettings): number {
  const frames = modelType === 'rgb' ? rgbFrames : ofFrames
  return height * width * (inputType === '3d' ? frames : 1)
}

/** A value as one line of YAML, as a person would write it behind `key:`. */
function written(value: unknown): string {
  if (value === null || value === undefined) return ''
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()
}

function valueAt(tree: unknown, key: string): unknown {
  let value = tree
  for (const part of key.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as SpecTree)[part] : undefined
  }
  return value
}

function setAt(tree: SpecTree, parts: readonly string[], value: unknown): void {
  const [first = '', ...rest] = parts
  if (rest.length === 0) {
    tree[first] = value
    return
  }
  const child = tree[first]
  const group: SpecTree = typeof child === 'object' && child !== null ? { ...child } : {}
  tree[first] = group
  setAt(group, rest, value)
}
