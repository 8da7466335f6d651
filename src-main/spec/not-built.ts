/**
 * Keys that TAO 5.5 or later has and this version cannot do yet. A person who sets one must hear of it; one that only
 * stands there with a value that changes nothing, as in a dumped experiment.yaml, is fine.
 */
interface NotBuilt {
  /** Values under which TAO does what Kineo does without the key. */
  neutral: readonly unknown[]
}

const noPath: NotBuilt = { neutral: [null, '', '???'] }

/** Dotted key -> when it may stand in a spec. */
export const notBuiltKeys: ReadonlyMap<string, NotBuilt> = new Map<string, NotBuilt>([
  ['encryption_key', noPath],
  ['wandb', { neutral: [null] }],
  ['wandb.enable', { neutral: [false] }],
  ['model.rgb_pretrained_model_path', noPath],
  ['model.of_pretrained_model_path', noPath],
  ['model.joint_pretrained_model_path', noPath],
  // Without a pretrained file TAO builds the same network whatever this says; 5 is the default of 6.x.
  ['model.rgb_pretrained_num_classes', { neutral: [0, 5] }],
  ['model.of_pretrained_num_classes', { neutral: [0, 5] }],
  ['model.num_fc', { neutral: [64] }],
  ['model.imagenet_pretrained', { neutral: [false] }],
  ['dataset.augmentation_config.scales', { neutral: [[1]] }],
  ['train.num_nodes', { neutral: [1] }],
  ['train.checkpoint_interval_unit', { neutral: ['epoch'] }],
  ['train.cudnn', { neutral: [null] }],
  ['train.cudnn.benchmark', { neutral: [false] }],
  ['train.cudnn.deterministic', { neutral: [true] }],
  ['evaluate.num_nodes', { neutral: [1] }],
  ['evaluate.trt_engine', noPath],
  ['inference.num_nodes', { neutral: [1] }],
  ['inference.trt_engine', noPath],
])

/** Keys without effect while `wandb.enable` is off; they are dropped. */
const silentSections = ['wandb']

/** True when `value` at `key` leaves the result as it is without the key. */
export function isNeutral(key: string, value: unknown): boolean {
  const rule = notBuiltKeys.get(key)
  return (
    rule !== undefined && rule.neutral.some((neutral) => JSON.stringify(neutral) === JSON.stringify(value))
  )
}

/** True for a key inside a section that does nothing as long as its switch is off. */
export function isSilent(key: string): boolean {
  return silentSections.some((section) => key.startsWith(`${section}.`)) && !notBuiltKeys.has(key)
}
