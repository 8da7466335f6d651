import { existsSync } from 'node:fs'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { KineoError } from '../../core/errors.ts'
import type { ModelType } from '../../core/streams.ts'
import { commentedYaml, describeSpec, parseSpec } from '../../spec/index.ts'
import { type DatasetFacts, type RecipeWish, recipeSpec, recommendSettings } from '../../tasks/recipe.ts'
import type { CommandContext } from '../command.ts'
import { type DatasetSurvey, surveyDataset } from '../dataset-survey.ts'
import { readOptions } from '../read-options.ts'

const checkpoint = '${results_dir}/train/ar_model_latest.pth'

/** `kineo spec init`: writes a spec that trains. */
export async function initSpec(args: string[], { terminal }: CommandContext): Promise<number> {
  const { values, positionals } = readOptions('spec', args, {
    dataset: { type: 'string' },
    'model-type': { type: 'string' },
    'input-type': { type: 'string' },
    out: { type: 'string', default: 'spec.yaml' },
    force: { type: 'boolean', default: false },
  })
  if (positionals.length > 0) {
    throw new KineoError('usage', `kineo spec init takes no ${positionals.join(' ')}`, {
      remedy: 'Name the data set with --dataset',
    })
  }
  const wish: RecipeWish = {
    ...oneOf('--model-type', values['model-type'], ['rgb', 'of', 'joint'] as const, 'modelType'),
    ...oneOf('--input-type', values['input-type'], ['2d', '3d'] as const, 'inputType'),
  }
  const file = values.out
  if (existsSync(file) && !values.force) {
    throw new KineoError('output', 'The file is there already', {
      where: file,
      remedy: 'Give another name with --out, or --force to replace it',
    })
  }
  const survey = values.dataset === undefined ? null : await surveyDataset(values.dataset)
  if (survey !== null && !survey.hasFlow && wish.modelType !== undefined && wish.modelType !== 'rgb') {
    throw new KineoError(
      'input',
      `A network for ${wish.modelType} needs optical flow, which not every video has`,
      {
        where: survey.trainFolder,
        remedy: 'Make it with kineo preprocess, or take --model-type rgb',
      },
    )
  }
  const { tree, reason } = starterSpec(survey, wish)
  const text = commentedYaml(tree, heading(file))
  await writeFileAtomic(file, text)
  tellWhatWasWritten(file, survey, reason, { terminal })
  terminal.event('result', { file, spec: parseSpec(tree) })
  return 0
}

function oneOf<const T extends string, const K extends string>(
  option: string,
  value: string | undefined,
  choices: readonly T[],
  name: K,
): Partial<Record<K, T>> {
  if (value === undefined) return {}
  const found = choices.find((choice) => choice === value)
  if (found === undefined) {
    throw new KineoError('usage', `${option} is ${choices.join(', ')}, not ${value}`, {
      remedy: 'kineo spec --help shows the options',
    })
  }
  return { [name]: found } as Record<K, T>
}

type Tree = Record<string, unknown>

/** The recipe of the app for this data set, as a spec with its folders and classes. */
function starterSpec(survey: DatasetSurvey | null, wish: RecipeWish): { tree: Tree; reason: string } {
  const { settings, reason } = recommendSettings(factsOf(survey, wish), wish)
  const recipe = recipeSpec(settings)
  const classNames = survey?.classNames ?? ['walk', 'fall']
  const tree = {
    ...recipe,
    dataset: {
      train_dataset_dir: survey?.trainFolder ?? 'dataset/train',
      val_dataset_dir: survey === null ? 'dataset/val' : survey.valFolder,
      label_map: Object.fromEntries(classNames.map((name, index) => [name, index])),
      ...group(recipe, 'dataset'),
    },
    evaluate: { checkpoint, ...group(recipe, 'evaluate') },
    inference: { checkpoint, ...group(recipe, 'inference') },
    export: { checkpoint, onnx_file: '${results_dir}/export/model.onnx' },
    results_dir: 'results',
  }
  return { tree: onlyFor(settings.modelType, tree), reason }
}

function factsOf(survey: DatasetSurvey | null, { modelType }: RecipeWish): DatasetFacts {
  if (survey === null) {
    return { clipCount: 100, framesPerClip: [], classNames: [], hasFlow: (modelType ?? 'rgb') !== 'rgb' }
  }
  return {
    clipCount: survey.trainVideos.length,
    framesPerClip: survey.trainVideos.map(({ rgb }) => rgb.length),
    classNames: survey.classNames,
    hasFlow: survey.hasFlow,
  }
}

/** Leaves out the keys of a stream that the network does not have. */
function onlyFor(modelType: ModelType, tree: Tree, prefix = ''): Tree {
  const kept = Object.entries(tree).flatMap(([name, value]): [string, unknown][] => {
    const key = prefix + name
    if (isGroup(value)) return [[name, onlyFor(modelType, value, `${key}.`)]]
    const description = describeSpec().find((other) => other.key === key)
    return description === undefined || description.appliesTo.modelTypes.includes(modelType)
      ? [[name, value]]
      : []
  })
  return Object.fromEntries(kept)
}

function isGroup(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function group(tree: Tree, name: string): Tree {
  const value = tree[name]
  return isGroup(value) ? value : {}
}

function heading(file: string): string[] {
  return [
    'An experiment spec of Kineo. What every key means: kineo spec explain, or docs/spec.md.',
    '',
    `  kineo spec check -e ${file}`,
    `  kineo train      -e ${file}`,
    `  kineo evaluate   -e ${file}`,
    `  kineo inference  -e ${file} inference.inference_dataset_dir=FOLDER`,
    `  kineo export     -e ${file}`,
    '',
    'Relative paths count from the folder in which the command is started.',
  ]
}

function tellWhatWasWritten(
  file: string,
  survey: DatasetSurvey | null,
  reason: string,
  { terminal }: Pick<CommandContext, 'terminal'>,
): void {
  terminal.line(`Wrote ${file}.`)
  if (survey === null) {
    terminal.line(
      'Its folders and classes are examples: put yours in, or start again with --dataset DATASET --force.',
    )
    return
  }
  const { trainVideos, classNames, valFolder } = survey
  terminal.line(`${trainVideos.length} training videos of ${classNames.length} classes. ${reason}`)
  if (valFolder === null) {
    terminal.line('No videos are set aside for validation: kineo preprocess --val 0.2 does that.')
  }
  terminal.line(`Next: kineo spec check -e ${file}, then kineo train -e ${file}`)
}
