/**
 * Keys that TAO 5.5 or later has and Kineo does not. One that asks for something Kineo cannot do is refused by name;
 * one that only stands there with a value that changes nothing, as in a dumped experiment.yaml, is fine.
 */
interface NotBuilt {
  /** Values under which TAO does what Kineo does without the key; `any` when no value changes a result. */
  neutral: readonly unknown[] | 'any'
  /** What a person can do instead. */
  remedy: string
}

const noPath = [null, '', '???']
const oneNode = { neutral: [1], remedy: 'This version uses the machine that it runs on alone' }
const trtEngine = { neutral: noPath, remedy: 'Give a checkpoint; a TensorRT engine cannot be opened here' }
const cudnn = { neutral: 'any', remedy: 'Training here repeats bit for bit without it' } as const

/** Dotted key -> when it may stand in a spec. */
export const notBuiltKeys: ReadonlyMap<string, NotBuilt> = new Map<string, NotBuilt>([
  ['wandb', { neutral: [null], remedy: 'Metrics are written to metrics.csv and status.json' }],
  [
    'model.imagenet_pretrained',
    {
      neutral: [false, null],
      remedy:
        'Kineo downloads nothing; fetch the .pth of torchvision and give it as model.rgb_pretrained_model_path',
    },
  ],
  ['train.num_nodes', oneNode],
  [
    'train.checkpoint_interval_unit',
    { neutral: ['epoch'], remedy: 'Give train.checkpoint_interval in epochs' },
  ],
  ['train.cudnn', { neutral: [null], remedy: cudnn.remedy }],
  ['train.cudnn.benchmark', cudnn],
  ['train.cudnn.deterministic', cudnn],
  ['evaluate.num_nodes', oneNode],
  ['evaluate.trt_engine', trtEngine],
  ['inference.num_nodes', oneNode],
  ['inference.trt_engine', trtEngine],
])

/** Sections that are dropped whatever stands in them: they change no result. */
const silentSections = ['wandb']

/** True when `value` at `key` leaves the result as it is without the key. */
export function isNeutral(key: string, value: unknown): boolean {
  const rule = notBuiltKeys.get(key)
  if (rule === undefined) return false
  if (rule.neutral === 'any') return true
  return rule.neutral.some((neutral) => JSON.stringify(neutral) === JSON.stringify(value))
}

/** True for a key inside a section that changes no result. */
export function isSilent(key: string): boolean {
  return silentSections.some((section) => key.startsWith(`${section}.`)) && !notBuiltKeys.has(key)
}
