import type { Window } from '../autodiff/operations.ts'
import type { NetworkConfig } from './network.ts'

/** A convolution and how many channels it makes. */
export interface ConvolutionLayer extends Window {
  outChannels: number
}

/**
 * The layers a network is made of. The same description of a network is read three ways: to list its parameters,
 * to write the training step, and to write the model for inference. `name` is torch's name of the module.
 */
export interface Layers<Value> {
  convolution: (x: Value, name: string, layer: ConvolutionLayer) => Value
  batchNorm: (x: Value, name: string) => Value
  activation: (x: Value) => Value
  add: (a: Value, b: Value) => Value
  maxPool: (x: Value, window: Window) => Value
  globalAveragePool: (x: Value) => Value
  dropout: (x: Value, ratio: number) => Value
  linear: (x: Value, name: string, outFeatures: number) => Value
}

/** Blocks in each of the four stages. */
const depths: Record<NetworkConfig['backbone'], readonly number[]> = { resnet_18: [2, 2, 2, 2] }
const stemWidth = 64

function square(kernel: number, stride: number): Window {
  const padding = (kernel - 1) / 2
  return { kernel: [kernel, kernel], stride: [stride, stride], padding: [padding, padding] }
}

/**
 * ResNet (He et al. 2015) as TAO builds it for stacked frames (TAO 5.5,
 * nvidia_tao_pytorch/cv/action_recognition/model/resnet.py): torchvision's version 1 blocks, and dropout, where
 * asked for, between the global pooling and `fc_cls`.
 * @returns logits [N, classes]
 */
export function resnet<Value>(layers: Layers<Value>, input: Value, network: NetworkConfig): Value {
  const normalised = (x: Value, name: string, bnName: string, outChannels: number, window: Window): Value =>
    layers.batchNorm(layers.convolution(x, name, { outChannels, ...window }), bnName)

  // TAO pools after the activation. It rises everywhere, so the result is the same, at a quarter of the work.
  let x = layers.maxPool(normalised(input, 'conv1', 'bn1', stemWidth, square(7, 2)), square(3, 2))
  x = layers.activation(x)
  let width = stemWidth
  depths[network.backbone].forEach((blocks, stage) => {
    const outChannels = stemWidth * 2 ** stage
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1
      const name = `layer${stage + 1}.${block}`
      const inner = layers.activation(
        normalised(x, `${name}.conv1`, `${name}.bn1`, outChannels, square(3, stride)),
      )
      const residual = normalised(inner, `${name}.conv2`, `${name}.bn2`, outChannels, square(3, 1))
      const shortcut =
        stride === 1 && width === outChannels
          ? x
          : normalised(x, `${name}.downsample.0`, `${name}.downsample.1`, outChannels, square(1, stride))
      x = layers.activation(layers.add(residual, shortcut))
      width = outChannels
    }
  })
  let features = layers.globalAveragePool(x)
  if (network.dropoutRatio > 0) features = layers.dropout(features, network.dropoutRatio)
  return layers.linear(features, 'fc_cls', network.classCount)
}
