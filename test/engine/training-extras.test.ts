import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import {
  EvaluationSession,
  initialState,
  networkInputs,
  TrainingSession,
  type Hyperparameters,
  type NetworkConfig,
  type TrainingOptions,
} from '../../src-main/engine/index.ts'
import { planLowerings } from '../../src-main/engine/nets/lowering-plan.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import { buildTrainingModel } from '../../src-main/engine/nets/training-model.ts'
import { computeGradients } from '../../src-main/engine/runtime/gradients.ts'
import { decodeModel } from '../../src-main/engine/onnx/model.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { labels, parameter, projections, uniform } from '../fixtures/torch/deterministic.ts'
import { findPython, runPython } from '../peers/python.ts'
import { drawPatterns, movingPatterns } from './moving-patterns.ts'

vi.setConfig({ testTimeout: 300_000 })

const hyper: Hyperparameters = { learningRate: 0.01, momentum: 0.9, weightDecay: 0.01 }
const start = initialState(movingPatterns, 11)

/** Opens a session at `start`, uses it and closes it. */
async function withSession<T>(
  options: Partial<TrainingOptions>,
  use: (session: TrainingSession) => Promise<T>,
): Promise<T> {
  const session = await TrainingSession.create({
    network: movingPatterns,
    batchSize: 4,
    clipGradNorm: 0,
    threads: 2,
    ...options,
  })
  try {
    session.load(start)
    return await use(session)
  } finally {
    await session.dispose()
  }
}

function floats(tensors: TensorMap, name: string): Float32Array {
  const data = tensors.get(name)?.data
  if (!(data instanceof Float32Array)) throw new Error(`${name} is missing`)
  return data
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0)
}

/** Clips `from` to `to` of a batch. */
function part(
  batch: ReturnType<typeof drawPatterns>,
  from: number,
  to: number,
): ReturnType<typeof drawPatterns> {
  const size = batch.inputs.rgb.length / batch.count
  const rgb = batch.inputs.rgb.slice(from * size, to * size)
  return { inputs: { rgb }, labels: batch.labels.slice(from, to), count: to - from }
}

function isFirstTwoStages(name: string): boolean {
  return /^(conv1|bn1|layer1)\./.test(name)
}

describe('frozen stages', () => {
  test('keep their weights and statistics to the bit, have no momentum, and the others are trained', async () => {
    const { saved, counted } = await withSession({ frozenStages: 2 }, async (session) => {
      for (const seed of [1, 2]) await session.step(drawPatterns(seed, 4), hyper, [])
      const state = session.save()
      return { saved: state, counted: state.parameters.get('bn1.num_batches_tracked')?.data[0] }
    })
    for (const { name, dtype, kind } of stateEntries(movingPatterns)) {
      if (dtype === 'int64') continue
      const same = largestDifference(floats(saved.parameters, name), floats(start.parameters, name)) === 0
      expect(same, name).toBe(isFirstTwoStages(name))
      expect(saved.momentum.has(name), name).toBe(kind === 'weight' && !isFirstTwoStages(name))
    }
    expect(counted).toBe(0n)
    expect(saved.parameters.get('layer2.0.bn1.num_batches_tracked')?.data[0]).toBe(2n)
  })

  test.each([
    ['rgb', '2d', 64],
    ['joint', '2d', 64],
    ['rgb', '3d', 32],
  ] as const)('of %s %s have no backward pass at all', (modelType, inputType, size) => {
    const network: NetworkConfig = { ...movingPatterns, modelType, inputType, height: size, width: size }
    const scopes = (frozenStages: number): Set<string> => {
      const plan = planLowerings(network, 2, 'auto')
      const options = { network, batch: 2, clip: true, activation: 'relu', result: 'update', plan } as const
      const { model } = buildTrainingModel({ ...options, frozenStages })
      return new Set(decodeModel(model).nodes.map(({ name }) => name.slice(0, name.lastIndexOf('/'))))
    }
    const stream = modelType === 'joint' ? 'model_of.' : ''
    const [none, three, all] = [0, 3, 5].map(scopes)
    expect(none!.has(`${stream}layer1.0.conv1/backward`)).toBe(true)
    for (const layer of ['conv1', 'bn1', 'layer1.1.conv2', 'layer2.0.downsample.0', 'layer2.1.bn2'])
      expect(three!.has(`${stream}${layer}/backward`), layer).toBe(false)
    expect(three!.has(`${stream}layer3.0.conv1/backward`)).toBe(true)
    const backward = [...all!].filter((scope) => scope.endsWith('/backward'))
    expect(backward.every((scope) => /fc|loss|concat|activation/.test(scope))).toBe(true)
    expect(backward).toContain(`${stream}fc_cls/backward`)
  })

  test.each([
    ['rgb', '2d', 'resnet_18'],
    ['joint', '2d', 'resnet_18'],
    ['of', '3d', 'resnet_18'],
    ['rgb', '2d', 'resnet_50'],
  ] as const)('of %s %s %s compute what evaluation computes', async (modelType, inputType, backbone) => {
    const network: NetworkConfig = { ...movingPatterns, modelType, inputType, backbone }
    const parameters: TensorMap = new Map(
      stateEntries(network).map(({ name, shape }) => [name, parameter(name, shape)]),
    )
    const inputs = Object.fromEntries(
      networkInputs(network, 2).map(({ stream, shape }) => [stream, uniform(`frozen/${stream}`, shape)]),
    )
    const { logits, gradients } = await computeGradients({
      network,
      parameters,
      inputs,
      labels: Int32Array.of(0, 2),
      activation: 'relu',
      frozenStages: 5,
      threads: 2,
    })
    const session = await EvaluationSession.create({ network, parameters, threads: 2 })
    const expected = await session.logits(inputs, 2)
    await session.dispose()
    expect(largestDifference(logits, expected)).toBeLessThan(1e-4)
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1)
    expect([...gradients.keys()].every((name) => /(^|\.)fc/.test(name))).toBe(true)
    expect(gradients.size).toBe(modelType === 'joint' ? 8 : 2)
  })

  test('that do not exist are refused', async () => {
    await expect(withSession({ frozenStages: 6 }, async () => undefined)).rejects.toThrow('0 to 5 stages')
  })
})

