import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  EvaluationSession,
  TrainingSession,
  type NetworkConfig,
  type StreamInputs,
} from '../../src-main/engine/index.ts'
import { computeGradients } from '../../src-main/engine/runtime/gradients.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { labels, uniform } from '../fixtures/torch/deterministic.ts'
import { stored } from '../fixtures/torch/stored-numbers.ts'
import { largestDifference, relativeError } from '../fixtures/torch/stored-tensor.ts'
import { floats, parametersOf, worst } from './torch-parity.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** One thread: other test files run at the same time. */
const threads = 1

function batchOf(
  name: string,
  {
    modelType = 'rgb',
    count,
    channels,
    size,
    classes,
  }: { modelType?: 'rgb' | 'of'; count: number; channels: number; size: number; classes: number },
): { inputs: StreamInputs; labels: Int32Array; count: number } {
  return {
    inputs: { [modelType]: uniform(`${name}/x`, [count, channels, size, size]) },
    labels: labels(`${name}/labels`, count, classes),
    count,
  }
}

describe('the network with softplus in place of ReLU', () => {
  const { smooth } = stored
  const network: NetworkConfig = {
    modelType: 'rgb',
    backbone: 'resnet_18',
    inputType: '2d',
    rgbSequenceLength: smooth.channels / 3,
    ofSequenceLength: 1,
    height: smooth.size,
    width: smooth.size,
    classCount: smooth.classes,
    dropoutRatio: 0,
    fusionFeatures: 64,
  }

  test.each(['plain', 'winograd'] as const)(
    'has every gradient of PyTorch to 1e-4 with the lowering "%s"',
    async (lowering) => {
      const { inputs, labels } = batchOf('smooth', smooth)
      const ours = await computeGradients({
        network,
        parameters: parametersOf(network),
        inputs,
        labels,
        activation: 'softplus',
        lowering,
        threads,
      })
      expect(Math.abs(ours.loss / smooth.loss - 1)).toBeLessThan(1e-4)
      expect(relativeError(ours.logits, smooth.logits)).toBeLessThan(1e-4)
      const { error, list } = worst(ours.gradients, smooth.gradients)
      console.log(`smooth network, ${lowering}: ${list}`)
      expect([...ours.gradients.keys()].sort()).toEqual(Object.keys(smooth.gradients).sort())
      expect(error, list).toBeLessThan(1e-4)
    },
  )
})

const [rgb, flow] = stored.real
if (rgb === undefined || flow === undefined) throw new Error('the numbers of a network are missing')

describe.each([
  { real: rgb, lowering: 'plain' as const },
  { real: rgb, lowering: 'winograd' as const },
  { real: flow, lowering: 'auto' as const },
])(
  'ResNet18 for $real.modelType with $real.channels channels and the lowering "$lowering"',
  ({ real, lowering }) => {
    const network: NetworkConfig = {
      modelType: real.modelType,
      backbone: 'resnet_18',
      inputType: '2d',
      rgbSequenceLength: real.frames,
      ofSequenceLength: real.frames,
      height: real.size,
      width: real.size,
      classCount: real.classes,
      dropoutRatio: 0,
      fusionFeatures: 64,
    }
    const parameters = parametersOf(network)
    const batches = Array.from({ length: real.batches }, (_, i) =>
      batchOf(`${real.modelType}/batch${i}`, real),
    )
    let session: TrainingSession
    beforeAll(async () => {
      // A norm that no gradient reaches, so that it is told and nothing is clipped.
      session = await TrainingSession.create({
        network,
        batchSize: real.count,
        clipGradNorm: 1e9,
        lowering,
        threads,
      })
    })
    afterAll(async () => {
      await session.dispose()
    })

    test('gives the logits of PyTorch to 1e-4', async () => {
      const evaluation = await EvaluationSession.create({ network, parameters, threads })
      const logits = await evaluation.logits(batches[0]!.inputs, real.count)
      await evaluation.dispose()
      expect(largestDifference(logits, real.evaluationLogits)).toBeLessThan(1e-4)
    })

    test('has every gradient of PyTorch to 2e-2', async () => {
      session.load({ parameters, momentum: new Map() })
      const hyper = { learningRate: 0, momentum: 0.9, weightDecay: 0 }
      const { loss, gradNorm } = await session.step(batches[0]!, hyper, [])
      const state = session.save()
      expect(Math.abs(loss / real.losses[0]! - 1)).toBeLessThan(1e-4)
      expect(Math.abs(gradNorm! / real.gradientNorm - 1)).toBeLessThan(2e-2)
      // The first step's momentum is the gradient.
      const { error, list } = worst(state.momentum, real.gradients)
      console.log(`${real.modelType}, ${lowering}, gradients: ${list}`)
      expect([...state.momentum.keys()].sort()).toEqual(Object.keys(real.gradients).sort())
      expect(error, list).toBeLessThan(2e-2)
      const buffers = worst(state.parameters, real.buffersAfterStep1)
      expect(buffers.error, buffers.list).toBeLessThan(1e-4)
      expect(state.parameters.get('bn1.num_batches_tracked')?.data).toEqual(BigInt64Array.of(1n))
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
      console.log(
        `${real.modelType}, ${lowering}, 20 steps: loss ${difference.toExponential(1)}, statistics ${list}`,
      )
      expect(difference).toBeLessThan(1e-2)
      expect(error, list).toBeLessThan(1e-3)
    })

    test('decays and accelerates weights as torch.optim.SGD', async () => {
      const { settings, steps, moves } = real.strongDecay
      session.load({ parameters, momentum: new Map() })
      for (let step = 0; step < steps; step++) await session.step(batches[step]!, settings, [])
      const after = session.save().parameters
      const moved: TensorMap = new Map(
        Object.keys(moves).map((name) => {
          const before = floats(parameters, name)
          const data = floats(after, name).map((value, i) => value - before[i]!)
          return [name, { dtype: 'float32', shape: [data.length], data }]
        }),
      )
      const { error, list } = worst(moved, moves)
      console.log(`${real.modelType}, ${lowering}, moves: ${list}`)
      expect(error, list).toBeLessThan(2e-2)
    })
  },
)
