import { z } from 'zod'

/**
 * The experiment spec: TAO's YAML with the key names of TAO's code, page defaults, and only what this version can do.
 * `spellings.ts` brings the documentation page's other names here, `not-built.ts` refuses the rest by name.
 */

/** One of `supported`; a value that TAO has and this version has not is told apart from a wrong one. */
function choice<const T extends readonly string[]>(supported: T, notBuilt: readonly string[]) {
  return z.enum(supported, {
    error: (issue) =>
      typeof issue.input === 'string' && notBuilt.includes(issue.input)
        ? `${issue.input} is not supported yet (this version: ${supported.join(', ')})`
        : `must be ${supported.join(' or ')}, not ${show(issue.input)}`,
  })
}

/** A file or folder; empty and TAO's `???` mean that none is given. */
function path() {
  return z
    .string({ error: (issue) => `must be a path, not ${show(issue.input)}` })
    .refine((text) => !text.includes('${'), {
      error: '${...} references are not supported yet; write the path out',
    })
    .transform((text) => (text === '' || text === '???' ? null : text))
    .nullable()
    .default(null)
}

function number(rule: string, accepts: (value: number) => boolean) {
  const error = (issue: { input?: unknown }): string => `must be ${rule}, not ${show(issue.input)}`
  return z.number({ error }).refine((value) => Number.isFinite(value) && accepts(value), { error })
}

const count = () =>
  number('a whole number of 1 or more', (value) => Number.isSafeInteger(value) && value >= 1)
const countOrZero = () =>
  number('a whole number of 0 or more', (value) => Number.isSafeInteger(value) && value >= 0)
const fraction = () => number('between 0 and 1', (value) => value >= 0 && value <= 1)
const notNegative = () => number('0 or more', (value) => value >= 0)
const positive = () => number('above 0', (value) => value > 0)

const flag = () => z.boolean({ error: (issue) => `must be true or false, not ${show(issue.input)}` })

/** Mean or standard deviation for each channel, or one for all. */
function channelList(channels: number, accepts: 'any' | 'positive') {
  const rule = `a list of 1 or ${channels} numbers${accepts === 'positive' ? ' above 0' : ''}`
  return z
    .array(z.number(), { error: (issue) => `must be ${rule}, not ${show(issue.input)}` })
    .refine(
      (list) =>
        (list.length === 1 || list.length === channels) &&
        list.every((value) => Number.isFinite(value) && (accepts === 'any' || value > 0)),
      { error: (issue) => `must be ${rule}, not ${show(issue.input)}` },
    )
}

const oneDevice = () =>
  z.number().refine((value) => value === 0 || value === 1, {
    error: (issue) => `${show(issue.input)} devices are not supported yet (this version trains on the CPU)`,
  })
const oneDeviceList = () =>
  z.array(z.number().int().min(0)).refine((list) => list.length <= 1, {
    error: (issue) =>
      `${show(issue.input)}: several devices are not supported yet (this version trains on the CPU)`,
  })

const labelMap = z
  .record(z.string(), countOrZero(), {
    error: (issue) =>
      `must be a map from class name to index, such as {walk: 0, fall: 1}, not ${show(issue.input)}`,
  })
  .refine(
    (map) => {
      const indices = Object.values(map).sort((a, b) => a - b)
      return indices.length > 0 && indices.every((index, i) => index === i)
    },
    { error: 'must give every class its own index, counting from 0 without gaps' },
  )
  .nullable()
  .default(null)

function section<T extends z.ZodRawShape>(shape: T) {
  return z
    .strictObject(shape, { error: (issue) => `must be a group of keys, not ${show(issue.input)}` })
    .prefault({} as never)
}

const model = section({
  model_type: choice(['rgb', 'of'], ['joint']).default('rgb'),
  backbone: choice(['resnet_18'], ['resnet_34', 'resnet_50', 'resnet_101', 'resnet_152', 'i3d']).default(
    'resnet_18',
  ),
  input_type: choice(['2d'], ['3d']).default('2d'),
  rgb_seq_length: count().default(3),
  of_seq_length: count().default(10),
  sample_rate: count().default(1),
  sample_strategy: choice(['consecutive', 'random_interval'], []).default('consecutive'),
  dropout_ratio: number('0 or more and below 1', (value) => value >= 0 && value < 1).default(0.5),
  input_height: number(
    'a whole number of 32 or more',
    (value) => Number.isSafeInteger(value) && value >= 32,
  ).default(224),
  input_width: number(
    'a whole number of 32 or more',
    (value) => Number.isSafeInteger(value) && value >= 32,
  ).default(224),
})

