import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  EvaluationSession,
  TrainingSession,
  buildInferenceModel,
  initialState,
  networkInputs,
  type NetworkConfig,
} from '../../src-main/engine/index.ts'
import { planLowerings } from '../../src-main/engine/nets/lowering-plan.ts'
import { buildTrainingModel } from '../../src-main/engine/nets/training-model.ts'
import { decodeModel } from '../../src-main/engine/onnx/model.ts'
import { drawPatterns, movingPatterns } from './moving-patterns.ts'

vi.setConfig({ testTimeout: 300_000 })

const run = promisify(execFile)
const python = '/usr/bin/python3'
const checker = `
import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(onnx.load(path), full_check=True)
`

describe('the model for inference', () => {
  const { parameters } = initialState(movingPatterns, 3)
  const bytes = buildInferenceModel(movingPatterns, parameters, { label_map: '{"left":0}' })
  const model = decodeModel(bytes)

  it('has TAO names, a dynamic batch and the metadata asked for', () => {
    expect(model.inputs).toEqual([{ name: 'input_rgb', type: 'float32', shape: ['batch', 9, 32, 32] }])
    expect(model.outputs).toEqual([{ name: 'fc_pred', type: 'float32', shape: ['batch', 3] }])
    expect(model.metadata).toEqual({ label_map: '{"left":0}' })
  })

  it('consists of standard operators of set 17 only', () => {
    expect(model.opsets).toEqual({ '': 17 })
    const standard = [
      'Conv',
      'BatchNormalization',
      'Relu',
      'Add',
      'MaxPool',
      'GlobalAveragePool',
      'Flatten',
      'Gemm',
    ]
    expect(new Set(model.nodes.map((node) => node.type))).toEqual(new Set(standard))
    expect(model.nodes.every((node) => node.domain === '')).toBe(true)
  })

  it('takes optical flow as input_of with two planes a frame', () => {
    const network = { ...movingPatterns, modelType: 'of' as const, ofSequenceLength: 10 }
    const flow = decodeModel(buildInferenceModel(network, initialState(network, 1).parameters, {}))
    expect(flow.inputs[0]).toMatchObject({ name: 'input_of', shape: ['batch', 20, 32, 32] })
    expect(networkInputs(network, 4)).toEqual([{ stream: 'of', name: 'input_of', shape: [4, 20, 32, 32] }])
  })

  it('keeps time in 3D; only the batch is dynamic', () => {
    const network = { ...movingPatterns, inputType: '3d' as const, rgbSequenceLength: 8, width: 48 }
    const volume = decodeModel(buildInferenceModel(network, initialState(network, 1).parameters, {}))
    expect(volume.inputs).toEqual([{ name: 'input_rgb', type: 'float32', shape: ['batch', 3, 8, 32, 48] }])
    expect(volume.opsets).toEqual({ '': 17 })
  })

  it('of two streams takes rgb before flow', () => {
    const network = { ...movingPatterns, modelType: 'joint' as const, ofSequenceLength: 4 }
    const joint = decodeModel(buildInferenceModel(network, initialState(network, 1).parameters, {}))
    expect(joint.inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['input_rgb', ['batch', 9, 32, 32]],
      ['input_of', ['batch', 8, 32, 32]],
    ])
    expect(joint.outputs).toEqual([{ name: 'fc_pred', type: 'float32', shape: ['batch', 3] }])
    expect(joint.nodes.filter((node) => node.type === 'Concat')).toHaveLength(1)
  })

  it('gives the same logits for a clip alone as in a batch', async () => {
    const session = await EvaluationSession.create({ network: movingPatterns, parameters, threads: 2 })
    const batch = drawPatterns(1, 3)
    const together = await session.logits(batch.inputs, 3)
    const alone = await session.logits({ rgb: batch.inputs.rgb.subarray(batch.inputs.rgb.length / 3) }, 1)
    alone.forEach((value, k) => {
      expect(value).toBeCloseTo(together[3 + k] ?? Number.NaN, 4)
    })
    await session.dispose()
  })

  it('names the tensor that does not fit', () => {
    const lacking = new Map(parameters)
    lacking.delete('layer3.1.bn1.weight')
    expect(() => buildInferenceModel(movingPatterns, lacking, {})).toThrow('lack a tensor')
  })
})

describe('artifacts', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kineo-artifacts-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('of training and evaluation pass the ONNX checker', async (context) => {
    try {
      await run(python, ['-c', 'import onnx'])
    } catch {
      const reason = 'python3-onnx is not installed'
      console.log(reason)
      context.skip(reason)
    }
    const { parameters } = initialState(movingPatterns, 3)
    const files: string[] = []
    for (const lowering of ['plain', 'winograd'] as const) {
      const artifactsFolder = join(folder, lowering)
      const network = { ...movingPatterns, dropoutRatio: 0.2 }
      const session = await TrainingSession.create({
        network,
        batchSize: 2,
        clipGradNorm: 1,
        lowering,
        artifactsFolder,
      })
      await session.dispose()
      files.push(join(artifactsFolder, 'training_model.onnx'))
    }
    const evaluation = await EvaluationSession.create({
      network: movingPatterns,
      parameters,
      artifactsFolder: folder,
    })
    await evaluation.dispose()
    files.push(join(folder, 'eval_model.onnx'))
    for (const [name, changes] of Object.entries({
      deep: { backbone: 'resnet_50' },
      volume: { inputType: '3d' },
      joint: { modelType: 'joint' },
    } satisfies Record<string, Partial<NetworkConfig>>)) {
      const network = { ...movingPatterns, ...changes }
      files.push(join(folder, `${name}.onnx`))
      await writeFile(files.at(-1)!, buildInferenceModel(network, initialState(network, 1).parameters, {}))
    }
    const network: NetworkConfig = {
      ...movingPatterns,
      modelType: 'joint',
      backbone: 'resnet_50',
      inputType: '3d',
    }
    const options = { network, batch: 2, clip: true, activation: 'relu', result: 'update' } as const
    const plan = planLowerings(network, 2, 'auto')
    files.push(join(folder, 'training_joint_volume.onnx'))
    await writeFile(files.at(-1)!, buildTrainingModel({ ...options, plan }).model)
    await writeFile(join(folder, 'check.py'), checker)
    await expect(run(python, [join(folder, 'check.py'), ...files])).resolves.toBeDefined()
  })
})
