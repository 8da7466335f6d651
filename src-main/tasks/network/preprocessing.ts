import { channelsOf, streamsOf, type Stream } from '../../core/streams.ts'
import type { JsonValue } from '../../engine/checkpoint/index.ts'
import type { Spec } from '../../spec/index.ts'

/** How the frames of one stream become its input. */
export interface StreamPreprocessing {
  sequenceLength: number
  /** Channel mean of pixels in 0..1: R, G, B or u, v. */
  mean: number[]
  std: number[]
}

/** What a spec asks for in one stream. */
export function streamPreprocessing(spec: Spec, stream: Stream): StreamPreprocessing {
  const { model } = spec
  const augmentation = spec.dataset.augmentation_config
  const forChannels = (list: readonly number[]): number[] =>
    list.length === channelsOf(stream) ? [...list] : new Array<number>(channelsOf(stream)).fill(list[0] ?? 0)
  return stream === 'rgb'
    ? {
        sequenceLength: model.rgb_seq_length,
        mean: forChannels(augmentation.rgb_input_mean),
        std: forChannels(augmentation.rgb_input_std),
      }
    : {
        sequenceLength: model.of_seq_length,
        mean: forChannels(augmentation.of_input_mean),
        std: forChannels(augmentation.of_input_std),
      }
}

/**
 * How frames become the network's input in evaluation and inference; whoever uses a model outside Kineo must do the
 * same. `sequence_length`, `mean` and `std` stand there for the one stream of a model, and as `rgb_sequence_length`,
 * `of_mean` and so on for each stream of a joint one.
 */
export function preprocessingOf(spec: Spec): Record<string, JsonValue> {
  const { model } = spec
  const augmentation = spec.dataset.augmentation_config
  const streams = streamsOf(model.model_type)
  const perStream = streams.flatMap((stream): [string, JsonValue][] => {
    const prefix = streams.length === 1 ? '' : `${stream}_`
    const { sequenceLength, mean, std } = streamPreprocessing(spec, stream)
    return [
      [`${prefix}sequence_length`, sequenceLength],
      [`${prefix}mean`, mean],
      [`${prefix}std`, std],
    ]
  })
  return {
    model_type: model.model_type,
    input_type: model.input_type,
    sample_strategy: model.sample_strategy,
    sample_rate: model.sample_rate,
    input_height: model.input_height,
    input_width: model.input_width,
    center_crop: augmentation.val_center_crop,
    crop_smaller_edge: augmentation.crop_smaller_edge,
    ...Object.fromEntries(perStream),
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
      if (name === 'sample_rate' && now['sample_strategy'] === 'random_interval') return false
      if (name === 'crop_smaller_edge' && now['center_crop'] !== true) return false
      return trained[name] !== undefined && JSON.stringify(trained[name]) !== JSON.stringify(value)
    })
    .map(
      ([name, value]) =>
        `The checkpoint was trained with ${name} ${JSON.stringify(trained[name])}, the spec says ${JSON.stringify(value)}.`,
    )
}
