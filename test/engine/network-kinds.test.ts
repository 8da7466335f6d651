import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Random } from '../../src-main/core/random.ts'
import type { StreamInputs } from '../../src-main/core/streams.ts'
import {
  EvaluationSession,
  TrainingSession,
  buildInferenceModel,
  initialState,
  networkInputs,
  outputName,
  type NetworkConfig,
} from '../../src-main/engine/index.ts'
import { elementCount } from '../../src-main/engine/onnx/shape-inference.ts'
import { computeGradients } from '../../src-main/engine/runtime/gradients.ts'
import { float32Data, inputFeeds, openSession } from '../../src-main/engine/runtime/session.ts'
import { normal } from './gradient-check.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const small: NetworkConfig = {
  modelType: 'rgb',
  backbone: 'resnet_18',
  inputType: '3d',
  rgbSequenceLength: 3,
  ofSequenceLength: 4,
  height: 32,
  width: 32,
  classCount: 3,
  dropoutRatio: 0,
  fusionFeatures: 8,
}
const threads = 2

function drawClips(network: NetworkConfig, count: number): StreamInputs {
  const random = new Random(4)
  const inputs: StreamInputs = {}
  for (const { stream, shape } of networkInputs(network, count)) {
    inputs[stream] = normal(random, elementCount(shape))
  }
  return inputs
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(b).toHaveLength(a.length)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

describe('sizes that do not divide evenly', () => {
  it.each<[string, Partial<NetworkConfig>]>([
    ['160x112 in 2D', { inputType: '2d', height: 160, width: 112 }],
    ['33x47 with bottlenecks', { inputType: '2d', backbone: 'resnet_50', height: 33, width: 47 }],
    ['17 frames of 45x33', { rgbSequenceLength: 17, height: 45, width: 33 }],
    ['3 frames of 64x40', { height: 64, width: 40 }],
    ['1 frame of flow', { modelType: 'of', ofSequenceLength: 1, height: 33, width: 33 }],
  ])('give the same gradients by the plain and the fast way: %s', async (_, changes) => {
    const network = { ...small, ...changes }
    const { parameters } = initialState(network, 2)
    const request = {
      network,
      parameters,
      inputs: drawClips(network, 3),
      labels: Int32Array.of(0, 2, 1),
      threads,
    }
    const [plain, fast] = [
      await computeGradients({ ...request, activation: 'softplus', lowering: 'plain' }),
      await computeGradients({ ...request, activation: 'softplus', lowering: 'auto' }),
    ]
    expect(Math.abs(fast.loss / plain.loss - 1)).toBeLessThan(1e-4)
    expect(fast.gradients.size).toBeGreaterThan(60)
    for (const [name, { data }] of plain.gradients) {
      const [expected, found] = [data as Float32Array, fast.gradients.get(name)!.data as Float32Array]
      let [difference, norm] = [0, 0]
      for (let i = 0; i < expected.length; i++) {
        difference += (expected[i]! - found[i]!) ** 2
        norm += expected[i]! ** 2
      }
      expect(Math.sqrt(difference / norm), name).toBeLessThan(1e-3)
    }
  })
})

describe('a 3D network', () => {
  const { parameters } = initialState(small, 5)
  let session: EvaluationSession
  beforeAll(async () => {
    session = await EvaluationSession.create({ network: small, parameters, threads })
  })
  afterAll(() => session.dispose())

  it('gives the same logits from the exported model', async () => {
    const inputs = drawClips(small, 2)
    const exported = await openSession(buildInferenceModel(small, parameters, {}), threads)
    const results = await exported.run(inputFeeds(small, inputs, 2))
    await exported.release()
    const logits = await session.logits(inputs, 2)
    expect(largestDifference(logits, float32Data(results[outputName]))).toBeLessThan(1e-4)
  })

  it('takes clips of other lengths as a network of that length does', async () => {
    for (const rgbSequenceLength of [1, 9]) {
      const longer = { ...small, rgbSequenceLength }
      const inputs = drawClips(longer, 2)
      const own = await EvaluationSession.create({ network: longer, parameters, threads })
      const expected = await own.logits(inputs, 2)
      await own.dispose()
      const found = await session.logits(inputs, 2, { frames: { rgb: rgbSequenceLength } })
      expect(largestDifference(found, expected)).toBeLessThan(1e-5)
    }
    const tooShort = drawClips(small, 1)
    await expect(session.logits(tooShort, 1, { frames: { rgb: 9 } })).rejects.toThrow('too short')
  })

  it('is the only kind that does', async () => {
    const network: NetworkConfig = { ...small, inputType: '2d' }
    const flat = await EvaluationSession.create({ network, parameters: initialState(network, 1).parameters })
    const inputs = drawClips({ ...network, rgbSequenceLength: 9 }, 1)
    await expect(flat.logits(inputs, 1, { frames: { rgb: 9 } })).rejects.toThrow('its own number of frames')
    await flat.dispose()
  })
})

describe('a network of two streams', () => {
  const network: NetworkConfig = { ...small, modelType: 'joint', inputType: '2d', dropoutRatio: 0.5 }
  const start = initialState(network, 6)
  const batch = { inputs: drawClips(network, 4), labels: Int32Array.of(0, 1, 2, 0), count: 4 }
  const hyper = { learningRate: 0.01, momentum: 0.9, weightDecay: 0 }
  let session: TrainingSession
  beforeAll(async () => {
    session = await TrainingSession.create({ network, batchSize: 4, clipGradNorm: 0, threads })
  })
  afterAll(() => session.dispose())

  it('learns from both and drops features of each', async () => {
    const losses: number[] = []
    for (const seed of [1, 1, 2]) {
      session.load(start)
      losses.push((await session.step(batch, hyper, [seed])).loss)
    }
    expect(losses[1]).toBe(losses[0])
    expect(losses[2]).not.toBe(losses[0])
    const { momentum } = session.save()
    for (const name of ['model_rgb.conv1.weight', 'model_of.conv1.weight', 'fc1.weight', 'fc2.bias']) {
      expect(
        (momentum.get(name)!.data as Float32Array).some((value) => value !== 0),
        name,
      ).toBe(true)
    }
    expect(momentum.size).toBe(
      [...start.parameters.keys()].filter((name) => !/running|batches/.test(name)).length,
    )
  })

  it('needs both', async () => {
    session.load(start)
    const lacking = { ...batch, inputs: { rgb: batch.inputs.rgb! } }
    await expect(session.step(lacking, hyper, [])).rejects.toThrow('no clips for input_of')
  })
})

describe('targets', () => {
  const network: NetworkConfig = { ...small, inputType: '2d' }
  const start = initialState(network, 7)
  const batch = { inputs: drawClips(network, 2), labels: Int32Array.of(0, 1), count: 2 }
  const hyper = { learningRate: 0, momentum: 0, weightDecay: 0 }
  let session: TrainingSession
  beforeAll(async () => {
    session = await TrainingSession.create({ network, batchSize: 2, clipGradNorm: 1e9, threads })
  })
  afterAll(() => session.dispose())

  it('weigh the loss and its gradient; without them the rows are one-hot', async () => {
    session.load(start)
    const oneHot = await session.step(batch, hyper, [])
    const same = await session.step({ ...batch, targets: Float32Array.of(1, 0, 0, 0, 1, 0) }, hyper, [])
    const double = await session.step({ ...batch, targets: Float32Array.of(2, 0, 0, 0, 2, 0) }, hyper, [])
    expect(same).toEqual(oneHot)
    expect(double.loss / oneHot.loss).toBeCloseTo(2, 4)
    expect(double.gradNorm! / oneHot.gradNorm!).toBeCloseTo(2, 3)
    expect(double.correct).toBe(oneHot.correct)
  })

  it('must be weights for every class', async () => {
    session.load(start)
    for (const targets of [
      Float32Array.of(1, 0, 0, 0, 1),
      Float32Array.of(1, 0, 0, 0, -1, 0),
      Float32Array.of(1, 0, 0, 0, NaN, 0),
    ]) {
      await expect(session.step({ ...batch, targets }, hyper, [])).rejects.toThrow('3 weights each')
    }
  })
})
