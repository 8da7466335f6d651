import { describe, expect, it } from 'vitest'
import { softmax } from '../../src-main/tasks/evaluation/metrics.ts'
import { classWeightsOf, type LossSettings, lossTargets } from '../../src-main/tasks/training/loss-targets.ts'

// The expected losses are those of torch.nn.functional.cross_entropy in float64 (torch 1.13).

const logits = [
  [1.0, -0.5, 0.25],
  [0.1, 0.2, 0.3],
  [2.0, 0.0, -1.0],
  [-1.0, 0.5, 0.75],
]
const labels = Int32Array.of(0, 2, 1, 1)
const weights = [0.5, 2, 1.25]

/** What the training step computes: the mean over the clips of -sum(target * log softmax). */
function meanLoss(targets: Float32Array): number {
  const losses = logits.map((row, clip) =>
    softmax(row).reduce((sum, p, k) => sum - (targets[clip * 3 + k] ?? NaN) * Math.log(p), 0),
  )
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

describe('the targets of the loss', () => {
  it.each<[string, LossSettings, number]>([
    ['one-hot', { labelSmoothing: 0, classWeights: null }, 1.15472837146662],
    ['weighted', { labelSmoothing: 0, classWeights: weights }, 1.338157603439663],
    ['smoothed', { labelSmoothing: 0.1, classWeights: null }, 1.1780617047999535],
    ['weighted and smoothed', { labelSmoothing: 0.1, classWeights: weights }, 1.3333037304696056],
  ])('%s give the loss of torch', (_, settings, expected) => {
    const targets = lossTargets(settings, { labels, mixed: null, count: 4 }, 3)
    expect(meanLoss(targets)).toBeCloseTo(expected, 6)
  })

  it('of mixed clips, smoothed, give the loss of torch', () => {
    const mixed = Float32Array.of(0.7, 0.3, 0, 0, 0, 1, 0.2, 0.8, 0, 0, 0.5, 0.5)
    const targets = lossTargets({ labelSmoothing: 0.1, classWeights: null }, { labels, mixed, count: 4 }, 3)
    expect(meanLoss(targets)).toBeCloseTo(1.1611867047999533, 6)
  })

  it('of classes that weigh nothing are nothing', () => {
    const settings = { labelSmoothing: 0, classWeights: [1, 0, 0] }
    expect([...lossTargets(settings, { labels: Int32Array.of(1, 2), mixed: null, count: 2 }, 3)]).toEqual(
      new Array(6).fill(0),
    )
  })
})

describe('class weights', () => {
  it('balance the classes as scikit-learn does, over those that have videos', () => {
    expect(classWeightsOf('balanced', ['a', 'b', 'c'], [6, 2, 0])).toEqual([8 / 12, 2, 1])
    expect(classWeightsOf('none', ['a', 'b'], [6, 2])).toBeNull()
  })

  it('are taken from a map, 1 where it says nothing', () => {
    expect(classWeightsOf({ b: 3 }, ['a', 'b'], [1, 1])).toEqual([1, 3])
  })
})
