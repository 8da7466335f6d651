/** What decides the shape of a network and of its input. */
export interface NetworkConfig {
  /** `rgb`: three colour planes a frame. `of`: optical flow, u and v planes a frame. */
  modelType: 'rgb' | 'of'
  backbone: 'resnet_18'
  inputType: '2d'
  /** Frames of a clip. */
  sequenceLength: number
  height: number
  width: number
  classCount: number
  /** Probability with which a feature is dropped before the last layer; 0 builds no dropout at all. */
  dropoutRatio: number
}

/** Name of the output of exported models: logits [batch, classes]. */
export const outputName = 'fc_pred'

/** Name of the input of exported models, as TAO has it. */
export function inputName(modelType: NetworkConfig['modelType']): 'input_rgb' | 'input_of' {
  return modelType === 'rgb' ? 'input_rgb' : 'input_of'
}

export function inputChannels(network: NetworkConfig): number {
  return (network.modelType === 'rgb' ? 3 : 2) * network.sequenceLength
}

/**
 * [batch, 3 T | 2 T, height, width], channel-major: R0..RT-1, G0..GT-1, B0..BT-1 or u0..uT-1, v0..vT-1
 * (TAO stacks C, T, H, W and flattens the first two).
 */
export function inputShape(network: NetworkConfig, batch: number): number[] {
  return [batch, inputChannels(network), network.height, network.width]
}
