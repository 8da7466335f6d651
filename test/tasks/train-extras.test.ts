import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import { initialState, type TensorMap } from '../../src-main/engine/index.ts'
import { parseSpec, type Spec } from '../../src-main/spec/index.ts'
import { evaluate, exportModel, train } from '../../src-main/tasks/index.ts'
import { writeTinyDataset } from './tiny-dataset.ts'

// Whole ResNet18s train here, if only for steps; a loaded machine takes its time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-extras-'))
  await writeTinyDataset(join(root, 'train'), { videos: { left: 5, right: 2 } })
  await writeTinyDataset(join(root, 'val'), { videos: { left: 2, right: 1 }, seed: 2 })
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

interface Overrides {
  model?: object
  dataset?: object
  augmentation?: object
  train?: object
  optim?: object
}

function spec(results: string, over: Overrides = {}): Spec {
  return parseSpec({
    model: { rgb_seq_length: 2, dropout_ratio: 0.3, input_height: 32, input_width: 32, ...over.model },
    dataset: {
      train_dataset_dir: join(root, 'train'),
      val_dataset_dir: join(root, 'val'),
      label_map: { left: 0, right: 1 },
      batch_size: 3,
      workers: 1,
      augmentation_config: { crop_smaller_edge: 36, ...over.augmentation },
      ...over.dataset,
    },
    train: { num_epochs: 3, ...over.train, optim: { lr: 0.01, ...over.optim } },
    results_dir: join(root, results),
  })
}

/** Everything that training can do beyond TAO, at once. */
const everything: Overrides = {
  dataset: { balanced_sampling: true },
  augmentation: {
    flip_label_map: { left: 'right' },
    color_jitter: { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1 },
    mixup_alpha: 0.4,
  },
  train: {
    class_weights: 'balanced',
    label_smoothing: 0.1,
    accumulate_batches: 2,
    freeze_stages: 2,
    ema_decay: 0.9,
    save_best: true,
    early_stopping_patience: 9,
    clip_grad_norm: 1,
    checkpoint_interval: 9,
  },
  optim: { lr_scheduler: 'AutoReduce', patience: 0, threshold: 0.5, min_lr: 0.0001, warmup_epochs: 1 },
}

function expectEqualTensors(actual: TensorMap | undefined, expected: TensorMap | undefined): void {
  expect([...(actual?.keys() ?? [])]).toEqual([...(expected?.keys() ?? [])])
  for (const [name, tensor] of expected ?? []) {
    const data = actual?.get(name)?.data
    expect(Buffer.compare(bytes(data!), bytes(tensor.data)), name).toBe(0)
  }
}

