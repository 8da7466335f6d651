import type { NetworkConfig } from '../../engine/index.ts'
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
    fusionFeatures: model.num_fc,
  }
}
