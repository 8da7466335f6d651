import { getKey, type Tree } from './source.ts'

/**
 * Keys that TAO 5.5 or later has and Kineo does not. One that asks for something Kineo cannot do is refused by name;
 * one that changes no result, or only stands there with such a value, as in a dumped experiment.yaml, is fine.
 */
interface NotBuilt {
  /** Values under which TAO computes what Kineo computes without the key; `any` when no value changes a result. */
  neutral: readonly unknown[] | 'any'
  /** What a person can do instead. */
  remedy: string
}

const noPath = [null, '', '???', '??']
const oneNode: NotBuilt = {
  neutral: [1, null],
  remedy: 'This version uses the machine that it runs on alone',
}
const trtEngine: NotBuilt = {
  neutral: noPath,
  remedy: 'Give a checkpoint; a TensorRT engine cannot be opened here',
}
const cudnn: NotBuilt = { neutral: 'any', remedy: 'Training here repeats bit for bit without it' }

/** Dotted key -> when it may stand in a spec. */
export const notBuiltKeys: ReadonlyMap<string, NotBuilt> = new Map<string, NotBuilt>([
  ['wandb', { neutral: 'any', remedy: 'Metrics are written to metrics.csv and status.json' }],
  [
    'model.imagenet_pretrained',
    {
      neutral: [false, null],
      remedy: 'Kineo downloads nothing: give the .pth of torchvision as model.rgb_pretrained_model_path',
    },
  ],
  ['train.num_nodes', oneNode],
  [
    'train.checkpoint_interval_unit',
    { neutral: ['epoch', null], remedy: 'Give train.checkpoint_interval in epochs' },
  ],
  ['train.cudnn', cudnn],
  ['evaluate.num_nodes', oneNode],
  ['evaluate.trt_engine', trtEngine],
  ['inference.num_nodes', oneNode],
  ['inference.trt_engine', trtEngine],
])

/** True when `value` at `key` leaves the result as it is without the key. */
export function isNeutral(key: string, value: unknown): boolean {
  const rule = notBuiltKeys.get(key)
  if (rule === undefined) return false
  if (rule.neutral === 'any') return true
  return rule.neutral.some((neutral) => JSON.stringify(neutral) === JSON.stringify(value))
}

/** What a spec asks for, gets accepted with, and will not get: told once where the spec is used. */
export function acceptedWithoutEffect(tree: Tree): { key: string; message: string }[] {
  const found: { key: string; message: string }[] = []
  for (const section of ['train', 'evaluate', 'inference']) {
    const count = getKey(tree, `${section}.num_gpus`)
    const ids = getKey(tree, `${section}.gpu_ids`)
    const wanted = Math.max(typeof count === 'number' ? count : 1, Array.isArray(ids) ? ids.length : 1)
    if (!(wanted > 1)) continue
    const key = `${section}.${Array.isArray(ids) && ids.length === wanted ? 'gpu_ids' : 'num_gpus'}`
    found.push({ key, message: `${wanted} devices are asked for; this version uses one, the processor` })
  }
  if (getKey(tree, 'wandb.enable') === true) {
    const message = 'Weights & Biases is not reached from here; metrics are in metrics.csv and status.json'
    found.push({ key: 'wandb.enable', message })
  }
  return found
}
