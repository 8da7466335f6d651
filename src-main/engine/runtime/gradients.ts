import type { StreamInputs } from '../../core/streams.ts'
import { loadParameter, storeParameter } from '../autodiff/parameter-layout.ts'
import { planLowerings, type LoweringChoice } from '../nets/lowering-plan.ts'
import type { NetworkConfig } from '../nets/network.ts'
import { checkParameters } from '../nets/inference-model.ts'
import { gradientName, nextName, stepNames } from '../nets/step-names.ts'
import { buildTrainingModel } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { TensorMap } from '../tensor.ts'
import { oneHot } from './targets.ts'
import { float32Data, float32Tensor, inputFeeds, openSession, type Feeds } from './session.ts'

export interface GradientRequest {
  network: NetworkConfig
  parameters: TensorMap
  inputs: StreamInputs
  labels: Int32Array
  /** [count, classCount]; one-hot rows of the labels when missing. */
  targets?: Float32Array
  /** `softplus` stands in for ReLU where a smooth network is compared. */
  activation: 'relu' | 'softplus'
  lowering?: LoweringChoice
  /** Leading stages without gradients, see TrainingOptions. */
  frozenStages?: number
  threads?: number
}

export interface Gradients {
  loss: number
  /** [count, classCount], in training mode. */
  logits: Float32Array
  /** Of every weight that is not frozen, in torch's names and layouts. */
  gradients: TensorMap
  /** Running means and variances after the batch. */
  buffers: TensorMap
}

/**
 * Loss and gradients of one batch without a step, for comparing with PyTorch. The network must have no dropout.
 * @throws KineoError `input` when the parameters do not fit the network.
 */
export async function computeGradients(request: GradientRequest): Promise<Gradients> {
  const { network, parameters, labels, activation } = request
  checkParameters(network, parameters)
  const count = labels.length
  const plan = planLowerings(network, count, request.lowering ?? 'auto')
  const built = buildTrainingModel({
    network,
    batch: count,
    clip: false,
    activation,
    result: 'gradients',
    frozenStages: request.frozenStages ?? 0,
    plan,
  })
  const session = await openSession(built.model, request.threads)
  try {
    const target = request.targets ?? oneHot(labels, count, network.classCount)
    const feeds: Feeds = {
      ...inputFeeds(network, request.inputs, count),
      [stepNames.target]: float32Tensor(target, [count, network.classCount]),
    }
    const floats = (name: string): Float32Array => {
      const data = parameters.get(name)?.data
      if (!(data instanceof Float32Array)) throw new Error(`${name} is no float32 tensor`)
      return data
    }
    for (const { name, layout, shape, storedShape } of [...built.weights, ...built.frozen]) {
      const stored = new Float32Array(elementCount(shape))
      storeParameter(layout, shape, floats(name), stored)
      feeds[name] = float32Tensor(stored, storedShape)
    }
    for (const { name, storedShape } of built.buffers) feeds[name] = float32Tensor(floats(name), storedShape)

    const results = await session.run(feeds)
    const gradients: TensorMap = new Map()
    for (const { name, layout, shape } of built.weights) {
      const data = new Float32Array(elementCount(shape))
      loadParameter(layout, shape, float32Data(results[gradientName(name)]), data)
      gradients.set(name, { dtype: 'float32', shape, data })
    }
    const buffers: TensorMap = new Map()
    for (const { name, storedShape } of built.buffers) {
      buffers.set(name, { dtype: 'float32', shape: storedShape, data: float32Data(results[nextName(name)]) })
    }
    return {
      loss: float32Data(results[stepNames.loss])[0] ?? Number.NaN,
      logits: float32Data(results[stepNames.logits]),
      gradients,
      buffers,
    }
  } finally {
    await session.release()
  }
}
