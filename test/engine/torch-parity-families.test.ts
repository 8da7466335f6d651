import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { EvaluationSession, TrainingSession, networkInputs } from '../../src-main/engine/index.ts'
import { computeGradients } from '../../src-main/engine/runtime/gradients.ts'
import type { StreamInputs } from '../../src-main/core/streams.ts'
import { labels, uniform } from '../fixtures/torch/deterministic.ts'
import { families, type StoredFamily } from '../fixtures/torch/stored-families.ts'
import { largestDifference, relativeError } from '../fixtures/torch/stored-tensor.ts'
import { parametersOf, worst } from './torch-parity.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** One thread: other test files run at the same time. */
const threads = 1

function batchOf(
  name: string,
  { network, count }: StoredFamily,
): { inputs: StreamInputs; labels: Int32Array; count: number } {
  const inputs: StreamInputs = {}
  for (const { stream, shape } of networkInputs(network, count)) {
    inputs[stream] = uniform(`${name}/${stream}`, shape)
  }
  return { inputs, labels: labels(`${name}/labels`, count, network.classCount), count }
}

describe.each(families)('$name ($network.modelType, $network.backbone)', (family) => {
  const { name, network, count, smooth, real } = family
  const parameters = parametersOf(network)
  const batches = Array.from({ length: real.batches }, (_, i) => batchOf(`${name}/batch${i}`, family))

  test('with softplus in place of ReLU has every gradient of PyTorch to 1e-4', async () => {
    const ours = await computeGradients({
      network,
      parameters,
      ...batchOf(`${name}/smooth`, family),
      activation: 'softplus',
      threads,
    })
    const { error, list } = worst(ours.gradients, smooth.gradients)
    console.log(`${name}, smooth: ${list}`)
    expect(Math.abs(ours.loss / smooth.loss - 1)).toBeLessThan(1e-4)
    expect(relativeError(ours.logits, smooth.logits)).toBeLessThan(1e-4)
    expect([...ours.gradients.keys()].sort()).toEqual(Object.keys(smooth.gradients).sort())
    expect(error, list).toBeLessThan(1e-4)
  })

  test('gives the logits of PyTorch to 1e-4', async () => {
    const evaluation = await EvaluationSession.create({ network, parameters, threads })
    const logits = await evaluation.logits(batches[0]!.inputs, count)
    await evaluation.dispose()
    expect(largestDifference(logits, real.evaluationLogits)).toBeLessThan(1e-4)
  })

  describe('trained', () => {
    let session: TrainingSession
    beforeAll(async () => {
      // A norm that no gradient reaches, so that it is told and nothing is clipped.
      session = await TrainingSession.create({ network, batchSize: count, clipGradNorm: 1e9, threads })
    })
    afterAll(async () => {
      await session.dispose()
    })

    test('has every gradient of PyTorch to 2e-2', async () => {
      session.load({ parameters, momentum: new Map() })
      const hyper = { learningRate: 0, momentum: 0.9, weightDecay: 0 }
      const { loss, gradNorm } = await session.step(batches[0]!, hyper, [])
      const state = session.save()
      // The first step's momentum is the gradient.
      const { error, list } = worst(state.momentum, real.gradients)
      console.log(`${name}, gradients: ${list}`)
      expect(Math.abs(loss / real.losses[0]! - 1)).toBeLessThan(1e-4)
      expect(Math.abs(gradNorm! / real.gradientNorm - 1)).toBeLessThan(2e-2)
      expect([...state.momentum.keys()].sort()).toEqual(Object.keys(real.gradients).sort())
      expect(error, list).toBeLessThan(2e-2)
      const buffers = worst(state.parameters, real.buffersAfterStep1)
      expect(buffers.error, buffers.list).toBeLessThan(1e-4)
    })

    test('learns as PyTorch over 20 steps: loss to 1e-2, running statistics to 1e-3', async () => {
      session.load({ parameters, momentum: new Map() })
      const differences: number[] = []
      for (const [step, expected] of real.losses.entries()) {
        const { loss } = await session.step(batches[step % batches.length]!, real.settings, [])
        differences.push(Math.abs(loss / expected - 1))
      }
      const { error, list } = worst(session.save().parameters, real.buffersAfterStep20)
      const difference = Math.max(...differences)
      console.log(`${name}, 20 steps: loss ${difference.toExponential(1)}, statistics ${list}`)
      expect(difference).toBeLessThan(1e-2)
      expect(error, list).toBeLessThan(1e-3)
    })
  })
})