describe('accumulated gradients', () => {
  const batch = drawPatterns(3, 4)

  test.each([[[0, 2, 4]], [[0, 3, 4]], [[0, 1, 2, 4]]])(
    'of batches cut at %j equal one large batch where no batch normalisation sees the batch',
    async (cuts) => {
      // With all stages frozen only the last layer is trained.
      const whole = await withSession({ frozenStages: 5, clipGradNorm: 0.1 }, async (session) => {
        const { gradNorm } = await session.step(batch, hyper, [])
        return { gradNorm, state: session.save() }
      })
      const summed = await withSession(
        { frozenStages: 5, clipGradNorm: 0.1, accumulate: true },
        async (session) => {
          let gradNorm: number | null = null
          for (let i = 1; i < cuts.length; i++) {
            const apply = i === cuts.length - 1
            const result = await session.step(part(batch, cuts[i - 1]!, cuts[i]!), hyper, [], { apply })
            if (!apply) {
              expect(result.gradNorm).toBeNull()
              expect(session.save().parameters).toEqual(start.parameters)
            }
            gradNorm = result.gradNorm
          }
          return { gradNorm, state: session.save() }
        },
      )
      expect(Math.abs(summed.gradNorm! - whole.gradNorm!)).toBeLessThan(1e-5)
      for (const name of ['fc_cls.weight', 'fc_cls.bias']) {
        const [a, b] = [whole, summed].map(({ state }) => floats(state.parameters, name))
        expect(largestDifference(a!, b!), name).toBeLessThan(1e-6)
        expect(largestDifference(a!, floats(start.parameters, name)), name).toBeGreaterThan(1e-5)
      }
    },
  )

  test('of one batch alone are the plain step, and nothing is left over for the next', async () => {
    const [plain, single] = await Promise.all(
      [{}, { accumulate: true }].map((options) =>
        withSession(options, async (session) => {
          for (const seed of [4, 5]) await session.step(drawPatterns(seed, 4), hyper, [])
          return session.save()
        }),
      ),
    )
    for (const [name, { data }] of plain!.parameters) {
      if (data instanceof Float32Array)
        expect(largestDifference(data, floats(single!.parameters, name)), name).toBeLessThan(2e-4)
    }
  })

  test('are forgotten when a state is loaded', async () => {
    const [clean, interrupted] = await withSession({ accumulate: true, frozenStages: 5 }, async (session) => {
      await session.step(batch, hyper, [])
      const expected = session.save()
      session.load(start)
      await session.step(drawPatterns(9, 4), hyper, [], { apply: false })
      session.load(start)
      await session.step(batch, hyper, [])
      return [expected, session.save()]
    })
    expect(interrupted.parameters).toEqual(clean.parameters)
  })

  test('cannot be asked of a session that keeps none', async () => {
    await expect(
      withSession({}, (session) => session.step(batch, hyper, [], { apply: false })),
    ).rejects.toThrow('accumulates no gradients')
  })
})

