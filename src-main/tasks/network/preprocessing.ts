import type { JsonValue } from '../../engine/checkpoint/index.ts'
import type { Spec } from '../../spec/index.ts'
import { channelsPerFrame } from './spec-network.ts'

/** How frames become the network's input; whoever uses a model outside Kineo must do the same. */
export interface Preprocessing {
  model_type: Spec['model']['model_type']
  sequence_length: number
  sample_strategy: Spec['model']['sample_strategy']
  sample_rate: number
  input_height: number
  input_width: number
  /** Channel mean of pixels in 0..1; 3 numbers for rgb (R, G, B), 2 for of (u, v). */
  mean: number[]
  std: number[]
  center_crop: boolean
  crop_smaller_edge: number
}

/** The preprocessing that a spec asks for in evaluation and inference. */
export function preprocessingOf(spec: Spec): Preprocessing {
  const { model, dataset } = spec
  const augmentation = dataset.augmentation_config
  const isRgb = model.model_type === 'rgb'
  const channels = channelsPerFrame(model.model_type)
  const forChannels = (list: readonly number[]): number[] =>
    list.length === channels ? [...list] : new Array<number>(channels).fill(list[0] ?? 0)
  return {
    model_type: model.model_type,
    sequence_length: isRgb ? model.rgb_seq_length : model.of_seq_length,
    sample_strategy: model.sample_strategy,
    sample_rate: model.sample_rate,
    input_height: model.input_height,
    input_width: model.input_width,
    mean: forChannels(isRgb ? augmentation.rgb_input_mean : augmentation.of_input_mean),
    std: forChannels(isRgb ? augmentation.rgb_input_std : augmentation.of_input_std),
    center_crop: augmentation.val_center_crop,
    crop_smaller_edge: augmentation.crop_smaller_edge,
  }
}

/**
 * Differences between what a checkpoint was trained with and what the spec says now, which would silently cost
 * accuracy, one sentence each.
 * @param trained `extra.preprocessing` of the checkpoint; anything but an object of ours gives no notes.
 */
export function preprocessingNotes(trained: JsonValue | undefined, spec: Spec): string[] {
  if (typeof trained !== 'object' || trained === null || Array.isArray(trained)) return []
  const now = preprocessingOf(spec)
  return Object.entries(now)
    .filter(([name, value]) => {
      // random_interval does not use the sample rate, no crop does not use the edge.
      if (name === 'sample_rate' && now.sample_strategy === 'random_interval') return false
      if (name === 'crop_smaller_edge' && !now.center_crop) return false
      return trained[name] !== undefined && JSON.stringify(trained[name]) !== JSON.stringify(value)
    })
    .map(
      ([name, value]) =>
        `The checkpoint was trained with ${name} ${JSON.stringify(trained[name])}, the spec says ${JSON.stringify(value)}.`,
    )
}
