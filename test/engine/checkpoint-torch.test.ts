import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { writeCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import { EvaluationSession, type NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { parameter, uniform } from '../fixtures/torch/deterministic.ts'
import { findPython, runPython } from '../peers/python.ts'

vi.setConfig({ testTimeout: 300_000 })

const opened = z.object({
  logits: z.array(z.number()),
  moves: z.record(z.string(), z.number()),
  names: z.array(z.string()),
  epoch: z.number(),
  global_step: z.number(),
  version: z.string(),
  kineo: z.object({ classNames: z.array(z.string()), extra: z.unknown() }),
  batches: z.number(),
})

test('torch.load(weights_only=True) opens a checkpoint, and torch computes and optimizes with it as we do', async (context) => {
  const { python, reason } = await findPython('torch', 'numpy')
  if (python === undefined) {
    console.log(`skipped: ${reason}`)
    context.skip(reason)
    return
  }
  const network: NetworkConfig = {
    modelType: 'of',
    backbone: 'resnet_18',
    inputType: '2d',
    rgbSequenceLength: 3,
    ofSequenceLength: 10,
    height: 64,
    width: 64,
    classCount: 4,
    dropoutRatio: 0,
    fusionFeatures: 64,
  }
  const count = 3
  const parameters: TensorMap = new Map(
    stateEntries(network).map(({ name, shape }) => [name, parameter(name, shape)]),
  )
  parameters.set('bn1.num_batches_tracked', { dtype: 'int64', shape: [], data: BigInt64Array.of(17n) })
  const weights = [...parameters].filter(([name]) => !/running|batches/.test(name))
  const momentum: TensorMap = new Map(
    weights.map(([name, { shape }]) => [
      name,
      { dtype: 'float32', shape, data: uniform(`momentum/${name}`, shape) },
    ]),
  )
  const optimizer = { learningRate: 0.01, momentum: 0.9, weightDecay: 0.05 }
  const input = uniform('checkpoint/x', [count, 20, 64, 64])
  const folder = await mkdtemp(join(tmpdir(), 'kineo-torch-'))
  try {
    const path = join(folder, 'model_epoch_002.pth')
    const batch = join(folder, 'batch.bin')
    const classNames = ['a', 'b', 'c', 'd']
    await writeCheckpoint(path, {
      parameters,
      momentum,
      optimizer,
      epoch: 2,
      globalStep: 51,
      network,
      classNames,
      extra: { loss: 0.5 },
    })
    await writeFile(batch, new Uint8Array(input.buffer))
    const script = join(import.meta.dirname, '../fixtures/torch/open_checkpoint.py')
    const result = opened.parse(JSON.parse(await runPython(python, script, [path, '20', '4', batch])))

    expect(result.epoch).toBe(2)
    expect(result.global_step).toBe(51)
    expect(result.version).toBe('2.2.0')
    expect(result.batches).toBe(17)
    expect(result.kineo).toMatchObject({ classNames, extra: { loss: 0.5 } })
    expect(result.names).toEqual([...parameters.keys()].map((name) => `model.${name}`))

    const session = await EvaluationSession.create({ network, parameters, threads: 1 })
    const logits = await session.logits({ of: input }, count)
    await session.dispose()
    expect(result.logits).toHaveLength(logits.length)
    logits.forEach((value, i) => expect(Math.abs(value - result.logits[i]!)).toBeLessThan(1e-4))

    // torch's SGD went on from our momentum: w -= lr (0.9 m + wd w), each under the right name.
    expect(Object.keys(result.moves)).toHaveLength(weights.length)
    for (const [name, { data }] of weights) {
      const velocity = momentum.get(name)!.data as Float32Array
      const expected = (data as Float32Array).reduce(
        (sum, weight, i) => sum - 0.01 * (0.9 * velocity[i]! + 0.05 * weight),
        0,
      )
      const tolerance = 1e-8 * data.length + 1e-5
      expect(Math.abs(result.moves[`model.${name}`]! - expected), name).toBeLessThan(tolerance)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
