import { join } from 'node:path'
import type { TrainSettings } from '../core/work.ts'
import { parseSpec, type Spec } from '../spec/index.ts'

/** What the settings are chosen from. */
export interface DatasetFacts {
  /** Training clips. */
  clipCount: number
  /** Colour frames of each training clip. */
  framesPerClip: readonly number[]
  classNames: readonly string[]
  /** True when optical flow is there for every clip, or can be made. */
  hasFlow: boolean
}

/** What a person has decided already; the rest is chosen to fit it. */
export type RecipeWish = Partial<Pick<TrainSettings, 'modelType' | 'inputType' | 'epochs'>>

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
 * actions (training-facts.md section 7: 28 of 31 gesture clips by flow), short clips, small images. A 3D network needs
 * several times the memory and time for a clip, so it gets fewer clips a step.
 */
export function recommendSettings(facts: DatasetFacts, wish: RecipeWish = {}): RecommendedSettings {
  const modelType = wish.modelType ?? (facts.hasFlow ? 'of' : 'rgb')
  const inputType = wish.inputType ?? '2d'
  const usualBatch = inputType === '3d' ? 4 : facts.clipCount >= 32 ? 16 : 8
  const batchSize = Math.max(1, Math.min(usualBatch, facts.clipCount))
  const stepsPerEpoch = Math.max(1, Math.ceil(facts.clipCount / batchSize))
  const usualEpochs = Math.min(mostEpochs, Math.max(fewestEpochs, Math.round(usualSteps / stepsPerEpoch)))
  const [rgbFrames, ofFrames] = framesFor(facts, modelType, inputType)
  const mirrorLies = facts.classNames.some((name) => directional.test(name.replaceAll('_', ' ')))
  const settings: TrainSettings = {
    modelType,
    inputType,
    backbone: 'resnet_18',
    rgbFrames,
    ofFrames,
    height: 112,
    width: 112,
    epochs: wish.epochs ?? usualEpochs,
    batchSize,
    learningRate: batchSize >= 16 ? 0.01 : batchSize >= 8 ? 0.005 : 0.0025,
    horizontalFlip: !mirrorLies,
    sampleStrategy: 'random_interval',
    pretrained: false,
    seed: 1234,
  }
  const flip = mirrorLies ? ' Clips are not mirrored, because a class name tells left from right.' : ''
  return { settings, reason: `${inputReason(settings, facts.hasFlow)}.${flip}` }
}

function inputReason({ modelType, rgbFrames, ofFrames }: TrainSettings, hasFlow: boolean): string {
  switch (modelType) {
    case 'of':
      return `Looks at ${ofFrames} steps of motion from each clip, because motion tells actions apart better than appearance`
    case 'rgb':
      return hasFlow
        ? `Looks at ${rgbFrames} frames of each clip, as you chose`
        : `Looks at ${rgbFrames} frames of each clip, because no motion is prepared`
    case 'joint':
      return `Looks at ${rgbFrames} frames and ${ofFrames} steps of motion of each clip, as you chose`
  }
}

/** As many pictures and flow images as nine of ten clips can give without repeating one. */
function framesFor(
  { framesPerClip }: DatasetFacts,
  modelType: TrainSettings['modelType'],
  inputType: TrainSettings['inputType'],
): [rgbFrames: number, ofFrames: number] {
  const usualRgb = inputType === '3d' ? 16 : modelType === 'joint' ? 3 : 8
  const usualOf = inputType === '3d' ? 16 : 10
  const sorted = [...framesPerClip].sort((a, b) => a - b)
  const short = sorted[Math.floor(sorted.length / 10)] ?? Number.POSITIVE_INFINITY
  // A clip has one flow image less than pictures.
  return [Math.max(1, Math.min(usualRgb, short)), Math.max(1, Math.min(usualOf, short - 1))]
}

/** A plain object with the keys of the YAML. */
export type SpecTree = Record<string, unknown>

/**
 * The experiment spec of the recipe, without the keys of `projectKeys`: the settings, and everything else so that a
 * small set is learned (frames spread over the clip, whole frames without a crop, no dropout, limited gradients, a learning
 * rate that rises over two epochs and falls along a cosine, some five checkpoints kept).
 */
