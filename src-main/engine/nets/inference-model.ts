import { KineoError } from '../../core/errors.ts'
import type { Stream } from '../../core/streams.ts'
import { GraphBuilder, type GraphValue } from '../onnx/graph-builder.ts'
import type { TensorMap } from '../tensor.ts'
import { actionRecognitionNet } from './action-recognition-net.ts'
import type { Layers } from './layers.ts'
import { networkInput, outputName, type NetworkConfig } from './network.ts'
import { stateEntries } from './parameters.ts'

/** torch's default, which TAO keeps. */
export const batchNormEpsilon = 1e-5

/**
 * The network for inference as a self-contained ONNX file of standard operators (operator set 17): the inputs of
 * `networkInputs`, output `fc_pred` [batch, classes] (logits), the batch axis dynamic and named `batch`, weights as
 * initializers.
 * @param time `any` leaves the number of frames of a 3D network open, too; its weights serve every number.
 * @param metadata Written as the model's metadata properties, in the order given.
 * @throws KineoError `input` when `parameters` do not fit the network.
 */
export function buildInferenceModel(
  network: NetworkConfig,
  parameters: TensorMap,
  metadata: Record<string, string>,
  time: 'fixed' | 'any' = 'fixed',
): Uint8Array {
  checkParameters(network, parameters)
  const graph = new GraphBuilder('ActionRecognitionNet')
  const initializer = (name: string): GraphValue => {
    const tensor = parameters.get(name)
    if (!(tensor?.data instanceof Float32Array)) throw new Error(`${name} is no float32 tensor`)
    return graph.initializer(name, tensor.data, tensor.shape)
  }
  const layers: Layers<GraphValue> = {
    convolution: (x, name, { kernel, stride, padding }) => {
      graph.scope(name)
      return graph.node('Conv', [x, initializer(`${name}.weight`)], {
        kernel_shape: kernel,
        strides: stride,
        pads: [...padding, ...padding],
      })
    },
    batchNorm: (x, name) => {
      graph.scope(name)
      const tensors = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
        initializer(`${name}.${part}`),
      )
      return graph.node('BatchNormalization', [x, ...tensors], { epsilon: { float: batchNormEpsilon } })
    },
    activation: (x) => graph.node('Relu', [x]),
    add: (a, b) => graph.add(a, b),
    maxPool: (x, { kernel, stride, padding }) =>
      graph.node('MaxPool', [x], { kernel_shape: kernel, strides: stride, pads: [...padding, ...padding] }),
    globalAveragePool: (x) => graph.node('Flatten', [graph.node('GlobalAveragePool', [x])], { axis: 1 }),
    dropout: (x) => x,
    linear: (x, name) => {
      graph.scope(name)
      return graph.node('Gemm', [x, initializer(`${name}.weight`), initializer(`${name}.bias`)], {
        transB: 1,
      })
    },
    concat: (values) => graph.concat(values, 1),
  }
  const input = (stream: Stream): GraphValue => {
    const { name, shape } = networkInput(network, stream, 1)
    const [, channels = 1, ...sizes] = shape
    const open =
      time === 'any' && network.inputType === '3d' ? [`frames_${stream}`, ...sizes.slice(1)] : sizes
    return graph.input(name, ['batch', channels, ...open])
  }
  graph.output(actionRecognitionNet(layers, input, network), outputName)
  return graph.build(metadata)
}

/** @throws KineoError `input` naming the first tensor that is missing or has another shape. */
export function checkParameters(network: NetworkConfig, parameters: TensorMap): void {
  for (const { name, shape, dtype } of stateEntries(network)) {
    const tensor = parameters.get(name)
    const remedy = 'Use weights of the same backbone, input type, sequence length and number of classes'
    if (tensor === undefined) {
      throw new KineoError('input', 'The weights lack a tensor of the network', { where: name, remedy })
    }
    if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join()) {
      const found = `${tensor.dtype} [${tensor.shape.join(', ')}]`
      throw new KineoError(
        'input',
        `A weight is ${found} where the network has ${dtype} [${shape.join(', ')}]`,
        {
          where: name,
          remedy,
        },
      )
    }
  }
}
