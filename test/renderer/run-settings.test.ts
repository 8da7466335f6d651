import { describe, expect, it } from 'vitest'
import type { Run, SpecKey, TrainSettings } from '../../src-main/api/contract/index.ts'
import { keysOfSettings, settingsWith } from '../../src-renderer/state/run-settings.ts'
import { trainTexts } from '../../src-renderer/texts/en-train.ts'
import { modelInputs } from '../../src-renderer/views/export/model-inputs.ts'
import { usageCode } from '../../src-renderer/views/export/usage-code.ts'
import { groupKeys } from '../../src-renderer/views/train/spec-groups.ts'

const settings: TrainSettings = {
  modelType: 'joint',
  inputType: '2d',
  backbone: 'resnet_18',
  rgbFrames: 3,
  ofFrames: 10,
  height: 112,
  width: 160,
  epochs: 25,
  batchSize: 16,
  learningRate: 0.01,
  horizontalFlip: true,
  sampleStrategy: 'random_interval',
  pretrained: false,
  seed: 1,
}

describe('settings and keys of the spec', () => {
  it('are the same thing under two names', () => {
    expect(keysOfSettings({ epochs: 3, height: 64, modelType: 'rgb', horizontalFlip: false })).toEqual({
      'train.num_epochs': '3',
      'model.input_height': '64',
      'model.model_type': 'rgb',
      'dataset.augmentation_config.horizontal_flip_prob': '0',
    })
  })

  it('show a number that was typed before the host has answered, and no text that is none', () => {
    const shown = settingsWith(settings, {
      'train.num_epochs': '7',
      'dataset.batch_size': 'many',
      'train.seed': '',
    })
    expect(shown).toEqual({ ...settings, epochs: 7 })
  })
})

describe('inputs of an exported model', () => {
  it('are those of each stream: frames stacked as channels in 2D, an axis of their own in 3D', () => {
    expect(modelInputs(settings)).toEqual([
      { name: 'input_rgb', sizes: [9, 112, 160] },
      { name: 'input_of', sizes: [20, 112, 160] },
    ])
    expect(modelInputs({ ...settings, modelType: 'of', inputType: '3d' })).toEqual([
      { name: 'input_of', sizes: [2, 10, 112, 160] },
    ])
    expect(modelInputs({ ...settings, modelType: 'rgb' })).toEqual([
      { name: 'input_rgb', sizes: [9, 112, 160] },
    ])
  })

  it.each(['python', 'node'] as const)('stand in the lines that run it, in %s', (language) => {
    const code = usageCode(language, { settings } as Run)
    expect(code).toContain('1, 9, 112, 160')
    expect(code).toContain('1, 20, 112, 160')
  })
})

describe('a run in words', () => {
  it('says what is looked at, with which network', () => {
    expect(trainTexts.looksAtFact(settings)).toBe('Pictures and motion, 3 and 10 frames over the clip')
    expect(trainTexts.looksAtFact({ ...settings, modelType: 'of', sampleStrategy: 'consecutive' })).toBe(
      'Motion (optical flow), 10 frames in a row',
    )
    expect(trainTexts.networkFact({ ...settings, backbone: 'resnet_50', inputType: '3d' })).toBe(
      'ResNet-50 3D, from zero, 160 × 112 pixels',
    )
  })
})

describe('the keys of the spec in the drawer', () => {
  const key = (name: string, section: string, meaning: string): SpecKey => ({
    key: name,
    section,
    kind: 'number',
    rule: 'above 0',
    choices: [],
    default: '1',
    meaning,
    taoDifference: null,
    lockedBy: null,
  })
  const spec = {
    sections: [
      { section: 'train', meaning: '' },
      { section: 'train.optim', meaning: '' },
      { section: '', meaning: '' },
    ],
    keys: [
      key('train.num_epochs', 'train', 'How long it trains.'),
      key('train.optim.lr', 'train.optim', 'Learning rate at the start.'),
      key('results_dir', '', 'Folder of all results.'),
    ],
  }
  const shown = (text: string, onlyChanged = false): string[] =>
    groupKeys(spec, { 'train.optim.lr': '2' }, { text, onlyChanged }).flatMap((group) =>
      group.keys.map((each) => each.key),
    )

  it('stand in the order of their groups, and a group without keys is left out', () => {
    expect(shown('')).toEqual(['train.num_epochs', 'train.optim.lr', 'results_dir'])
    expect(groupKeys(spec, {}, { text: 'epochs', onlyChanged: false }).map((group) => group.section)).toEqual(
      ['train'],
    )
  })

  it('are found by words of their name and meaning, in any order, and by being changed', () => {
    expect(shown('start RATE')).toEqual(['train.optim.lr'])
    expect(shown('nothing like this')).toEqual([])
    expect(shown('', true)).toEqual(['train.optim.lr'])
  })
})
