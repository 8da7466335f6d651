import { batchNormEpsilon } from '../nets/inference-model.ts'
import type { Tensor, TensorMap } from '../tensor.ts'

/**
 * A convolution with a bias, as exporters leave it when they fold its batch normalisation into it, as the convolution
 * and batch normalisation of the same function: scale 1, shift = bias, mean 0, variance 1 - epsilon. With running
 * statistics (evaluation, frozen stages) the network computes what the file computed; in training, each channel starts
 * with scale 1, since the one that it had is lost.
 * @param module torch's name of the convolution, such as `layer1.0.conv2` or `layer2.0.downsample.0`.
 */
export function unfoldedBatchNorm(module: string, weight: Tensor, bias: Tensor): TensorMap {
  const norm = module.replace(/conv(\d+)$/, 'bn$1').replace(/downsample\.0$/, 'downsample.1')
  const shape = bias.shape
  const filled = (value: number): Tensor => ({
    dtype: 'float32',
    shape,
    data: new Float32Array(bias.data.length).fill(value),
  })
  return new Map([
    [`${module}.weight`, weight],
    [`${norm}.weight`, filled(1)],
    [`${norm}.bias`, bias],
    [`${norm}.running_mean`, filled(0)],
    [`${norm}.running_var`, filled(1 - batchNormEpsilon)],
  ])
}