test('frozen stages, accumulated gradients and clipping together train as PyTorch does', async (context) => {
  const { python, reason } = await findPython('torch', 'numpy')
  if (python === undefined) {
    console.log(`skipped: ${reason}`)
    context.skip(reason)
    return
  }
  const summaries = z.record(z.string(), z.object({ norm: z.number(), sums: z.array(z.number()) }))
  const script = join(import.meta.dirname, '../fixtures/torch/train_frozen.py')
  const expected = z
    .object({
      losses: z.array(z.number()),
      norms: z.array(z.number()),
      changes: summaries,
      momentum: summaries,
    })
    .parse(JSON.parse(await runPython(python, script, [])))
  const network = { ...movingPatterns, height: 64, width: 64 }
  const options = { network, frozenStages: 2, accumulate: true, clipGradNorm: 0.5, batchSize: 3 }
  const { losses, norms, state } = await withSession(options, async (session) => {
    const parameters: TensorMap = new Map(
      stateEntries(movingPatterns).map(({ name, shape }) => [name, parameter(name, shape)]),
    )
    session.load({ parameters, momentum: new Map() })
    const results = []
    for (const step of [0, 1]) {
      for (const count of [3, 2]) {
        const name = `frozen/${step}/${count}`
        const inputs = { rgb: uniform(name, [count, 9, 64, 64]) }
        const clips = { inputs, labels: labels(name, count, 3), count }
        results.push(await session.step(clips, hyper, [], { apply: count === 2 }))
      }
    }
    const kept = session.save()
    return {
      losses: results.map(({ loss }) => loss),
      norms: results.flatMap(({ gradNorm }) => (gradNorm === null ? [] : [gradNorm])),
      state: kept,
    }
  })
  expect(losses).toHaveLength(4)
  losses.forEach((loss, i) => expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(2e-3))
  norms.forEach((norm, i) => expect(Math.abs(norm / expected.norms[i]! - 1)).toBeLessThan(5e-3))
  expect([...state.momentum.keys()].sort()).toEqual(Object.keys(expected.momentum).sort())
  for (const [name, { norm, sums }] of Object.entries(expected.changes)) {
    const data = state.parameters.get(name)?.data
    if (!(data instanceof Float32Array)) continue
    const before = floats(new Map([[name, parameter(name, [...state.parameters.get(name)!.shape])]]), name)
    const rounding = 2e-7 * Math.sqrt(data.length)
    projections(data.map((value, i) => value - before[i]!)).forEach((sum, i) =>
      expect(Math.abs(sum - sums[i]!), name).toBeLessThan(0.01 * norm + rounding),
    )
  }
  for (const [name, { norm, sums }] of Object.entries(expected.momentum)) {
    projections(floats(state.momentum, name)).forEach((sum, i) =>
      expect(Math.abs(sum - sums[i]!), name).toBeLessThan(0.01 * norm),
    )
  }
})

describe('the average of the weights', () => {
  test('follows them with its decay, the running statistics too, and goes on from where it was saved', async () => {
    const decay = 0.3
    const steps = [6, 7, 8, 9]
    const { states, average, resumed } = await withSession({ emaDecay: decay }, async (session) => {
      const seen = []
      let middle
      for (const [i, seed] of steps.entries()) {
        if (i === 2) middle = { state: session.save(), average: session.saveAverage() }
        await session.step(drawPatterns(seed, 4), hyper, [])
        seen.push(session.save().parameters)
      }
      const whole = session.saveEma()
      session.load(middle!.state, middle!.average)
      for (const seed of steps.slice(2)) await session.step(drawPatterns(seed, 4), hyper, [])
      return { states: seen, average: whole, resumed: session.saveEma() }
    })
    for (const name of ['conv1.weight', 'layer2.0.conv1.weight', 'bn1.running_var', 'fc_cls.bias']) {
      const expected = Float32Array.from(floats(start.parameters, name))
      states.forEach((parameters, updates) => {
        const used = Math.min(decay, (1 + updates) / (10 + updates))
        floats(parameters, name).forEach((value, i) => {
          expected[i] = used * expected[i]! + (1 - used) * value
        })
      })
      expect(largestDifference(floats(average, name), expected), name).toBeLessThan(1e-6)
      expect(largestDifference(expected, floats(states.at(-1)!, name)), name).toBeGreaterThan(1e-6)
    }
    expect([...average.keys()]).toEqual([...start.parameters.keys()])
    expect(average.get('bn1.num_batches_tracked')?.data[0]).toBe(4n)
    expect(resumed).toEqual(average)
  })

  test('is not there unless it was asked for', async () => {
    await withSession({}, async (session) => expect(() => session.saveEma()).toThrow('no average'))
    await expect(withSession({ emaDecay: 1 }, async () => undefined)).rejects.toThrow('0 to below 1')
  })
})
