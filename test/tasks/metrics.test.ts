import { describe, expect, it } from 'vitest'
import { parseSpec } from '../../src-main/spec/index.ts'
import { learningRateAt } from '../../src-main/tasks/training/learning-rate.ts'
import {
  argmax,
  classificationMetrics,
  confusionMatrix,
  crossEntropy,
  softmax,
} from '../../src-main/tasks/evaluation/metrics.ts'
import { formatFourDigits, formatRounded, formatStringList } from '../../src-main/tasks/python-text.ts'
import { taoBlock } from '../../src-main/tasks/index.ts'

describe('metrics', () => {
  it('counts truths in rows and predictions in columns', () => {
    expect(confusionMatrix([0, 0, 1, 2, 2], [0, 1, 1, 0, 2], 3)).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [1, 0, 1],
    ])
    expect(() => confusionMatrix([3], [0], 3)).toThrow(RangeError)
  })

  it('gives accuracy, recall of each class, and both means', () => {
    const metrics = classificationMetrics([
      [3, 1, 0],
      [0, 2, 0],
      [0, 0, 0],
    ])
    expect(metrics.accuracy).toBeCloseTo(5 / 6, 12)
    expect(metrics.classAccuracies).toEqual([0.75, 1, null])
    expect(metrics.meanClassAccuracy).toBe(0.875)
    expect(metrics.meanOverLabelMap).toBeCloseTo(1.75 / 3, 12)
  })

  it('takes the first of equal logits', () => {
    expect(argmax([0, 2, 2])).toBe(1)
    expect(argmax([-5, -7])).toBe(0)
  })

  it('computes softmax and cross-entropy without overflow', () => {
    expect(softmax([1000, 1000])).toEqual([0.5, 0.5])
    expect(softmax([0, Math.log(3)])[1]).toBeCloseTo(0.75, 12)
    expect(crossEntropy([0, Math.log(3)], 0)).toBeCloseTo(Math.log(4), 12)
    expect(crossEntropy([1000, 0], 1)).toBe(1000)
  })
})

describe('learning rate', () => {
  const { optim } = parseSpec({ train: { optim: { lr: 1, lr_steps: [2, 4, 4], lr_decay: 0.5 } } }).train

  it('falls at its steps as torch.optim.lr_scheduler.MultiStepLR does', () => {
    expect([0, 1, 2, 3, 4, 5].map((epoch) => learningRateAt(optim, epoch))).toEqual([
      1, 1, 0.5, 0.5, 0.125, 0.125,
    ])
  })
})

describe('text of TAO', () => {
  it('formats percentages as Python does', () => {
    // '{:.4}'.format(v) of CPython 3.11
    const printed: [number, string][] = [
      [0, '0.0'],
      [100, '100.0'],
      [95, '95.0'],
      [83.33333, '83.33'],
      [5.55555, '5.556'],
      [66.666, '66.67'],
    ]
    for (const [value, text] of printed) expect(formatFourDigits(value)).toBe(text)
    expect(formatRounded(90.32258)).toBe('90.323')
    expect(formatRounded(100)).toBe('100.0')
  })

  it('writes a list of labels as Python does', () => {
    expect(formatStringList(['walk', "it's", 'a"b', '\'"', 'a\\b'])).toBe(
      String.raw`['walk', "it's", 'a"b', '\'"', 'a\\b']`,
    )
  })

  it('prints the block, with TAO’s mean beside ours when a class has no videos', () => {
    const report = {
      accuracy: 0.8,
      meanClassAccuracy: 0.875,
      meanOverLabelMap: 0.58333,
      classes: [
        { name: 'walk', index: 0, accuracy: 0.75, count: 4 },
        { name: 'ride_a_bicycle_fast', index: 1, accuracy: 1, count: 1 },
        { name: 'fall', index: 2, accuracy: null, count: 0 },
      ],
      confusion: [],
      videos: [],
      folder: '',
    }
    expect(taoBlock(report)).toEqual([
      '*******************************',
      'walk          75.0',
      'ride_a_bicycle_fast100.0',
      'fall          0.0',
      '*******************************',
      'Total accuracy: 80.0',
      'Average class accuracy: 87.5 (of the 2 classes that have videos; TAO prints 58.333, counting the others as 0)',
    ])
  })
})
