import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  EvaluationSession,
  TrainingSession,
  initialState,
  type Hyperparameters,
  type NetworkConfig,
  type TrainingState,
} from '../../src-main/engine/index.ts'
import { computeGradients } from '../../src-main/engine/runtime/gradients.ts'
import { drawPatterns, movingPatterns } from './moving-patterns.ts'

// Seconds on a quiet machine; other work on it must not fail them.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const hyper: Hyperparameters = { learningRate: 0.02, momentum: 0.9, weightDecay: 1e-3 }
const start = initialState(movingPatterns, 11)

async function trainer(
  batchSize: number,
  clipGradNorm = 0,
  network: NetworkConfig = movingPatterns,
): Promise<TrainingSession> {
  return TrainingSession.create({ network, batchSize, clipGradNorm, threads: 2 })
}

function floats(tensors: TrainingState['parameters'], name: string): Float32Array {
  const data = tensors.get(name)?.data
  if (!(data instanceof Float32Array)) throw new Error(`${name} is missing`)
  return data
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] ?? 0) - (b[i] ?? 0)))
  return largest
}

describe('a training session', () => {
  let session: TrainingSession
  beforeAll(async () => {
    session = await trainer(4)
  })
  afterAll(() => session.dispose())

  it('gives back the state that was loaded, and copies of it', () => {
    session.load(start)
    const saved = session.save()
    expect([...saved.parameters.keys()]).toEqual([...start.parameters.keys()])
    expect(floats(saved.parameters, 'layer2.0.conv1.weight')).toEqual(
      floats(start.parameters, 'layer2.0.conv1.weight'),
    )
    floats(saved.parameters, 'fc_cls.bias').fill(7)
    expect(floats(session.save().parameters, 'fc_cls.bias')).toEqual(floats(start.parameters, 'fc_cls.bias'))
  })

  it('updates weights and momentum as SGD with momentum and weight decay prescribes', async () => {
    const batch = drawPatterns(1, 4)
    session.load(start)
    await session.step(batch, hyper, [])
    const before = session.save()
    await session.step(batch, hyper, [])
    const after = session.save()
    const { gradients } = await computeGradients({
      network: movingPatterns,
      parameters: before.parameters,
      activation: 'relu',
      ...batch,
    })
    for (const name of [
      'conv1.weight',
      'layer3.0.downsample.0.weight',
      'layer1.1.bn2.weight',
      'fc_cls.bias',
    ]) {
      const [weight, momentum] = [floats(before.parameters, name), floats(before.momentum, name)]
      const gradient = floats(gradients, name)
      const expectedMomentum = weight.map(
        (w, i) => hyper.momentum * momentum[i]! + gradient[i]! + hyper.weightDecay * w,
      )
      const expected = weight.map((w, i) => w - hyper.learningRate * expectedMomentum[i]!)
      expect(largestDifference(floats(after.momentum, name), expectedMomentum), name).toBeLessThan(1e-5)
      expect(largestDifference(floats(after.parameters, name), expected), name).toBeLessThan(1e-6)
      expect(largestDifference(weight, expected), name).toBeGreaterThan(1e-5)
    }
  })

  it('keeps running statistics with the unbiased variance and counts the batches', async () => {
    const batch = drawPatterns(2, 4)
    session.load(start)
    await session.step(batch, hyper, [])
    const { parameters } = session.save()
    // conv1's output from the definition, for one channel.
    const weight = floats(start.parameters, 'conv1.weight').subarray(0, 9 * 49)
    const values: number[] = []
    for (let n = 0; n < 4; n++)
      for (let y = 0; y < 16; y++)
        for (let x = 0; x < 16; x++) {
          let sum = 0
          for (let c = 0; c < 9; c++)
            for (let i = 0; i < 7; i++)
              for (let j = 0; j < 7; j++) {
                const [row, column] = [2 * y + i - 3, 2 * x + j - 3]
                if (row < 0 || row >= 32 || column < 0 || column >= 32) continue
                sum +=
                  weight[(c * 7 + i) * 7 + j]! * batch.inputs.rgb[((n * 9 + c) * 32 + row) * 32 + column]!
              }
          values.push(sum)
        }
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1)
    expect(floats(parameters, 'bn1.running_mean')[0]).toBeCloseTo(0.1 * mean, 5)
    expect(floats(parameters, 'bn1.running_var')[0]).toBeCloseTo(0.9 + 0.1 * variance, 5)
    expect(parameters.get('layer4.1.bn2.num_batches_tracked')?.data[0]).toBe(1n)
  })

  it('treats a smaller last batch as a batch of exactly that size', async () => {
    const batch = drawPatterns(3, 3)
    session.load(start)
    const whole = new Float32Array((batch.inputs.rgb.length / 3) * 4).fill(1e6)
    whole.set(batch.inputs.rgb)
    const result = await session.step(
      { ...batch, inputs: { rgb: whole }, labels: Int32Array.of(...batch.labels, 0) },
      hyper,
      [],
    )
    const ofThree = await trainer(3)
    ofThree.load(start)
    const expected = await ofThree.step(batch, hyper, [])
    expect(result).toEqual(expected)
    expect(floats(session.save().parameters, 'layer1.0.bn1.running_var')).toEqual(
      floats(ofThree.save().parameters, 'layer1.0.bn1.running_var'),
    )
    await ofThree.dispose()
  })

  it('gives bit-identical results when run again, also from a saved state', async () => {
    const run = async (first: TrainingState, from: number, to: number): Promise<TrainingState> => {
      session.load(first)
      for (let step = from; step < to; step++) await session.step(drawPatterns(50 + step, 4), hyper, [])
      return session.save()
    }
    const once = await run(start, 0, 4)
    const again = await run(await run(start, 0, 2), 2, 4)
    for (const part of ['parameters', 'momentum'] as const) {
      for (const [name, { data }] of once[part]) {
        const other = again[part].get(name)?.data
        expect(Buffer.from(data.buffer).equals(Buffer.from(other!.buffer)), name).toBe(true)
      }
    }
  })

  it('does not grow in memory over many steps', async () => {
    session.load(start)
    const batch = drawPatterns(4, 1)
    const growth: number[] = []
    for (let stretch = 0, before = 0; stretch < 6; stretch++) {
      for (let i = 0; i < 8; i++) await session.step(batch, { ...hyper, learningRate: 1e-4 }, [])
      const now = process.memoryUsage().rss
      if (stretch > 0) growth.push(now - before)
      before = now
    }
    // A leak grows in every stretch; the allocator and the other tests' garbage only in some. The parameters alone
    // are 45 MB, so that a step which kept a copy of them would show as 360 MB in each.
    expect(Math.min(...growth)).toBeLessThan(30e6)
  })

  it('refuses a batch that cannot be', async () => {
    const batch = drawPatterns(5, 4)
    await expect(session.step({ ...batch, count: 5 }, hyper, [])).rejects.toThrow('1 to 4 are expected')
    await expect(session.step({ ...batch, labels: Int32Array.of(0, 1, 2, 3) }, hyper, [])).rejects.toThrow(
      'class 3',
    )
    await expect(
      session.step({ ...batch, inputs: { rgb: batch.inputs.rgb.subarray(1) } }, hyper, []),
    ).rejects.toThrow('too short')
    const { parameters } = initialState({ ...movingPatterns, classCount: 9 }, 1)
    expect(() => {
      session.load({ parameters, momentum: new Map() })
    }).toThrow('[9, 512] where the network has')
  })
})

