import { describe, expect, it } from 'vitest'
import {
  type DatasetFacts,
  recipeSpec,
  recommendSettings,
  settingsOf,
  specOf,
} from '../../src-main/tasks/index.ts'

function facts(over: Partial<DatasetFacts> = {}): DatasetFacts {
  return {
    clipCount: 99,
    framesPerClip: new Array<number>(99).fill(40),
    classNames: ['circle', 'star', 'up'],
    hasFlow: true,
    ...over,
  }
}

describe('recommended settings', () => {
  it('are those under which the gesture clips are known to be learned', () => {
    expect(recommendSettings(facts()).settings).toEqual({
      modelType: 'of',
      inputType: '2d',
      backbone: 'resnet_18',
      rgbFrames: 8,
      ofFrames: 10,
      height: 112,
      width: 112,
      epochs: 25,
      batchSize: 16,
      learningRate: 0.01,
      horizontalFlip: true,
      sampleStrategy: 'random_interval',
      pretrained: false,
      seed: 1234,
    })
  })

  it('look at colour when no flow is prepared', () => {
    const { settings, reason } = recommendSettings(facts({ hasFlow: false }))
    expect(settings).toMatchObject({ modelType: 'rgb', rgbFrames: 8 })
    expect(reason).toContain('no motion is prepared')
  })

  it.each([
    [['left', 'right'], false],
    [['turn_Left', 'stand'], false],
    [['swipe-right', 'x'], false],
    [['clockwise', 'x'], false],
    [['cleft', 'brightness'], true],
  ])('mirror clips of %j: %s', (classNames, mirrored) => {
    expect(recommendSettings(facts({ classNames })).settings.horizontalFlip).toBe(mirrored)
  })

  it('take no more frames than nine of ten clips have', () => {
    const lengths = [3, ...new Array<number>(9).fill(6), ...new Array<number>(10).fill(30)]
    const framesOf = (framesPerClip: number[]) => recommendSettings(facts({ framesPerClip })).settings
    expect(framesOf(lengths)).toMatchObject({ rgbFrames: 6, ofFrames: 5 })
    expect(framesOf([1])).toMatchObject({ rgbFrames: 1, ofFrames: 1 })
    expect(framesOf([])).toMatchObject({ rgbFrames: 8, ofFrames: 10 })
  })

  it('train small sets for more epochs in smaller batches, large ones for fewer', () => {
    const small = recommendSettings(facts({ clipCount: 12, framesPerClip: [] })).settings
    expect(small).toMatchObject({ batchSize: 8, epochs: 60 })
    expect(recommendSettings(facts({ clipCount: 3000 })).settings).toMatchObject({
      batchSize: 16,
      epochs: 10,
    })
    expect(recommendSettings(facts({ clipCount: 1 })).settings.batchSize).toBe(1)
  })
})

it('are fitted to the kind of network that was chosen', () => {
  expect(recommendSettings(facts(), { modelType: 'joint' }).settings).toMatchObject({
    modelType: 'joint',
    rgbFrames: 3,
    ofFrames: 10,
  })
  expect(recommendSettings(facts(), { inputType: '3d' }).settings).toMatchObject({
    inputType: '3d',
    ofFrames: 16,
    batchSize: 4,
  })
})

it('warm up and keep checkpoints as fits the number of epochs that was chosen', () => {
  const scheduleOf = (epochs: number) => {
    const { settings } = recommendSettings(facts(), { epochs })
    const { train } = specOf(
      recipeSpec(settings),
      { trainFolder: '/t', valFolder: '/v', resultsFolder: '/r' },
      ['a', 'b'],
    )
    return [train.optim.lr_scheduler, train.optim.warmup_epochs, train.checkpoint_interval]
  }
  expect(scheduleOf(25)).toEqual(['Cosine', 2, 5])
  expect(scheduleOf(6)).toEqual(['Cosine', 1, 2])
  expect(scheduleOf(1)).toEqual(['Cosine', 0, 1])
})

it('are what their spec comes to', () => {
  const { settings } = recommendSettings(facts({ hasFlow: false }), { inputType: '3d' })
  const paths = { trainFolder: '/t', valFolder: '/v', resultsFolder: '/r' }
  expect(settingsOf(specOf(recipeSpec(settings), paths, ['a', 'b']))).toEqual(settings)
})

it('become a whole spec that names every folder of the run', () => {
  const { settings } = recommendSettings(facts({ classNames: ['left', 'right'] }))
  const paths = { trainFolder: '/p/dataset/train', valFolder: '/p/dataset/val', resultsFolder: '/p/runs/1' }
  const spec = specOf(recipeSpec(settings), paths, ['left', 'right'])
  expect(spec.model).toMatchObject({
    model_type: 'of',
    of_seq_length: 10,
    sample_strategy: 'random_interval',
    dropout_ratio: 0,
    input_height: 112,
    input_width: 112,
  })
  expect(spec.dataset).toMatchObject({
    train_dataset_dir: '/p/dataset/train',
    label_map: { left: 0, right: 1 },
    batch_size: 16,
  })
  expect(spec.dataset.augmentation_config).toMatchObject({
    train_crop_type: 'no_crop',
    horizontal_flip_prob: 0,
  })
  expect(spec.train).toMatchObject({ num_epochs: 25, checkpoint_interval: 5, validation_interval: 1 })
  expect(spec.evaluate.checkpoint).toBe('/p/runs/1/train/ar_model_latest.pth')
  expect(spec.export.onnx_file).toBe('/p/runs/1/export/model.onnx')
  expect(spec.results_dir).toBe('/p/runs/1')
})