const augmentation = section({
  train_crop_type: choice(['random_crop', 'no_crop'], ['multi_scale_crop']).default('random_crop'),
  horizontal_flip_prob: fraction().default(0.5),
  rgb_input_mean: channelList(3, 'any').default([0.485, 0.456, 0.406]),
  rgb_input_std: channelList(3, 'positive').default([0.229, 0.224, 0.225]),
  of_input_mean: channelList(2, 'any').default([0.5]),
  of_input_std: channelList(2, 'positive').default([0.5]),
  val_center_crop: flag().default(false),
  crop_smaller_edge: count().default(256),
})

const dataset = section({
  train_dataset_dir: path(),
  val_dataset_dir: path(),
  label_map: labelMap,
  batch_size: count().default(32),
  workers: countOrZero().default(8),
  clips_per_video: count().default(1),
  augmentation_config: augmentation,
})

const optim = section({
  lr: positive().default(5e-4),
  momentum: fraction().default(0.9),
  weight_decay: notNegative().default(5e-4),
  lr_scheduler: choice(['MultiStep'], ['AutoReduce']).default('MultiStep'),
  lr_steps: z
    .array(countOrZero(), { error: (issue) => `must be a list of epochs, not ${show(issue.input)}` })
    .default([15, 25]),
  lr_decay: positive().default(0.1),
  lr_monitor: choice(['val_loss', 'train_loss'], []).default('val_loss'),
  patience: countOrZero().default(1),
  min_lr: notNegative().default(1e-4),
})

const train = section({
  num_gpus: oneDevice().default(1),
  gpu_ids: oneDeviceList().default([0]),
  seed: countOrZero().default(1234),
  num_epochs: count().default(10),
  checkpoint_interval: count().default(1),
  validation_interval: count().default(1),
  clip_grad_norm: notNegative().default(0),
  resume_training_checkpoint_path: path(),
  results_dir: path(),
  optim,
})

const evaluate = section({
  num_gpus: oneDevice().default(1),
  gpu_ids: oneDeviceList().default([0]),
  checkpoint: path(),
  test_dataset_dir: path(),
  batch_size: count().default(1),
  video_eval_mode: choice(['center'], ['conv', 'all']).default('center'),
  video_num_segments: count().default(10),
  results_dir: path(),
})

const inference = section({
  num_gpus: oneDevice().default(1),
  gpu_ids: oneDeviceList().default([0]),
  checkpoint: path(),
  inference_dataset_dir: path(),
  batch_size: count().default(1),
  video_inf_mode: choice(['center'], ['conv', 'all']).default('center'),
  video_num_segments: count().default(1),
  results_dir: path(),
})

const exportSection = section({
  checkpoint: path(),
  onnx_file: path(),
  gpu_id: countOrZero().default(0),
  batch_size: count().default(1),
  results_dir: path(),
})

export const specSchema = z
  .strictObject({
    model,
    dataset,
    train,
    evaluate,
    inference,
    export: exportSection,
    results_dir: path().transform((folder) => folder ?? './results'),
  })
  .superRefine((spec, context) => {
    const { input_height: height, input_width: width } = spec.model
    const {
      train_crop_type: crop,
      val_center_crop: centerCrop,
      crop_smaller_edge: edge,
    } = spec.dataset.augmentation_config
    // Whether a wide crop fits depends on the images too; the dataset room looks at those.
    if ((crop === 'random_crop' || centerCrop) && edge < Math.min(height, width)) {
      context.addIssue({
        code: 'custom',
        path: ['dataset', 'augmentation_config', 'crop_smaller_edge'],
        message: `must be at least the input size (${height} x ${width}) to crop from, not ${edge}`,
      })
    }
  })

/** A whole experiment: every key has a value, paths that were not given are null. */
export type Spec = z.output<typeof specSchema>

/** A value as a person would write it in YAML, shortened. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/**
 * Dotted names of all keys that this version reads, sections included, such as `train.optim.lr`.
 * The map `dataset.label_map` counts as one key.
 */
export function supportedKeys(): string[] {
  const keys: string[] = []
  const visit = (node: unknown, prefix: string): void => {
    if (typeof node !== 'object' || node === null || !('properties' in node)) return
    for (const [name, child] of Object.entries(node.properties as Record<string, unknown>)) {
      keys.push(prefix + name)
      visit(child, `${prefix}${name}.`)
    }
  }
  visit(z.toJSONSchema(specSchema, { io: 'input', unrepresentable: 'any' }), '')
  return keys
}