describe('clipping the gradients', () => {
  it('reports their joint norm and scales the step to the limit', async () => {
    const batch = drawPatterns(6, 4)
    const { gradients } = await computeGradients({
      network: movingPatterns,
      parameters: start.parameters,
      activation: 'relu',
      ...batch,
    })
    let squares = 0
    for (const { data } of gradients.values()) for (const g of data as Float32Array) squares += g * g
    const limit = Math.sqrt(squares) / 4
    const session = await trainer(4, limit)
    session.load(start)
    const { gradNorm } = await session.step(batch, { learningRate: 1, momentum: 0, weightDecay: 0 }, [])
    expect(gradNorm).toBeCloseTo(Math.sqrt(squares), 2)
    const momentum = floats(session.save().momentum, 'fc_cls.weight')
    const quarter = floats(gradients, 'fc_cls.weight').map((g) => g / 4)
    expect(largestDifference(momentum, quarter)).toBeLessThan(1e-5)
    await session.dispose()
  })
})

describe('dropout', () => {
  it('depends on its seed alone and changes the step', async () => {
    const network = { ...movingPatterns, dropoutRatio: 0.5 }
    const session = await trainer(4, 0, network)
    const losses: number[] = []
    for (const seed of [
      [1, 2],
      [1, 2],
      [1, 3],
    ]) {
      session.load(start)
      losses.push((await session.step(drawPatterns(7, 4), hyper, seed)).loss)
    }
    expect(losses[1]).toBe(losses[0])
    expect(losses[2]).not.toBe(losses[0])
    await session.dispose()
  })
})

describe('training', () => {
  it('learns motion that it also recognises in clips it has never seen', async () => {
    const session = await trainer(16)
    session.load(start)
    for (let step = 0; step < 30; step++) {
      await session.step(drawPatterns(100 + step, 16), { ...hyper, learningRate: 0.01 }, [])
    }
    const evaluation = await EvaluationSession.create({
      network: movingPatterns,
      parameters: session.save().parameters,
      threads: 2,
    })
    const unseen = drawPatterns(9_000, 90)
    const logits = await evaluation.logits(unseen.inputs, unseen.count)
    let correct = 0
    unseen.labels.forEach((label, sample) => {
      const row = [...logits.subarray(3 * sample, 3 * sample + 3)]
      if (row.indexOf(Math.max(...row)) === label) correct++
    })
    expect(correct / unseen.count).toBeGreaterThan(0.75)
    await evaluation.dispose()
    await session.dispose()
  })
})
