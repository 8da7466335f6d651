import { availableParallelism } from 'node:os'
import { streamsOf } from '../../core/streams.ts'
import {
  BatchLoader,
  flippedClasses,
  type LoaderOptions,
  type TransformConfig,
  type VideoSample,
} from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import { labelMapOf } from './class-names.ts'
import { streamPreprocessing } from './preprocessing.ts'

/** Which clips of each video are looked at. */
export interface SegmentChoice {
  mode: 'center' | 'conv' | 'all'
  /** Clips of a video in `conv`. */
  segmentCount: number
  batchSize: number
}

/**
 * Reads batches of training clips: random frames, crops, flips, colours and mixtures as the spec says.
 * @throws KineoError `spec` for a flip_label_map that does not fit the classes.
 */
export function trainingLoader(
  spec: Spec,
  samples: VideoSample[],
  classNames: readonly string[],
  batchSize: number,
): BatchLoader {
  const { dataset } = spec
  return new BatchLoader({
    ...commonOptions(spec, samples),
    mode: 'train',
    segmentCount: 1,
    transform: trainingTransform(spec, classNames),
    batchSize,
    classCount: classNames.length,
    clipsPerVideo: dataset.clips_per_video,
    balanced: dataset.balanced_sampling,
    mixupAlpha: dataset.augmentation_config.mixup_alpha,
  })
}

/** Reads the clips of each video that evaluation looks at, in the order of the videos; nothing is random. */
export function segmentLoader(spec: Spec, samples: VideoSample[], choice: SegmentChoice): BatchLoader {
  return new BatchLoader({
    ...commonOptions(spec, samples),
    mode: choice.mode,
    segmentCount: choice.segmentCount,
    transform: evaluationTransform(spec),
    batchSize: choice.batchSize,
    clipsPerVideo: 1,
    balanced: false,
    mixupAlpha: 0,
  })
}

/**
 * How frames become input in training.
 * @throws KineoError `spec` for a flip_label_map that does not fit the classes.
 */
export function trainingTransform(spec: Spec, classNames: readonly string[]): TransformConfig {
  const augmentation = spec.dataset.augmentation_config
  const jitter = augmentation.color_jitter
  const jitters = Object.values(jitter).some((strength) => strength > 0)
  return {
    ...evaluationTransform(spec),
    crop: augmentation.train_crop_type,
    scales: augmentation.scales,
    horizontalFlipProbability: augmentation.horizontal_flip_prob,
    flippedClasses: flippedClasses(augmentation.flip_label_map, labelMapOf(classNames)),
    colorJitter: jitters && spec.model.model_type !== 'of' ? jitter : null,
  }
}

/** How frames become input outside training. */
export function evaluationTransform(spec: Spec): TransformConfig {
  const { model } = spec
  const augmentation = spec.dataset.augmentation_config
  const normalisation = streamsOf(model.model_type).map((stream) => {
    const { mean, std } = streamPreprocessing(spec, stream)
    return [stream, { mean, std }] as const
  })
  return {
    crop: augmentation.val_center_crop ? 'center_crop' : 'no_crop',
    height: model.input_height,
    width: model.input_width,
    cropSmallerEdge: augmentation.crop_smaller_edge,
    scales: [1],
    horizontalFlipProbability: 0,
    flipNegateU: augmentation.flip_negate_u,
    flippedClasses: null,
    colorJitter: null,
    normalisation: Object.fromEntries(normalisation),
  }
}

function commonOptions(
  spec: Spec,
  samples: VideoSample[],
): Pick<
  LoaderOptions,
  | 'samples'
  | 'modelType'
  | 'rgbSequenceLength'
  | 'ofSequenceLength'
  | 'inputType'
  | 'sampleRate'
  | 'sampleStrategy'
  | 'workers'
  | 'seed'
> {
  const { dataset, model } = spec
  return {
    samples,
    modelType: model.model_type,
    rgbSequenceLength: model.rgb_seq_length,
    ofSequenceLength: model.of_seq_length,
    inputType: model.input_type,
    sampleRate: model.sample_rate,
    sampleStrategy: model.sample_strategy,
    workers: Math.min(dataset.workers, availableParallelism()),
    seed: spec.train.seed,
  }
}
