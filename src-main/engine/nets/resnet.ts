import type { Window } from '../autodiff/operations.ts'
import type { Layers } from './layers.ts'
import type { Backbone, NetworkConfig } from './network.ts'

/** Blocks in each of the four stages, and whether they are bottlenecks. */
const designs: Record<Backbone, { depths: readonly number[]; bottleneck: boolean }> = {
  resnet_18: { depths: [2, 2, 2, 2], bottleneck: false },
  resnet_34: { depths: [3, 4, 6, 3], bottleneck: false },
  resnet_50: { depths: [3, 4, 6, 3], bottleneck: true },
  resnet_101: { depths: [3, 4, 23, 3], bottleneck: true },
  resnet_152: { depths: [3, 8, 36, 3], bottleneck: true },
}
const stemWidth = 64
const bottleneckExpansion = 4

/** The windows of a network that looks at stacked frames, or at a volume whose first axis is time. */
interface Windows {
  stem: Window
  pool: Window
  /** Of a block's convolutions; only the image is made smaller, time never is. */
  inner: (kernel: 1 | 3, stride: 1 | 2) => Window
}

const windows: Record<NetworkConfig['inputType'], Windows> = {
  '2d': {
    stem: { kernel: [7, 7], stride: [2, 2], padding: [3, 3] },
    pool: { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    inner: (kernel, stride) => ({
      kernel: [kernel, kernel],
      stride: [stride, stride],
      padding: kernel === 3 ? [1, 1] : [0, 0],
    }),
  },
  '3d': {
    stem: { kernel: [5, 7, 7], stride: [2, 2, 2], padding: [2, 3, 3] },
    pool: { kernel: [1, 3, 3], stride: [2, 2, 2], padding: [0, 1, 1] },
    inner: (kernel, stride) => ({
      kernel: [kernel, kernel, kernel],
      stride: [1, stride, stride],
      padding: kernel === 3 ? [1, 1, 1] : [0, 0, 0],
    }),
  },
}

/**
 * ResNet (He et al. 2015) as TAO builds it (TAO 5.5, nvidia_tao_pytorch/cv/action_recognition/model/resnet.py and
 * resnet3d.py): torchvision's blocks of version 1.5, which stride in the 3x3 convolution, in 3D with every kernel
 * inflated, and dropout, where asked for, between the global pooling and `fc_cls`.
 * @param prefix Stands before the name of every module.
 * @returns logits [N, classes]
 */
export function resnet<Value>(
  layers: Layers<Value>,
  input: Value,
  network: NetworkConfig,
  prefix: string,
): Value {
  const { depths, bottleneck } = designs[network.backbone]
  const { stem, pool, inner } = windows[network.inputType]
  const normalised = (x: Value, name: string, bnName: string, outChannels: number, window: Window): Value =>
    layers.batchNorm(
      layers.convolution(x, `${prefix}${name}`, { outChannels, ...window }),
      `${prefix}${bnName}`,
    )

  // TAO pools after the activation. It rises everywhere, so the result is the same, at a quarter of the work.
  let x = layers.activation(layers.maxPool(normalised(input, 'conv1', 'bn1', stemWidth, stem), pool))
  let width = stemWidth
  depths.forEach((blocks, stage) => {
    const planes = stemWidth * 2 ** stage
    const outChannels = bottleneck ? planes * bottleneckExpansion : planes
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1
      const name = `layer${stage + 1}.${block}`
      const convolutions: [planes: number, window: Window][] = bottleneck
        ? [
            [planes, inner(1, 1)],
            [planes, inner(3, stride)],
            [outChannels, inner(1, 1)],
          ]
        : [
            [planes, inner(3, stride)],
            [planes, inner(3, 1)],
          ]
      let residual = x
      convolutions.forEach(([channels, window], i) => {
        if (i > 0) residual = layers.activation(residual)
        residual = normalised(residual, `${name}.conv${i + 1}`, `${name}.bn${i + 1}`, channels, window)
      })
      const shortcut =
        stride === 1 && width === outChannels
          ? x
          : normalised(x, `${name}.downsample.0`, `${name}.downsample.1`, outChannels, inner(1, stride))
      x = layers.activation(layers.add(residual, shortcut))
      width = outChannels
    }
  })
  let features = layers.globalAveragePool(x)
  if (network.dropoutRatio > 0) features = layers.dropout(features, `${prefix}dropout`)
  return layers.linear(features, `${prefix}fc_cls`, network.classCount)
}
