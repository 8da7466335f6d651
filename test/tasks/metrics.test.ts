import { describe, expect, it } from 'vitest'
import {
  argmax,
  classificationMetrics,
  confusionMatrix,
  crossEntropy,
  meanRow,
  softmax,
  topKAccuracy,
} from '../../src-main/tasks/evaluation/metrics.ts'
import { formatFourDigits, formatRounded, formatStringList } from '../../src-main/tasks/python-text.ts'
import { classTable, type EvaluatedClass, taoBlock } from '../../src-main/tasks/evaluation/evaluate.ts'

describe('metrics', () => {
  it('counts truths in rows and predictions in columns', () => {
    expect(confusionMatrix([0, 0, 1, 2, 2], [0, 1, 1, 0, 2], 3)).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [1, 0, 1],
    ])
    expect(() => confusionMatrix([3], [0], 3)).toThrow(RangeError)
  })

  it('gives accuracy, recall, precision and F1 of each class, and both means', () => {
    // As sklearn.metrics.classification_report, where that does not put 0 for what is undefined.
    const metrics = classificationMetrics([
      [3, 1, 0, 0],
      [0, 2, 0, 0],
      [0, 0, 0, 0],
      [1, 0, 0, 0],
    ])
    expect(metrics.accuracy).toBeCloseTo(5 / 7, 12)
    expect(metrics.classes).toEqual([
      { support: 4, recall: 0.75, precision: 0.75, f1: 0.75 },
      { support: 2, recall: 1, precision: 2 / 3, f1: 0.8 },
      { support: 0, recall: null, precision: null, f1: null },
      { support: 1, recall: 0, precision: null, f1: 0 },
    ])
    expect(metrics.meanClassAccuracy).toBeCloseTo(1.75 / 3, 12)
    expect(metrics.meanOverLabelMap).toBeCloseTo(1.75 / 4, 12)
  })

  it('counts a class among the k largest, the first of equal ones first', () => {
    const rows = [
      [0.5, 0.3, 0.2],
      [0.2, 0.4, 0.4],
      [0.1, 0.1, 0.8],
    ]
    expect([1, 2, 3].map((k) => topKAccuracy(rows, [1, 2, 0], k))).toEqual([0, 1, 1])
    expect(topKAccuracy(rows, [1, 2, 1], 2)).toBeCloseTo(2 / 3, 12)
  })

  it('averages rows column by column', () => {
    expect(
      meanRow([
        [1, 0],
        [0.5, 0.5],
      ]),
    ).toEqual([0.75, 0.25])
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
      topK: { k: 2, accuracy: 0.9 },
      classes: [
        evaluatedClass({ name: 'walk', accuracy: 0.75, count: 4, precision: 1, f1: 6 / 7 }),
        evaluatedClass({ name: 'ride_a_bicycle_fast', accuracy: 1, count: 1, precision: 0.5, f1: 2 / 3 }),
        evaluatedClass({ name: 'fall', accuracy: null, count: 0, precision: null, f1: null }),
      ],
      confusion: [],
      videos: [],
      mode: 'center' as const,
      checkpoint: '',
      dataset: '',
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
    expect(classTable(report)).toEqual([
      '                      precision    recall        f1    videos',
      'walk                      100.0      75.0    85.714         4',
      'ride_a_bicycle_fast        50.0     100.0    66.667         1',
      'fall                          -         -         -         0',
      'Top-2 accuracy: 90.0',
    ])
  })
})

function evaluatedClass(
  figures: Pick<EvaluatedClass, 'name' | 'accuracy' | 'count' | 'precision' | 'f1'>,
): EvaluatedClass {
  return { ...figures, index: 0, recall: figures.accuracy, support: figures.count }
}
