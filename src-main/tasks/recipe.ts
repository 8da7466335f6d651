import { join } from 'node:path'
import { parseSpec, type Spec } from '../spec/index.ts'

/** One click's worth of training settings; the same fields as `trainSettings` of the api contract. */
export interface TrainSettings {
  modelType: 'rgb' | 'of'
  /** Frames of a clip. */
  frames: number
  /** Height and width of the network's input in pixels. */
  size: number
  epochs: number
  batchSize: number
  learningRate: number
  horizontalFlip: boolean
  seed: number
}

/** What the settings are chosen from. */
export interface DatasetFacts {
  /** Training clips. */
  clipCount: number
  /** Colour frames of each training clip. */
  framesPerClip: readonly number[]
  classNames: readonly string[]
  /** True when optical flow is prepared for every clip. */
  hasFlow: boolean
}

export interface RecommendedSettings {
  settings: TrainSettings
  /** Why these, in one or two plain sentences. */
  reason: string
}

/**
 * Optimizer steps after which a small network from scratch has learned what it will: on 99 gesture clips of 6 classes
 * about 7 steps in each of 25 epochs reached the plateau.
 */
const usualSteps = 175
const fewestEpochs = 10
const mostEpochs = 60

/** A name that says left or right as a word, in which a mirrored clip would be a lie. */
const directional = /(^|[^a-z])(left|right|clockwise|counterclockwise|anticlockwise|cw|ccw)([^a-z]|$)/i

/**
 * Settings that learn from a small set on a CPU: optical flow when it is prepared, since motion is what separates
 * actions (training-facts.md section 7: 28 of 31 gesture clips by flow), short clips, small images.
 */
export function recommendSettings(facts: DatasetFacts): RecommendedSettings {
  const modelType = facts.hasFlow ? 'of' : 'rgb'
  const batchSize = Math.max(1, Math.min(facts.clipCount >= 32 ? 16 : 8, facts.clipCount))
  const stepsPerEpoch = Math.max(1, Math.ceil(facts.clipCount / batchSize))
  const epochs = Math.min(mostEpochs, Math.max(fewestEpochs, Math.round(usualSteps / stepsPerEpoch)))
  const frames = framesFor(facts)
  const mirrorLies = facts.classNames.some((name) => directional.test(name.replaceAll('_', ' ')))
  const settings: TrainSettings = {
    modelType,
    frames,
    size: 112,
    epochs,
    batchSize,
    learningRate: batchSize >= 16 ? 0.01 : 0.005,
    horizontalFlip: !mirrorLies,
    seed: 1234,
  }
  const input = facts.hasFlow
    ? `Looks at ${frames} steps of motion from each clip, because motion tells actions apart better than appearance`
    : `Looks at ${frames} frames of each clip, because no motion is prepared`
  const flip = mirrorLies ? ' Clips are not mirrored, because a class name tells left from right.' : ''
  return { settings, reason: `${input}.${flip}` }
}

/** As many frames as nine of ten clips can give without repeating one. */
function framesFor({ framesPerClip, hasFlow }: DatasetFacts): number {
  const usual = hasFlow ? 10 : 8
  const sorted = [...framesPerClip].sort((a, b) => a - b)
  const short = sorted[Math.floor(sorted.length / 10)]
  if (short === undefined) return usual
  return Math.max(1, Math.min(usual, hasFlow ? short - 1 : short))
}

/** Where a project keeps what a run reads and writes. */
export interface RunPaths {
  trainFolder: string
  valFolder: string
  /** Gets `train`, `evaluate` and `export` below it. */
  resultsFolder: string
}

/**
 * The whole spec of a run: settings of one click, everything else as the recipe has it (frames spread over the clip,
 * whole frames without a crop, no dropout, the learning rate down to a tenth for the last fifth, some five checkpoints
 * kept).
 */
export function specOf(settings: TrainSettings, paths: RunPaths, classNames: readonly string[]): Spec {
  const trainResults = join(paths.resultsFolder, 'train')
  const latest = join(trainResults, 'ar_model_latest.pth')
  return parseSpec({
    model: {
      model_type: settings.modelType,
      [settings.modelType === 'rgb' ? 'rgb_seq_length' : 'of_seq_length']: settings.frames,
      sample_strategy: 'random_interval',
      // On 99 gesture clips the page's 0.5 cost three of 31 validation clips (24 against 27 right).
      dropout_ratio: 0,
      input_height: settings.size,
      input_width: settings.size,
    },
    dataset: {
      train_dataset_dir: paths.trainFolder,
      val_dataset_dir: paths.valFolder,
      label_map: Object.fromEntries(classNames.map((name, index) => [name, index])),
      batch_size: settings.batchSize,
      augmentation_config: {
        train_crop_type: 'no_crop',
        horizontal_flip_prob: settings.horizontalFlip ? 0.5 : 0,
        rgb_input_mean: [0.5],
        rgb_input_std: [0.5],
      },
    },
    train: {
      num_epochs: settings.epochs,
      checkpoint_interval: Math.max(1, Math.ceil(settings.epochs / 5)),
      seed: settings.seed,
      optim: { lr: settings.learningRate, lr_steps: [Math.round(settings.epochs * 0.8)] },
    },
    evaluate: { checkpoint: latest, batch_size: settings.batchSize },
    inference: { checkpoint: latest, batch_size: settings.batchSize },
    export: { checkpoint: latest, onnx_file: join(paths.resultsFolder, 'export', 'model.onnx') },
    results_dir: paths.resultsFolder,
  })
}
