import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { NetworkConfig } from '../../src-main/engine/index.ts'
import { parseSpec } from '../../src-main/spec/index.ts'
import { exportModel } from '../../src-main/tasks/index.ts'
import { writeRandomCheckpoint } from './random-checkpoint.ts'

vi.setConfig({ testTimeout: 120_000 })

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-export-'))
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

async function exported(
  name: string,
  network: Partial<NetworkConfig>,
  model: object,
): Promise<{ inputs: unknown; outputs: readonly string[]; bytes: Buffer }> {
  const checkpoint = join(root, `${name}.pth`)
  await writeRandomCheckpoint(checkpoint, network, ['clap', 'wave'])
  const { onnxFile } = await exportModel(
    parseSpec({
      model: { rgb_seq_length: 2, of_seq_length: 3, input_height: 32, input_width: 32, ...model },
      export: { checkpoint, results_dir: join(root, 'results') },
    }),
  )
  expect(onnxFile).toBe(join(root, `${name}.onnx`))
  const session = await InferenceSession.create(onnxFile)
  const inputs = session.inputMetadata.map((input) => [input.name, input.isTensor && input.shape])
  const { outputNames } = session
  await session.release()
  return { inputs, outputs: outputNames, bytes: await readFile(onnxFile) }
}

it('writes both inputs of a joint network, with the preprocessing of each stream in the metadata', async () => {
  const { inputs, outputs, bytes } = await exported('joint', { modelType: 'joint' }, { model_type: 'joint' })
  expect(inputs).toEqual([
    ['input_rgb', ['batch', 6, 32, 32]],
    ['input_of', ['batch', 6, 32, 32]],
  ])
  expect(outputs).toEqual(['fc_pred'])
  for (const key of ['label_map', 'rgb_sequence_length', 'rgb_mean', 'of_sequence_length', 'of_std']) {
    expect(bytes.includes(key), key).toBe(true)
  }
  expect(await readFile(join(root, 'labels.txt'), 'utf8')).toBe('clap;wave\n')
})

it('writes the five dimensions of a 3D network, only the batch of them free', async () => {
  const { inputs } = await exported(
    '3d',
    { inputType: '3d', modelType: 'of' },
    { input_type: '3d', model_type: 'of' },
  )
  expect(inputs).toEqual([['input_of', ['batch', 2, 3, 32, 32]]])
})
