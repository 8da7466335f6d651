import { availableParallelism } from 'node:os'
import { BatchLoader, type VideoSample } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import { preprocessingOf } from './preprocessing.ts'

/** Reads batches of training clips: random frames, crops and flips as the spec says. */
export function trainingLoader(spec: Spec, samples: VideoSample[], batchSize: number): BatchLoader {
  return createLoader(spec, samples, 'train', batchSize)
}

/** Reads one clip from the centre of each video, in order. */
export function centerLoader(spec: Spec, samples: VideoSample[], batchSize: number): BatchLoader {
  return createLoader(spec, samples, 'center', Math.min(batchSize, samples.length))
}

function createLoader(
  spec: Spec,
  samples: VideoSample[],
  mode: 'train' | 'center',
  batchSize: number,
): BatchLoader {
  const { dataset, model } = spec
  const augmentation = dataset.augmentation_config
  const { mean, std, sequence_length: sequenceLength } = preprocessingOf(spec)
  const centerCrop = augmentation.val_center_crop ? 'center_crop' : 'no_crop'
  return new BatchLoader({
    samples,
    modelType: model.model_type,
    sequenceLength,
    sampleRate: model.sample_rate,
    sampleStrategy: model.sample_strategy,
    mode,
    transform: {
      crop: mode === 'train' ? augmentation.train_crop_type : centerCrop,
      height: model.input_height,
      width: model.input_width,
      cropSmallerEdge: augmentation.crop_smaller_edge,
      horizontalFlipProbability: augmentation.horizontal_flip_prob,
      mean,
      std,
    },
    batchSize,
    workers: Math.min(dataset.workers, availableParallelism()),
    seed: spec.train.seed,
    clipsPerVideo: mode === 'train' ? dataset.clips_per_video : 1,
  })
}
