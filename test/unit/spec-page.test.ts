import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { specPage, specPagePath } from '../../build/spec-page/spec-page.ts'
import { describeSections, describeSpec, notBuiltKeys, otherSpellings } from '../../src-main/spec/index.ts'

it('docs/spec.md says what the schema says (else: npm run docs:spec)', () => {
  expect(readFileSync(specPagePath, 'utf8')).toBe(specPage())
})

it('docs/spec.md names every key, every section and every other name', () => {
  const page = specPage()
  const keys = [...describeSpec().map(({ key }) => key), ...notBuiltKeys.keys(), ...otherSpellings.keys()]
  expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([])
  expect(describeSections().filter(({ section }) => !page.includes(`# ${section}\n`))).toEqual([])
})

describe('what is told about a key', () => {
  const keys = describeSpec()

  it('is plain JSON, one sentence or more, and fits its kind', () => {
    expect(structuredClone(keys)).toEqual(keys)
    for (const { key, meaning, kind, choices, appliesTo, default: standard } of keys) {
      expect(meaning, key).toMatch(/^\S.*\.$/)
      expect(appliesTo.commands, key).not.toEqual([])
      expect(choices.length > 0, key).toBe(kind === 'choice' || key === 'train.class_weights')
      if (kind === 'choice') expect(choices, key).toContain(standard)
    }
  })

  it('names only keys and values that there are where it says when it takes effect', () => {
    for (const { key, appliesTo } of keys) {
      for (const [other, values] of Object.entries(appliesTo.onlyWith)) {
        const choices = keys.find((description) => description.key === other)?.choices ?? []
        expect(choices, `${key} only with ${other}`).toEqual(expect.arrayContaining([...values]))
      }
    }
  })

  it('holds every default of TAO 5.5 and switches every key of Kineo off', () => {
    const own = keys.filter(({ isOwn }) => isOwn).map((key) => [key.key, key.default])
    expect(Object.fromEntries(own)).toEqual({
      'model.pretrained_rescale': false,
      'dataset.balanced_sampling': false,
      'dataset.augmentation_config.flip_label_map': {},
      // The one that is on: it mends what TAO itself marks as to be mended.
      'dataset.augmentation_config.flip_negate_u': true,
      'dataset.augmentation_config.mixup_alpha': 0,
      'dataset.augmentation_config.color_jitter.brightness': 0,
      'dataset.augmentation_config.color_jitter.contrast': 0,
      'dataset.augmentation_config.color_jitter.saturation': 0,
      'dataset.augmentation_config.color_jitter.hue': 0,
      'train.class_weights': 'none',
      'train.label_smoothing': 0,
      'train.accumulate_batches': 1,
      'train.freeze_stages': 0,
      'train.ema_decay': 0,
      'train.early_stopping_patience': 0,
      'train.save_best': false,
      'train.optim.threshold': 0.001,
      'train.optim.warmup_epochs': 0,
      'evaluate.top_k': 5,
    })
  })
})
