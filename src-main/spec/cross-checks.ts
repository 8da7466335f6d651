import type { Spec } from './schema.ts'

/** Something that does not hold between keys. */
export interface CrossProblem {
  /** The key to change. */
  key: string
  /** What is wrong and what to do. */
  message: string
  /** The other keys that were looked at. */
  others: readonly string[]
}

type Check = (spec: Spec) => CrossProblem[]

/** All that must hold between keys and does not. Whatever depends on the videos themselves is looked at elsewhere. */
export function crossProblems(spec: Spec): CrossProblem[] {
  return checks.flatMap((check) => check(spec))
}

const augmentation = 'dataset.augmentation_config'
const optim = 'train.optim'

/** Whether a wide crop fits depends on the images too; the dataset room looks at those. */
const cropFits: Check = ({ model, dataset }) => {
  const {
    train_crop_type: crop,
    val_center_crop: centerCrop,
    crop_smaller_edge: edge,
  } = dataset.augmentation_config
  const { input_height: height, input_width: width } = model
  const isCropped = crop === 'random_crop' || centerCrop
  if (!isCropped || edge >= Math.min(height, width)) return []
  return [
    {
      key: `${augmentation}.crop_smaller_edge`,
      message: `must be at least the input size (${height} x ${width}) to crop from, not ${edge}`,
      others: [
        'model.input_height',
        'model.input_width',
        `${augmentation}.train_crop_type`,
        `${augmentation}.val_center_crop`,
      ],
    },
  ]
}

const classesAreKnown: Check = ({ dataset, train }) => {
  const { label_map: labelMap, augmentation_config } = dataset
  if (labelMap === null) return []
  const weights = typeof train.class_weights === 'string' ? [] : Object.keys(train.class_weights)
  const flips = Object.keys(augmentation_config.flip_label_map)
  return [
    ...unknownClasses('train.class_weights', weights, labelMap),
    ...unknownClasses(`${augmentation}.flip_label_map`, flips, labelMap),
  ]
}

function unknownClasses(key: string, names: string[], labelMap: Record<string, number>): CrossProblem[] {
  const unknown = names.filter((name) => !Object.hasOwn(labelMap, name))
  if (unknown.length === 0) return []
  const classes = Object.keys(labelMap)
  const some = classes.slice(0, 10).join(', ') + (classes.length > 10 ? ', …' : '')
  return [
    {
      key,
      message: `names ${unknown.join(', ')}, which dataset.label_map does not have (it has ${some})`,
      others: ['dataset.label_map'],
    },
  ]
}

const learningRateCanFall: Check = ({ train }) => {
  const { lr_scheduler: scheduler, lr, min_lr: least, lr_decay: decay } = train.optim
  const found: CrossProblem[] = []
  if (scheduler !== 'MultiStep' && least > lr) {
    found.push({
      key: `${optim}.min_lr`,
      message: `is ${least}, above ${optim}.lr (${lr}), so the learning rate could never fall; lower min_lr`,
      others: [`${optim}.lr`, `${optim}.lr_scheduler`],
    })
  }
  if (scheduler === 'AutoReduce' && decay >= 1) {
    found.push({
      key: `${optim}.lr_decay`,
      message: `must be below 1 for AutoReduce to lower the learning rate, not ${decay}`,
      others: [`${optim}.lr_scheduler`],
    })
  }
  return found
}

/** Only where there is something to train: the same spec may serve `evaluate` alone. */
const validationIsThere: Check = ({ dataset, train }) => {
  if (dataset.train_dataset_dir === null || dataset.val_dataset_dir !== null) return []
  const { lr_scheduler: scheduler, lr_monitor: monitor } = train.optim
  const others = ['dataset.val_dataset_dir', 'dataset.train_dataset_dir']
  const found: CrossProblem[] = []
  if (scheduler === 'AutoReduce' && monitor === 'val_loss') {
    found.push({
      key: `${optim}.lr_monitor`,
      message: 'is val_loss, but dataset.val_dataset_dir is not given; give it, or take train_loss',
      others: [...others, `${optim}.lr_scheduler`],
    })
  }
  if (train.early_stopping_patience > 0) {
    found.push({
      key: 'train.early_stopping_patience',
      message: 'needs validation, but dataset.val_dataset_dir is not given; give it, or take 0',
      others,
    })
  }
  if (train.save_best) {
    found.push({
      key: 'train.save_best',
      message: 'needs validation, but dataset.val_dataset_dir is not given; give it, or take false',
      others,
    })
  }
  return found
}

const checks: readonly Check[] = [cropFits, classesAreKnown, learningRateCanFall, validationIsThere]
