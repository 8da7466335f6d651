import { z } from 'zod'
import type { Stream } from '../../core/streams.ts'
import { KineoError } from '../../core/errors.ts'
import type { NetworkConfig } from '../../engine/index.ts'
import type { OnnxInput } from '../../engine/runtime/onnx-classifier.ts'
import { getKey, type Tree } from '../../spec/source.ts'
import type { WeightsNetwork } from '../network/network-of-weights.ts'

/** What `preprocessingOf` has written into a checkpoint or a model; all of it may be missing. */
const preprocessing = z.object({
  model_type: z.enum(['rgb', 'of', 'joint']).optional(),
  input_type: z.enum(['2d', '3d']).optional(),
  sample_strategy: z.string().optional(),
  sample_rate: z.number().optional(),
  input_height: z.number().optional(),
  input_width: z.number().optional(),
  center_crop: z.boolean().optional(),
  crop_smaller_edge: z.number().optional(),
  sequence_length: z.number().optional(),
  rgb_sequence_length: z.number().optional(),
  of_sequence_length: z.number().optional(),
  ...{ mean: z.array(z.number()).optional(), std: z.array(z.number()).optional() },
  ...{ rgb_mean: z.array(z.number()).optional(), rgb_std: z.array(z.number()).optional() },
  ...{ of_mean: z.array(z.number()).optional(), of_std: z.array(z.number()).optional() },
})

/**
 * The keys of a spec that say the preprocessing which a model carries with it.
 * @param saved `extra.preprocessing` of a checkpoint, or the metadata of an ONNX model with its JSON read.
 */
export function specOfPreprocessing(saved: unknown): Tree {
  const parsed = preprocessing.safeParse(saved)
  if (!parsed.success) return {}
  const its = parsed.data
  const only = its.model_type === 'joint' ? null : (its.model_type ?? null)
  const of = <T>(stream: Stream, one: T | undefined, each: T | undefined): T | undefined =>
    only === stream ? one : each
  return {
    model: known({
      model_type: its.model_type,
      input_type: its.input_type,
      sample_strategy: its.sample_strategy,
      sample_rate: its.sample_rate,
      input_height: its.input_height,
      input_width: its.input_width,
      rgb_seq_length: of('rgb', its.sequence_length, its.rgb_sequence_length),
      of_seq_length: of('of', its.sequence_length, its.of_sequence_length),
    }),
    dataset: {
      augmentation_config: known({
        val_center_crop: its.center_crop,
        crop_smaller_edge: its.crop_smaller_edge,
        rgb_input_mean: of('rgb', its.mean, its.rgb_mean),
        rgb_input_std: of('rgb', its.std, its.rgb_std),
        of_input_mean: of('of', its.mean, its.of_mean),
        of_input_std: of('of', its.std, its.of_std),
      }),
    },
  }
}

/** The keys of a spec that say the shape of a network. */
export function specOfNetwork(network: NetworkConfig): Tree {
  return {
    model: {
      model_type: network.modelType,
      backbone: network.backbone,
      input_type: network.inputType,
      rgb_seq_length: network.rgbSequenceLength,
      of_seq_length: network.ofSequenceLength,
      input_height: network.height,
      input_width: network.width,
      num_fc: network.fusionFeatures,
    },
  }
}

/**
 * The keys of a spec that weights alone tell, those of TAO's checkpoints.
 * @param given What the person says beside them, for what weights leave open.
 * @throws KineoError `usage` naming what has to be said.
 */
export function specOfWeights(weights: WeightsNetwork, given: Tree, path: string): Tree {
  const { joint, inputType, backbone } = weights
  const stem = weights.stemChannels.get('rgb') ?? 0
  const modelType = joint
    ? 'joint'
    : (getKey(given, 'model.model_type') ?? streamOfStem(stem, inputType, path))
  const model: Tree = { model_type: modelType, input_type: inputType }
  if (backbone !== null) model['backbone'] = backbone
  if (weights.fusionFeatures !== null) model['num_fc'] = weights.fusionFeatures
  const streams: Stream[] = joint ? ['rgb', 'of'] : modelType === 'of' ? ['of'] : ['rgb']
  for (const stream of streams) {
    const key = `${stream}_seq_length`
    const channels = (joint ? weights.stemChannels.get(stream) : stem) ?? 0
    if (inputType === '2d') model[key] = channels / (stream === 'rgb' ? 3 : 2)
    else if (getKey(given, `model.${key}`) === undefined) {
      throw new KineoError('usage', 'The checkpoint does not say how many frames a window has', {
        where: path,
        remedy: `Add model.${key}=N as it was trained, or its spec with -e`,
      })
    }
  }
  return { model }
}

/** @throws KineoError `usage` when the channels fit both streams. */
function streamOfStem(channels: number, inputType: '2d' | '3d', path: string): Stream {
  if (inputType === '3d') return channels === 2 ? 'of' : 'rgb'
  const fits = { rgb: channels % 3 === 0, of: channels % 2 === 0 }
  if (fits.rgb !== fits.of) return fits.rgb ? 'rgb' : 'of'
  throw new KineoError(
    'usage',
    `The checkpoint takes ${channels} channels, which may be frames or optical flow`,
    {
      where: path,
      remedy: 'Add model.model_type=rgb or model.model_type=of, or its spec with -e',
    },
  )
}

/** The keys of a spec that the inputs of an ONNX model tell. */
export function specOfInputs(inputs: readonly OnnxInput[]): Tree {
  const [first] = inputs
  const model: Tree = {
    model_type: inputs.length > 1 ? 'joint' : (first?.stream ?? 'rgb'),
    input_type: first?.shape.length === 4 ? '3d' : '2d',
    input_height: first?.shape.at(-2),
    input_width: first?.shape.at(-1),
  }
  for (const { stream, shape } of inputs) {
    const [channels = 0, time = 0] = shape
    model[`${stream}_seq_length`] = shape.length === 4 ? time : channels / (stream === 'rgb' ? 3 : 2)
  }
  return { model }
}

/** Without the keys that nothing is known of. */
function known(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== undefined))
}