function bytes(data: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** The columns of metrics.csv that do not measure time. */
function figures(folder: string): string[][] {
  const rows = readFileSync(join(folder, 'metrics.csv'), 'utf8').trimEnd().split('\n')
  return rows.slice(1).map((row) => row.split(',').slice(0, 6))
}

describe('training with everything at once', () => {
  const whole = (): string => join(root, 'whole/train')

  beforeAll(async () => {
    await train(spec('whole', everything))
  })

  it('stopped and started again ends bit for bit as without a stop', async () => {
    const stop = new AbortController()
    const stopped = train(spec('stopped', everything), {
      signal: stop.signal,
      onStep: ({ epoch, step }) => {
        if (epoch === 3 && step === 2) stop.abort()
      },
    })
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' })
    const summary = await train(spec('stopped', everything))
    expect(summary).toMatchObject({ alreadyFinished: false, epochs: [{ epoch: 3 }] })
    const resumed = await readCheckpoint(summary.checkpoint)
    const expected = await readCheckpoint(join(whole(), 'ar_model_latest.pth'))
    expectEqualTensors(resumed.parameters, expected.parameters)
    expectEqualTensors(resumed.trained, expected.trained)
    expectEqualTensors(resumed.momentum, expected.momentum)
    expect(resumed.extra).toEqual(expected.extra)
    expect(figures(summary.folder)).toEqual(figures(whole()))
  })

  it('counts optimizer steps, of which two batches make one and the rest of an epoch another', async () => {
    // Seven clips an epoch are batches of 3, 3 and 1.
    const { globalStep } = await readCheckpoint(join(whole(), 'ar_model_latest.pth'))
    expect(globalStep).toBe(3 * 2)
  })

  it('keeps the average as the weights of the file, beside those that training goes on with', async () => {
    const { parameters, trained } = await readCheckpoint(join(whole(), 'ar_model_latest.pth'))
    const averaged = parameters.get('fc_cls.weight')!.data
    expect(bytes(averaged)).not.toEqual(bytes(trained!.get('fc_cls.weight')!.data))
    const evaluated = spec('whole', everything)
    evaluated.evaluate.checkpoint = join(whole(), 'ar_model_latest.pth')
    const { accuracy } = await evaluate(evaluated)
    expect(String(accuracy)).toBe(figures(whole()).at(-1)?.[4])
  })

  it('does not touch the frozen stages', async () => {
    const { trained, network } = await readCheckpoint(join(whole(), 'ar_model_latest.pth'))
    const { parameters: initial } = initialState(network!, 1234)
    const changed = (name: string): boolean =>
      Buffer.compare(bytes(initial.get(name)!.data), bytes(trained!.get(name)!.data)) !== 0
    expect(['conv1.weight', 'bn1.running_mean', 'layer1.1.conv2.weight'].map(changed)).toEqual([
      false,
      false,
      false,
    ])
    expect(['layer2.0.conv1.weight', 'layer2.0.bn1.running_mean', 'fc_cls.bias'].map(changed)).toEqual([
      true,
      true,
      true,
    ])
  })

  it('reduces the rate when the loss does not halve, behind a warm-up', () => {
    const rates = figures(whole()).map(([, , , , , rate]) => Number(rate))
    expect(rates[0]).toBe(0.01)
    expect(rates[2]).toBeCloseTo(0.001, 12)
  })

  it('keeps the best checkpoint, that of the epoch that validated best', async () => {
    const ranked = figures(whole())
      .map(([epoch, , , loss, accuracy]) => ({
        epoch: Number(epoch),
        loss: Number(loss),
        accuracy: Number(accuracy),
      }))
      .sort((a, b) => b.accuracy - a.accuracy || a.loss - b.loss || a.epoch - b.epoch)
    const best = await readCheckpoint(join(whole(), 'ar_model_best.pth'))
    expect(best.epoch + 1).toBe(ranked[0]?.epoch)
  })
})

it('a joint network trains on both streams, of unequal length, and is evaluated', async () => {
  const joint = spec('joint', {
    model: { model_type: 'joint', of_seq_length: 3 },
    dataset: { batch_size: 7 },
    train: { num_epochs: 1 },
  })
  const summary = await train(joint)
  joint.evaluate.checkpoint = summary.checkpoint
  const { accuracy } = await evaluate(joint)
  expect(accuracy).toBe(summary.epochs[0]?.valAccuracy)
})

describe('early stopping', () => {
  it('ends when validation no longer improves, saves that epoch and stays ended', async () => {
    // A rate of almost nothing: the running statistics move, the predictions hardly do.
    const still = (patience: number): Spec =>
      spec('early', {
        model: { dropout_ratio: 0 },
        train: {
          num_epochs: 9,
          checkpoint_interval: 9,
          early_stopping_patience: patience,
          freeze_stages: 5,
        },
        optim: { lr: 1e-30, weight_decay: 0 },
      })
    const lines: string[] = []
    const summary = await train(still(2), { onLine: (line) => lines.push(line) })
    expect(summary).toMatchObject({ stoppedEarly: true, alreadyFinished: false })
    expect(summary.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3])
    expect(summary.checkpoint).toBe(join(root, 'early/train/model_epoch_002.pth'))
    expect(lines.at(-1)).toContain('Stopped early: validation has not improved for 2 epochs')
    expect(existsSync(join(root, 'early/train/eval_model.onnx'))).toBe(true)

    const again = await train(still(2), { onLine: (line) => lines.push(line) })
    expect(again).toMatchObject({ stoppedEarly: true, alreadyFinished: true, epochs: [] })
    const more = await train(still(3))
    expect(more.epochs.map(({ epoch }) => epoch)).toEqual([4])
  })
})

describe('pretrained weights and encryption', () => {
  it('an encrypted training is opened with its key only, and the exported model is encrypted too', async () => {
    const secret = spec('secret', { train: { num_epochs: 1 } })
    secret.encryption_key = 'a long enough password'
    const { checkpoint } = await train(secret)
    for (const name of ['ar_model_latest.pth', 'eval_model.onnx']) {
      const start = (await readFile(join(root, 'secret/train', name))).subarray(0, 8).toString('latin1')
      expect(start, name).toBe('KINEOENC')
    }
    const open = (key: string | null): Spec => {
      const opened = spec('secret')
      opened.encryption_key = key
      opened.evaluate.checkpoint = checkpoint
      opened.export.checkpoint = checkpoint
      opened.export.onnx_file = join(root, 'secret/model.onnx')
      return opened
    }
    await expect(evaluate(open(null))).rejects.toMatchObject({ code: 'input' })
    await expect(evaluate(open('another password'))).rejects.toMatchObject({ code: 'input' })
    expect((await evaluate(open(secret.encryption_key))).videos).toHaveLength(3)
    expect(await exportModel(open(secret.encryption_key))).toMatchObject({ encrypted: true })
    const plain = await exportModel(open(secret.encryption_key), { force: true, unencrypted: true })
    expect(plain.encrypted).toBe(false)

    // Weights of the plain model start another training, with other classes.
    const lines: string[] = []
    const next = spec('next', {
      model: {
        rgb_pretrained_model_path: plain.onnxFile,
        rgb_pretrained_num_classes: 2,
        rgb_seq_length: 3,
      },
      train: { num_epochs: 1 },
    })
    await train(next, { onLine: (line) => lines.push(line) })
    const told = lines.filter((line) => line.startsWith('Pretrained') || line.startsWith('  ')).join('\n')
    expect(told).toContain('1 converted')
    expect(told).toContain('averaged over 6 input channels and copied to 9')
    expect(told).toContain('start at random: fc_cls.weight, fc_cls.bias')
  })
})