export function recipeSpec(settings: TrainSettings): SpecTree {
  const flip = settings.horizontalFlip ? 0.5 : 0
  return {
    model: {
      model_type: settings.modelType,
      input_type: settings.inputType,
      backbone: settings.backbone,
      rgb_seq_length: settings.rgbFrames,
      of_seq_length: settings.ofFrames,
      sample_strategy: settings.sampleStrategy,
      // On 99 gesture clips the page's 0.5 cost three of 31 validation clips (24 against 27 right).
      dropout_ratio: 0,
      input_height: settings.height,
      input_width: settings.width,
    },
    dataset: {
      batch_size: settings.batchSize,
      augmentation_config: {
        train_crop_type: 'no_crop',
        horizontal_flip_prob: flip,
        rgb_input_mean: [0.5],
        rgb_input_std: [0.5],
      },
    },
    train: {
      num_epochs: settings.epochs,
      checkpoint_interval: Math.max(1, Math.ceil(settings.epochs / 5)),
      seed: settings.seed,
      // Without it single steps throw the running statistics off, and validation falls back for an epoch or two. With
      // it, warm-up and cosine 27 and 29 of 31 gesture clips were right (flow 80x80, 25 epochs, seeds 1234 and 7),
      // against 22 and 27 with one late decay alone; on the sample both end at 30 of 30.
      clip_grad_norm: 2,
      optim: {
        lr: settings.learningRate,
        lr_scheduler: 'Cosine',
        warmup_epochs: Math.min(2, Math.floor(settings.epochs / 5)),
      },
    },
    evaluate: { batch_size: settings.batchSize },
    inference: { batch_size: settings.batchSize },
  }
}

/** What a spec comes to in the settings that the app speaks of. */
export function settingsOf({ model, dataset, train }: Spec): TrainSettings {
  return {
    modelType: model.model_type,
    inputType: model.input_type,
    backbone: model.backbone,
    rgbFrames: model.rgb_seq_length,
    ofFrames: model.of_seq_length,
    height: model.input_height,
    width: model.input_width,
    epochs: train.num_epochs,
    batchSize: dataset.batch_size,
    learningRate: train.optim.lr,
    horizontalFlip: dataset.augmentation_config.horizontal_flip_prob > 0,
    sampleStrategy: model.sample_strategy,
    pretrained: [
      model.rgb_pretrained_model_path,
      model.of_pretrained_model_path,
      model.joint_pretrained_model_path,
    ].some((path) => path !== null),
    seed: train.seed,
  }
}

/** Where a project keeps what a run reads and writes. */
export interface RunPaths {
  trainFolder: string
  valFolder: string
  /** Gets `train`, `evaluate` and `export` below it. */
  resultsFolder: string
}

/** Keys of the spec that follow from where a project keeps its clips and runs. */
export const projectKeys: ReadonlySet<string> = new Set([
  'results_dir',
  'dataset.train_dataset_dir',
  'dataset.val_dataset_dir',
  'dataset.label_map',
  'train.resume_training_checkpoint_path',
  'train.results_dir',
  'evaluate.checkpoint',
  'evaluate.test_dataset_dir',
  'evaluate.results_dir',
  'inference.checkpoint',
  'inference.inference_dataset_dir',
  'inference.results_dir',
  'export.checkpoint',
  'export.onnx_file',
  'export.results_dir',
])

/** The whole spec of a run: its experiment with the places of the project. */
export function specOf(experiment: SpecTree, paths: RunPaths, classNames: readonly string[]): Spec {
  const checkpoint = join(paths.resultsFolder, 'train', 'ar_model_latest.pth')
  return parseSpec({
    ...experiment,
    dataset: {
      ...section(experiment, 'dataset'),
      train_dataset_dir: paths.trainFolder,
      val_dataset_dir: paths.valFolder,
      label_map: Object.fromEntries(classNames.map((name, index) => [name, index])),
    },
    evaluate: { ...section(experiment, 'evaluate'), checkpoint },
    inference: { ...section(experiment, 'inference'), checkpoint },
    export: {
      ...section(experiment, 'export'),
      checkpoint,
      onnx_file: join(paths.resultsFolder, 'export', 'model.onnx'),
    },
    results_dir: paths.resultsFolder,
  })
}

function section(experiment: SpecTree, name: string): SpecTree {
  const value = experiment[name]
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
