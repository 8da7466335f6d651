import { KineoError } from '../../core/errors.ts'
import { channelsOf, streamsOf, type Stream } from '../../core/streams.ts'
import type { Backbone, NetworkConfig } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import { backboneOf } from '../../engine/weights/resnet-shape.ts'

/** What the names and shapes of weights tell about their network. */
export interface WeightsNetwork {
  joint: boolean
  inputType: '2d' | '3d'
  /** Null for a network that is no ResNet of ours. */
  backbone: Backbone | null
  /** Channels of the first convolution of each stream; of a single stream under the name that was asked for. */
  stemChannels: ReadonlyMap<Stream, number>
  classes: number
  /** Null unless joint. */
  fusionFeatures: number | null
}

/**
 * Checks that weights are those of `network`, by what tells networks apart.
 * @throws KineoError (input) that says what the file holds and which key to change.
 */
export function assertWeightsFit(network: NetworkConfig, parameters: TensorMap, path: string): void {
  const fail = (what: string, remedy: string): never => {
    throw new KineoError('input', what, { where: path, remedy })
  }
  const found = networkOfWeights(parameters, network.modelType === 'of' ? 'of' : 'rgb')
  if (found === null) {
    return fail(
      'The checkpoint is not one of an action recognition network',
      'Give a .pth that kineo train or TAO wrote, such as ar_model_latest.pth',
    )
  }
  if (found.joint !== (network.modelType === 'joint')) {
    fail(
      `The checkpoint is of a ${found.joint ? 'joint network' : 'network with one stream'}, the spec has model_type ${network.modelType}`,
      `Set model.model_type to ${found.joint ? 'joint' : 'rgb or of'}`,
    )
  }
  if (found.inputType !== network.inputType) {
    fail(
      `The checkpoint is of a ${found.inputType.toUpperCase()} network, the spec has input_type ${network.inputType}`,
      `Set model.input_type to ${found.inputType}`,
    )
  }
  if (found.backbone !== network.backbone) {
    fail(
      `The checkpoint is of ${found.backbone ?? 'another kind of network'}, the spec has backbone ${network.backbone}`,
      found.backbone === null ? 'Use a checkpoint of a ResNet' : `Set model.backbone to ${found.backbone}`,
    )
  }
  for (const stream of streamsOf(network.modelType)) checkStem(network, stream, found, fail)
  if (found.fusionFeatures !== null && found.fusionFeatures !== network.fusionFeatures) {
    fail(
      `The checkpoint joins its streams through ${found.fusionFeatures} units, the spec has num_fc ${network.fusionFeatures}`,
      `Set model.num_fc to ${found.fusionFeatures}`,
    )
  }
  if (found.classes !== network.classCount) {
    fail(
      `The checkpoint knows ${found.classes} classes, dataset.label_map has ${network.classCount}`,
      'Use the label_map that it was trained with',
    )
  }
}

function checkStem(
  network: NetworkConfig,
  stream: Stream,
  found: WeightsNetwork,
  fail: (what: string, remedy: string) => never,
): void {
  const channels = found.stemChannels.get(stream) ?? 0
  if (network.inputType === '3d') {
    if (channels === channelsOf(stream)) return
    fail(
      `The checkpoint takes ${channels} channels a frame, ${stream} has ${channelsOf(stream)}`,
      'Use the model_type that it was trained with',
    )
  }
  const frames = stream === 'rgb' ? network.rgbSequenceLength : network.ofSequenceLength
  const wanted = frames * channelsOf(stream)
  if (channels === wanted) return
  fail(
    `The checkpoint takes ${channels} input channels, the spec gives ${wanted} (${frames} frames of ${stream})`,
    `Use the model_type and model.${stream}_seq_length that it was trained with`,
  )
}

/**
 * The network that weights are of, or null when it is none of action recognition.
 * @param stream What a single stream counts as.
 */
export function networkOfWeights(parameters: TensorMap, stream: Stream): WeightsNetwork | null {
  const joint = parameters.has('model_rgb.conv1.weight') && parameters.has('model_of.conv1.weight')
  const prefixes: [Stream, string][] = joint
    ? [
        ['rgb', 'model_rgb.'],
        ['of', 'model_of.'],
      ]
    : [[stream, '']]
  const [, firstPrefix] = prefixes[0] ?? [stream, '']
  const stem = parameters.get(`${firstPrefix}conv1.weight`)?.shape
  const head = parameters.get(joint ? 'fc2.weight' : 'fc_cls.weight')?.shape
  if (stem === undefined || head === undefined) return null
  return {
    joint,
    inputType: stem.length === 5 ? '3d' : '2d',
    backbone: backboneOf(parameters.keys(), firstPrefix) ?? null,
    stemChannels: new Map(
      prefixes.map(([name, prefix]) => [name, parameters.get(`${prefix}conv1.weight`)?.shape[1] ?? 0]),
    ),
    classes: head[0] ?? 0,
    fusionFeatures: joint ? (parameters.get('fc1.weight')?.shape[0] ?? 0) : null,
  }
}
