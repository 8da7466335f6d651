import { KineoError } from '../../core/errors.ts'
import type { NetworkConfig } from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import type { Spec } from '../../spec/index.ts'

/** The network that a spec describes. */
export function networkOf(spec: Spec, classCount: number): NetworkConfig {
  const { model } = spec
  return {
    modelType: model.model_type,
    backbone: model.backbone,
    inputType: model.input_type,
    rgbSequenceLength: model.rgb_seq_length,
    ofSequenceLength: model.of_seq_length,
    height: model.input_height,
    width: model.input_width,
    classCount,
    dropoutRatio: model.dropout_ratio,
    fusionFeatures: 64,
  }
}

/** Colour or flow channels of one frame. */
export function channelsPerFrame(modelType: Spec['model']['model_type']): 2 | 3 {
  return modelType === 'rgb' ? 3 : 2
}

/**
 * Checks that a checkpoint's weights are those of `network`, by the tensors that tell networks apart.
 * @throws KineoError (input) that says what the checkpoint holds and which key to change.
 */
export function assertWeightsFit(network: NetworkConfig, parameters: TensorMap, path: string): void {
  const fail = (what: string, remedy: string): never => {
    throw new KineoError('input', what, { where: path, remedy })
  }
  const stem = parameters.get('conv1.weight')
  const head = parameters.get('fc_cls.weight')
  if (stem === undefined || head === undefined) {
    return fail(
      'The checkpoint is not one of an action recognition network',
      'Give a .pth that kineo train or TAO wrote, such as ar_model_latest.pth',
    )
  }
  if (stem.shape.length !== 4) {
    fail('The checkpoint is of a 3D network, which is not supported yet', 'Use one with input_type 2d')
  }
  if (parameters.has('layer1.0.conv3.weight') || parameters.has('layer1.2.conv1.weight')) {
    fail(
      'The checkpoint is of a deeper ResNet, which is not supported yet',
      'Use one with backbone resnet_18',
    )
  }
  const channels = stem.shape[1] ?? 0
  const isRgb = network.modelType === 'rgb'
  const frames = isRgb ? network.rgbSequenceLength : network.ofSequenceLength
  const wanted = frames * (isRgb ? 3 : 2)
  if (channels !== wanted) {
    const key = isRgb ? 'model.rgb_seq_length' : 'model.of_seq_length'
    fail(
      `The checkpoint takes ${channels} input channels, the spec gives ${wanted} (${frames} frames of ${network.modelType})`,
      `Use the model_type and ${key} that it was trained with`,
    )
  }
  const classes = head.shape[0] ?? 0
  if (classes !== network.classCount) {
    fail(
      `The checkpoint knows ${classes} classes, dataset.label_map has ${network.classCount}`,
      'Use the label_map that it was trained with',
    )
  }
}
