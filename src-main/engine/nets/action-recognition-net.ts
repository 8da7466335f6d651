import { streamsOf, type Stream } from '../../core/streams.ts'
import type { Layers } from './layers.ts'
import type { NetworkConfig } from './network.ts'
import { resnet } from './resnet.ts'

/**
 * TAO's ActionRecognitionNet: one residual network, or two whose logits (rgb first) are fused by `fc1`, an activation
 * and `fc2` (TAO 5.5, nvidia_tao_pytorch/cv/action_recognition/model/ar_model.py).
 * @param input Gives the clip of a stream.
 * @returns logits [N, classes]
 */
export function actionRecognitionNet<Value>(
  layers: Layers<Value>,
  input: (stream: Stream) => Value,
  network: NetworkConfig,
): Value {
  const { modelType, fusionFeatures, classCount } = network
  if (modelType !== 'joint') return resnet(layers, input(modelType), network, '')
  const scores = streamsOf(modelType).map((stream) =>
    resnet(layers, input(stream), network, `model_${stream}.`),
  )
  const fused = layers.activation(layers.linear(layers.concat(scores), 'fc1', fusionFeatures))
  return layers.linear(fused, 'fc2', classCount)
}
