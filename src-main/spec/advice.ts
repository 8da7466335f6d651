import { describeSpec } from './describe.ts'
import type { SpecProblem } from './problem.ts'
import type { SpecReading } from './parse.ts'
import type { Spec } from './schema.ts'
import { placeOf } from './source.ts'

type Advice = Pick<SpecProblem, 'key' | 'message'>

/**
 * What a person may want to know about a spec that is right: keys that were written and have no effect, and settings
 * that probably were not meant.
 */
export function adviceOn({ spec, places }: Pick<SpecReading, 'spec' | 'places'>): SpecProblem[] {
  if (spec === null) return []
  return [...withoutEffect(spec, places), ...rules.flatMap((rule) => rule(spec))].map(({ key, message }) => ({
    key,
    message,
    place: placeOf(places, key),
  }))
}

/** Keys that were written although another key turns them off. */
function withoutEffect(spec: Spec, places: ReadonlyMap<string, string>): Advice[] {
  const found: Advice[] = []
  for (const { key, default: standard, appliesTo } of describeSpec()) {
    if (!places.has(key) || same(valueAt(spec, key), standard)) continue
    if (!appliesTo.modelTypes.includes(spec.model.model_type)) {
      found.push({ key, message: `has no effect with model.model_type ${spec.model.model_type}` })
      continue
    }
    for (const [other, values] of Object.entries(appliesTo.onlyWith)) {
      const value = String(valueAt(spec, other))
      if (!values.includes(value)) found.push({ key, message: `has no effect with ${other} ${value}` })
    }
  }
  return found
}

const intervals = ({ train }: Spec): Advice[] =>
  (['checkpoint_interval', 'validation_interval'] as const)
    .filter((name) => train[name] > train.num_epochs)
    .map((name) => ({
      key: `train.${name}`,
      message: `is ${train[name]}, above train.num_epochs (${train.num_epochs}): only the last epoch is ${
        name === 'checkpoint_interval' ? 'saved' : 'validated'
      }`,
    }))

const endlessWarmup = ({ train }: Spec): Advice[] => {
  const { warmup_epochs: warmup } = train.optim
  if (warmup === 0 || warmup < train.num_epochs) return []
  return [
    {
      key: 'train.optim.warmup_epochs',
      message: `is not below train.num_epochs (${train.num_epochs}): the learning rate is still rising when training ends`,
    },
  ]
}

/** A name that tells left from right as a word. */
const sided = /(^|[^a-z])(left|right)([^a-z]|$)/i

const mirrors = ({ dataset }: Spec): Advice[] => {
  const { horizontal_flip_prob: chance, flip_label_map: pairs } = dataset.augmentation_config
  const names = Object.keys(dataset.label_map ?? {}).filter(
    (name) => sided.test(name) && !Object.hasOwn(pairs, name),
  )
  if (chance === 0 || names.length === 0) return []
  return [
    {
      key: 'dataset.augmentation_config.horizontal_flip_prob',
      message: `mirrors clips of ${names.join(', ')}, which a mirror turns into something else; set it to 0, or pair the classes in flip_label_map`,
    },
  ]
}

const oneClass = ({ dataset }: Spec): Advice[] =>
  dataset.label_map !== null && Object.keys(dataset.label_map).length === 1
    ? [{ key: 'dataset.label_map', message: 'has one class: there is nothing to tell it from' }]
    : []

const sameVideos = ({ dataset }: Spec): Advice[] =>
  dataset.train_dataset_dir !== null && dataset.train_dataset_dir === dataset.val_dataset_dir
    ? [
        {
          key: 'dataset.val_dataset_dir',
          message: 'is the training folder: validation will look better than it is',
        },
      ]
    : []

const twiceBalanced = ({ dataset, train }: Spec): Advice[] =>
  dataset.balanced_sampling && train.class_weights !== 'none'
    ? [
        {
          key: 'train.class_weights',
          message: 'come on top of dataset.balanced_sampling: rare classes count twice over',
        },
      ]
    : []

const frozenChance = ({ model, train }: Spec): Advice[] => {
  const given = [
    model.rgb_pretrained_model_path,
    model.of_pretrained_model_path,
    model.joint_pretrained_model_path,
    train.resume_training_checkpoint_path,
  ]
  if (train.freeze_stages === 0 || given.some((path) => path !== null)) return []
  return [
    {
      key: 'train.freeze_stages',
      message: 'keeps layers as they start, which is at random without pretrained weights',
    },
  ]
}

const rareValidation = ({ train }: Spec): Advice[] => {
  const { validation_interval: interval, optim } = train
  if (optim.lr_scheduler !== 'AutoReduce' || optim.lr_monitor !== 'val_loss' || interval === 1) return []
  return [
    {
      key: 'train.validation_interval',
      message: `is ${interval}: AutoReduce sees val_loss, and counts patience, every ${interval} epochs only`,
    },
  ]
}

const rules: readonly ((spec: Spec) => Advice[])[] = [
  intervals,
  endlessWarmup,
  mirrors,
  oneClass,
  sameVideos,
  twiceBalanced,
  frozenChance,
  rareValidation,
]

/** The value of a key of the spec. */
function valueAt(spec: Spec, key: string): unknown {
  let value: unknown = spec
  for (const part of key.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Object.getOwnPropertyDescriptor(value, part)?.value
  }
  return value
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
