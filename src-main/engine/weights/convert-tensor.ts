import { elementCount } from '../onnx/shape-inference.ts'
import type { Tensor } from '../tensor.ts'

/**
 * The first convolution for another number of channels, as TAO does it (tao-facts 1.2, weight_transform): the mean over
 * the input channels, copied to each of the new ones.
 * @param source [out, channels, ...kernel]
 * @param rescale Multiplies by channels / newChannels, so that the sum over the channels stays what it was. TAO does
 *   not: its first activations grow by newChannels / channels.
 * @returns [out, newChannels, ...kernel]
 */
export function averageChannels(source: Tensor, newChannels: number, rescale: boolean): Tensor {
  const [out = 0, channels = 1, ...kernel] = source.shape
  const taps = elementCount(kernel)
  const factor = rescale ? channels / newChannels : 1
  const data = new Float32Array(out * newChannels * taps)
  for (let filter = 0; filter < out; filter++) {
    for (let tap = 0; tap < taps; tap++) {
      let sum = 0
      for (let channel = 0; channel < channels; channel++) {
        sum += Number(source.data[(filter * channels + channel) * taps + tap])
      }
      const mean = (sum / channels) * factor
      for (let channel = 0; channel < newChannels; channel++) {
        data[(filter * newChannels + channel) * taps + tap] = mean
      }
    }
  }
  return { dtype: 'float32', shape: [out, newChannels, ...kernel], data }
}

/**
 * A 2D kernel for a 3D network, as TAO inflates it (tao-facts 1.3; Carreira and Zisserman 2017): repeated over time and
 * divided by the frames, so that a clip of equal frames gives what one frame gave.
 * @param source [out, in, height, width]
 * @returns [out, in, frames, height, width]
 */
export function inflateKernel(source: Tensor, frames: number): Tensor {
  const [out = 0, channels = 0, height = 0, width = 0] = source.shape
  const taps = height * width
  const data = new Float32Array(out * channels * frames * taps)
  for (let kernel = 0; kernel < out * channels; kernel++) {
    for (let frame = 0; frame < frames; frame++) {
      for (let tap = 0; tap < taps; tap++) {
        data[(kernel * frames + frame) * taps + tap] = Number(source.data[kernel * taps + tap]) / frames
      }
    }
  }
  return { dtype: 'float32', shape: [out, channels, frames, height, width], data }
}
