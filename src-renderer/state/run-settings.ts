import type { SpecChanges, TrainSettings } from '../../src-main/api/contract/index.ts'

/** The settings that are numbers, and the keys of the experiment spec in which they stand. */
const numberKeys = {
  rgbFrames: 'model.rgb_seq_length',
  ofFrames: 'model.of_seq_length',
  height: 'model.input_height',
  width: 'model.input_width',
  epochs: 'train.num_epochs',
  batchSize: 'dataset.batch_size',
  learningRate: 'train.optim.lr',
  seed: 'train.seed',
} as const satisfies Partial<Record<keyof TrainSettings, string>>

const wordKeys = { modelType: 'model.model_type' } as const
const flipKey = 'dataset.augmentation_config.horizontal_flip_prob'

/** Some settings as keys of the experiment spec. */
export function keysOfSettings(part: Partial<TrainSettings>): SpecChanges {
  const changes: SpecChanges = {}
  for (const [name, key] of Object.entries({ ...numberKeys, ...wordKeys })) {
    const value = part[name as keyof TrainSettings]
    if (value !== undefined) changes[key] = String(value)
  }
  if (part.horizontalFlip !== undefined) changes[flipKey] = part.horizontalFlip ? '0.5' : '0'
  return changes
}

/** Settings with the numbers that stand in the changes laid over them. */
export function settingsWith(settings: TrainSettings, changes: SpecChanges): TrainSettings {
  const next = { ...settings }
  for (const [name, key] of Object.entries(numberKeys)) {
    const text = changes[key]?.trim() ?? ''
    const value = Number(text)
    if (text !== '' && Number.isFinite(value)) next[name as keyof typeof numberKeys] = value
  }
  return next
}
