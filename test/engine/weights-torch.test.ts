import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { EvaluationSession, initialState, type NetworkConfig } from '../../src-main/engine/index.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { adaptWeights, readWeights } from '../../src-main/engine/weights/index.ts'
import { uniform } from '../fixtures/torch/deterministic.ts'
import { findPython, runPython } from '../peers/python.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const logitsSchema = z.object({
  plain: z.array(z.number()),
  flow: z.array(z.number()),
  volume: z.array(z.number()),
})

let folder = ''
let expected: z.infer<typeof logitsSchema> | undefined
let missing = ''

beforeAll(async () => {
  const { python, reason } = await findPython('torch', 'numpy')
  if (python === undefined) {
    missing = reason
    return
  }
  folder = await mkdtemp(join(tmpdir(), 'kineo-weights-'))
  const script = join(import.meta.dirname, '../fixtures/torch/make_weights.py')
  expected = logitsSchema.parse(JSON.parse(await runPython(python, script, [folder])))
})
afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

const picture: NetworkConfig = {
  modelType: 'rgb',
  backbone: 'resnet_18',
  inputType: '2d',
  rgbSequenceLength: 1,
  ofSequenceLength: 10,
  height: 64,
  width: 64,
  classCount: 5,
  dropoutRatio: 0,
  fusionFeatures: 64,
}

/** What the network gives for the clips `weights/<name>`, started at random where the file has nothing. */
async function logitsOf(
  network: NetworkConfig,
  parameters: TensorMap,
  source: TensorMap,
  clips: { name: string; shape: number[] },
): Promise<Float32Array> {
  const all = new Map([...initialState(network, 1).parameters, ...parameters])
  // torchvision's last layer is not taken; the comparison wants it.
  for (const part of ['weight', 'bias']) {
    const head = source.get(`fc.${part}`)
    if (head !== undefined) all.set(`fc_cls.${part}`, head)
  }
  const session = await EvaluationSession.create({ network, parameters: all, threads: 1 })
  try {
    const input = uniform(`weights/${clips.name}`, clips.shape)
    return await session.logits({ [network.modelType]: input }, clips.shape[0] ?? 1)
  } finally {
    await session.dispose()
  }
}

function expectClose(actual: Float32Array, wanted: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(wanted.length)
  actual.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(tolerance))
}

describe('weights that PyTorch wrote give its logits', () => {
  test.for([
    ['torchvision-first.pth', 'torch', 1e-4],
    ['torchvision.pth', 'torch', 1e-4],
    ['lightning.pth', 'tao', 1e-4],
    ['parallel.pth', 'torch', 1e-4],
    ['half.pth', 'torch', 0.02],
    ['plain.safetensors', 'safetensors', 1e-4],
    ['bfloat16.safetensors', 'safetensors', 0.2],
    ['named.onnx', 'onnx', 1e-4],
    ['folded.onnx', 'onnx', 1e-4],
  ] as const)('%s', async ([file, format, tolerance], context) => {
    if (expected === undefined) {
      console.log(`skipped: ${missing}`)
      context.skip(missing)
      return
    }
    const weights = await readWeights(join(folder, file))
    expect(weights.format).toBe(format)
    const { parameters, report } = adaptWeights(weights.tensors, picture, { rescale: false, keepHead: true })
    expect(report.converted).toEqual([])
    const head = format === 'torch' && weights.tensors.has('fc.weight')
    expect(report.random).toEqual(head ? ['fc_cls.weight', 'fc_cls.bias'] : [])
    const clips = { name: 'plain', shape: [2, 3, 64, 64] }
    expectClose(await logitsOf(picture, parameters, weights.tensors, clips), expected.plain, tolerance)
    expect(weights.notes.join()).toContain(file === 'folded.onnx' ? '20 convolutions' : '')
  })

  test.for([
    ['flow', { modelType: 'of' }, [2, 20, 64, 64]],
    ['volume', { inputType: '3d', rgbSequenceLength: 4 }, [2, 3, 4, 64, 64]],
  ] as const)('%s, after the conversion that TAO makes', async ([name, changes, shape], context) => {
    if (expected === undefined) {
      console.log(`skipped: ${missing}`)
      context.skip(missing)
      return
    }
    const { tensors } = await readWeights(join(folder, 'torchvision.pth'))
    const network = { ...picture, ...changes }
    const { parameters } = adaptWeights(tensors, network, { rescale: false, keepHead: true })
    const logits = await logitsOf(network, parameters, tensors, { name, shape: [...shape] })
    expectClose(logits, expected[name], 1e-4)
  })
})
