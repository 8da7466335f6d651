import { channelsOf, streamsOf, type ModelType, type Stream } from '../../core/streams.ts'

export type Backbone = 'resnet_18' | 'resnet_34' | 'resnet_50' | 'resnet_101' | 'resnet_152'

/** What decides the shape of a network and of its inputs. */
export interface NetworkConfig {
  modelType: ModelType
  backbone: Backbone
  /** `2d` stacks the frames as channels; `3d` also convolves over time. */
  inputType: '2d' | '3d'
  /** Colour frames of a clip; without meaning for `of`. */
  rgbSequenceLength: number
  /** Flow frames of a clip; without meaning for `rgb`. */
  ofSequenceLength: number
  height: number
  width: number
  classCount: number
  /** Probability with which a feature is dropped before the last layer; 0 builds no dropout at all. */
  dropoutRatio: number
  /** Width of the layer that joins both streams (TAO's `num_fc`); without meaning unless `joint`. */
  fusionFeatures: number
}

/** One input of a network and of the models exported from it. */
export interface NetworkInput {
  stream: Stream
  /** As TAO has it. */
  name: 'input_rgb' | 'input_of'
  /**
   * 2D [batch, C T, height, width], 3D [batch, C, T, height, width] with C = 3 (rgb) or 2 (of). Both are channel-major
   * (R0..RT-1, G0..GT-1, B0..BT-1 or u0..uT-1, v0..vT-1), so that the same numbers serve both.
   */
  shape: number[]
}

/** Name of the output of exported models: logits [batch, classes]. */
export const outputName = 'fc_pred'

/** Frames that a stream's clip has. */
export function sequenceLengthOf(network: NetworkConfig, stream: Stream): number {
  return stream === 'rgb' ? network.rgbSequenceLength : network.ofSequenceLength
}

/** Channels of a stream's first convolution. */
export function stemChannels(network: NetworkConfig, stream: Stream): number {
  const channels = channelsOf(stream)
  return network.inputType === '2d' ? channels * sequenceLengthOf(network, stream) : channels
}

/** The input of one stream for so many clips. */
export function networkInput(network: NetworkConfig, stream: Stream, batch: number): NetworkInput {
  const { inputType, height, width } = network
  const time = inputType === '2d' ? [] : [sequenceLengthOf(network, stream)]
  return {
    stream,
    name: stream === 'rgb' ? 'input_rgb' : 'input_of',
    shape: [batch, stemChannels(network, stream), ...time, height, width],
  }
}

/** All inputs of a network, rgb before of, for so many clips. */
export function networkInputs(network: NetworkConfig, batch: number): NetworkInput[] {
  return streamsOf(network.modelType).map((stream) => networkInput(network, stream, batch))
}
