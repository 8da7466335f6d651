import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { writeCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import { EvaluationSession, type Backbone, type NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { parameter, uniform } from '../fixtures/torch/deterministic.ts'
import { findPython, runPython } from '../peers/python.ts'

vi.setConfig({ testTimeout: 300_000 })

test.for<[Backbone, string]>([
  ['resnet_18', 'resnet18'],
  ['resnet_50', 'resnet50'],
])(
  "torchvision's own network computes with a checkpoint of %s what we compute",
  async ([backbone, name], context) => {
    const { python, reason } = await findPython('torchvision', 'numpy')
    if (python === undefined) {
      console.log(`skipped: ${reason}`)
      context.skip(reason)
      return
    }
    const network: NetworkConfig = {
      modelType: 'rgb',
      backbone,
      inputType: '2d',
      rgbSequenceLength: 3,
      ofSequenceLength: 0,
      height: 64,
      width: 64,
      classCount: 7,
      dropoutRatio: 0,
      fusionFeatures: 64,
    }
    const shape = [2, 9, 64, 64]
    const parameters: TensorMap = new Map(
      stateEntries(network).map((entry) => [entry.name, parameter(entry.name, entry.shape)]),
    )
    const input = uniform('torchvision/x', shape)
    const folder = await mkdtemp(join(tmpdir(), 'kineo-torchvision-'))
    try {
      const path = join(folder, 'model_epoch_000.pth')
      const batch = join(folder, 'batch.bin')
      await writeCheckpoint(path, {
        parameters,
        momentum: new Map(),
        optimizer: { learningRate: 0.01, momentum: 0.9, weightDecay: 0 },
        epoch: 0,
        globalStep: 1,
        network,
        classNames: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
        extra: {},
      })
      await writeFile(batch, new Uint8Array(input.buffer))
      const script = join(import.meta.dirname, '../fixtures/torch/torchvision_logits.py')
      const printed = await runPython(python, script, [path, name, batch, shape.join()])
      const theirs = z.array(z.number()).parse(JSON.parse(printed))

      const session = await EvaluationSession.create({ network, parameters, threads: 1 })
      const ours = await session.logits({ rgb: input }, 2)
      await session.dispose()
      expect(theirs).toHaveLength(ours.length)
      const scale = Math.max(1, ...theirs.map(Math.abs))
      ours.forEach((value, i) => expect(Math.abs(value - theirs[i]!) / scale).toBeLessThan(1e-4))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
