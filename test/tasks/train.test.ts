import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import type { TensorMap } from '../../src-main/engine/index.ts'
import { parseSpec, type Spec } from '../../src-main/spec/index.ts'
import {
  type EpochReport,
  evaluate,
  exportModel,
  infer,
  type StepReport,
  train,
} from '../../src-main/tasks/index.ts'
import { writeTinyDataset } from './tiny-dataset.ts'

// A whole ResNet18 trains here, if only for steps; a loaded machine takes its time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-train-'))
  await writeTinyDataset(join(root, 'train'), { videos: { dark: 4, light: 4 } })
  await writeTinyDataset(join(root, 'val'), { videos: { dark: 2, light: 1 }, seed: 2 })
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

/** Two steps in each of two epochs, the second of a smaller batch; every kind of randomness is on. */
function tinySpec(results: string, over: { epochs?: number; lr?: number; val?: string | null } = {}): Spec {
  return parseSpec({
    model: { rgb_seq_length: 3, dropout_ratio: 0.3, input_height: 32, input_width: 32 },
    dataset: {
      train_dataset_dir: join(root, 'train'),
      val_dataset_dir: over.val === undefined ? join(root, 'val') : over.val,
      label_map: { dark: 0, light: 1 },
      batch_size: 5,
      workers: 2,
      augmentation_config: { crop_smaller_edge: 36 },
    },
    train: {
      num_epochs: over.epochs ?? 2,
      checkpoint_interval: 5,
      optim: { lr: over.lr ?? 0.01, lr_steps: [1] },
    },
    results_dir: join(root, results),
  })
}

function expectEqualTensors(actual: TensorMap, expected: TensorMap): void {
  expect([...actual.keys()]).toEqual([...expected.keys()])
  for (const [name, tensor] of expected) {
    const same = Buffer.compare(bytes(actual.get(name)!.data), bytes(tensor.data)) === 0
    expect(same, name).toBe(true)
  }
}

function bytes(data: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** The columns of metrics.csv that do not measure time. */
function figures(folder: string): string[] {
  const rows = readFileSync(join(folder, 'metrics.csv'), 'utf8').trimEnd().split('\n')
  return rows.map((row) => row.split(',').slice(0, 6).join(','))
}

describe('training', () => {
  const whole = { steps: [] as StepReport[], epochs: [] as EpochReport[], lines: [] as string[] }

  beforeAll(async () => {
    await train(tinySpec('whole'), {
      onStep: (report) => whole.steps.push(report),
      onEpoch: (report) => whole.epochs.push(report),
      onLine: (line) => whole.lines.push(line),
    })
  })

  it('reports every step and epoch', () => {
    expect(whole.steps.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ])
    expect(whole.steps.map(({ learningRate }) => learningRate)).toEqual([0.01, 0.01, 0.001, 0.001])
    expect(whole.epochs.map(({ epoch, checkpoint }) => [epoch, checkpoint])).toEqual([
      [1, null],
      [2, join(root, 'whole/train/model_epoch_001.pth')],
    ])
    expect(whole.epochs.every(({ trainLoss, valLoss }) => trainLoss > 0 && valLoss !== null)).toBe(true)
  })

  it('leaves the files that TAO leaves, and the ONNX graphs', async () => {
    const folder = join(root, 'whole/train')
    expect(await readlink(join(folder, 'ar_model_latest.pth'))).toBe('model_epoch_001.pth')
    for (const name of [
      'experiment.yaml',
      'status.json',
      'metrics.csv',
      'training_model.onnx',
      'eval_model.onnx',
    ]) {
      expect(existsSync(join(folder, name)), name).toBe(true)
    }
    const messages = readFileSync(join(folder, 'status.json'), 'utf8')
      .trimEnd()
      .split('\n')
      .map(
        (line) => JSON.parse(line) as { message: string; kpi?: object; epoch?: number; max_epoch?: number },
      )
    const epoch = ['Eval metrics generated.', 'Train metrics generated.', 'Training loop in progress']
    expect(messages.map(({ message }) => message)).toEqual([
      'Starting Action Recognition train.',
      'Starting Training Loop.',
      ...epoch,
      ...epoch,
      'Training loop complete.',
      'Train finished successfully.',
    ])
    expect(messages[4]).toMatchObject({
      epoch: 1,
      max_epoch: 2,
      kpi: { train_loss: whole.epochs[0]?.trainLoss, train_acc: whole.epochs[0]?.trainAccuracy },
    })
    expect(figures(folder)[0]).toBe('epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate')
    expect(figures(folder)).toHaveLength(3)
  })

  it('stopped in the second epoch and started again ends bit for bit as without a stop', async () => {
    const spec = tinySpec('stopped')
    const stop = new AbortController()
    const stopped = train(spec, {
      signal: stop.signal,
      onStep: ({ epoch }) => {
        if (epoch === 2) stop.abort()
      },
    })
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' })
    const folder = join(root, 'stopped/train')
    expect(await readlink(join(folder, 'ar_model_latest.pth'))).toBe('model_epoch_000.pth')
    expect(readFileSync(join(folder, 'status.json'), 'utf8').trimEnd().split('\n').at(-1)).toContain(
      '"status":"FAILURE","verbosity":"INFO","message":"Train was interrupted"',
    )

    const summary = await train(spec)
    expect(summary).toMatchObject({
      resumedFrom: join(folder, 'ar_model_latest.pth'),
      alreadyFinished: false,
      epochs: [{ epoch: 2 }],
    })
    const resumed = await readCheckpoint(summary.checkpoint)
    const expected = await readCheckpoint(join(root, 'whole/train/ar_model_latest.pth'))
    expectEqualTensors(resumed.parameters, expected.parameters)
    expectEqualTensors(resumed.momentum, expected.momentum)
    expect([resumed.epoch, resumed.globalStep]).toEqual([1, 4])
    expect(figures(folder)).toEqual(figures(join(root, 'whole/train')))
  })

  it('of a finished run ends at once and says so', async () => {
    const lines: string[] = []
    const summary = await train(tinySpec('whole'), { onLine: (line) => lines.push(line) })
    expect(summary).toMatchObject({ alreadyFinished: true, epochs: [] })
    expect(lines.at(-1)).toContain('Training has finished already')
    expect(lines.at(-1)).toContain('holds 2 of 2 epochs')
  })

  it('refuses to go on with other classes or another network', async () => {
    const other = tinySpec('whole')
    other.dataset.label_map = { light: 0, dark: 1 }
    await expect(train(other)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('other classes'),
    })
    const longer = tinySpec('whole')
    longer.model.rgb_seq_length = 4
    await expect(train(longer)).rejects.toMatchObject({
      message: 'The checkpoint takes 9 input channels, the spec gives 12 (4 frames of rgb)',
    })
  })

  it('that diverges stops with the reason and names the last good checkpoint', async () => {
    const good = join(root, 'whole/train/model_epoch_001.pth')
    const spec = tinySpec('diverged', { epochs: 9, lr: 1e30, val: null })
    spec.train.optim.lr_steps = []
    spec.train.resume_training_checkpoint_path = good
    await expect(train(spec)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('The loss is not a number any more'),
      remedy: `Lower train.optim.lr (now 1e+30) or set train.clip_grad_norm, such as 5. The last good checkpoint is ${good}`,
    })
    expect(existsSync(join(root, 'diverged/train/ar_model_latest.pth'))).toBe(false)
  })

  it('is evaluated, used and exported from its checkpoint, the classes taken from it', async () => {
    const spec = tinySpec('whole')
    const checkpoint = join(root, 'whole/train/ar_model_latest.pth')
    spec.dataset.label_map = null
    spec.evaluate.checkpoint = checkpoint
    const report = await evaluate(spec)
    const right = report.videos.filter(({ label, prediction }) => label === prediction).length
    expect(report.accuracy).toBe(right / 3)
    expect(report.classes.map(({ name, count }) => [name, count])).toEqual([
      ['dark', 2],
      ['light', 1],
    ])
    expect(report.accuracy).toBe(whole.epochs[1]?.valAccuracy)
    const results = JSON.parse(await readFile(join(root, 'whole/evaluate/results.json'), 'utf8')) as {
      accuracy: number
      videos: { path: string; scores: Record<string, number> }[]
    }
    expect(results.accuracy).toBe(report.accuracy)
    expect(results.videos.map(({ path }) => path)).toEqual(report.videos.map(({ path }) => path))
    const scores = results.videos[0]!.scores
    expect(scores['dark']! + scores['light']!).toBeCloseTo(1, 9)
    const [header, ...rows] = (await readFile(join(root, 'whole/evaluate/confusion_matrix.csv'), 'utf8'))
      .trimEnd()
      .split('\n')
    expect(header).toBe('class,dark,light')
    expect(rows).toEqual(report.confusion.map((row, i) => [['dark', 'light'][i], ...row].join(',')))

    spec.inference.checkpoint = checkpoint
    spec.inference.inference_dataset_dir = join(root, 'val/dark')
    spec.inference.batch_size = 2
    const inferred = await infer(spec)
    const evaluated = report.videos.filter(({ label }) => label === 'dark')
    expect(inferred.videos.map(({ path, labels }) => ({ path, labels }))).toEqual(
      evaluated.map(({ path, prediction }) => ({ path, labels: [prediction] })),
    )
    expect(existsSync(join(root, 'whole/inference/scores.json'))).toBe(true)

    spec.export.checkpoint = checkpoint
    spec.export.onnx_file = join(root, 'whole/model.onnx')
    const exported = await exportModel(spec)
    expect(exported).toMatchObject({
      onnxFile: join(root, 'whole/model.onnx'),
      classNames: ['dark', 'light'],
    })
    expect(await readFile(join(root, 'whole/labels.txt'), 'utf8')).toBe('dark;light\n')
    await expect(exportModel(spec)).rejects.toMatchObject({
      code: 'output',
      remedy: expect.stringContaining('--force'),
    })
    await writeFile(exported.onnxFile, 'old')
    await exportModel(spec, { force: true })
    expect((await readFile(exported.onnxFile)).byteLength).toBe(exported.bytes)
  })
})

describe('before any long work', () => {
  it.each([
    ['dataset.train_dataset_dir', { dataset: { label_map: { a: 0, b: 1 } } }],
    ['dataset.label_map', { dataset: { train_dataset_dir: '/nowhere' } }],
  ])('training names a missing %s', async (key, value) => {
    await expect(train(parseSpec(value))).rejects.toMatchObject({
      code: 'spec',
      message: `${key} is missing`,
    })
  })

  it('the other tasks name their missing keys', async () => {
    const spec = parseSpec({})
    await expect(evaluate(spec)).rejects.toMatchObject({ message: 'evaluate.checkpoint is missing' })
    await expect(infer(spec)).rejects.toMatchObject({ message: 'inference.checkpoint is missing' })
    await expect(exportModel(spec)).rejects.toMatchObject({ message: 'export.checkpoint is missing' })
  })

  it('training names a folder that is missing and one whose class is not in the label map', async () => {
    const missing = tinySpec('missing')
    missing.dataset.train_dataset_dir = join(root, 'nowhere')
    await expect(train(missing)).rejects.toMatchObject({ code: 'input', where: join(root, 'nowhere') })
    const unknown = tinySpec('unknown')
    unknown.dataset.label_map = { dark: 0, bright: 1 }
    const error: unknown = await train(unknown).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'input' })
    expect(String(error)).toContain('light')
    expect(readFileSync(join(root, 'unknown/train/status.json'), 'utf8')).toContain('"status":"FAILURE"')
  })

  it('an unreadable image is named', async () => {
    await writeTinyDataset(join(root, 'broken'), { videos: { dark: 2, light: 2 } })
    const file = join(root, 'broken/light/video_1/rgb/000002.png')
    await writeFile(file, 'no image')
    const spec = tinySpec('broken-results', { val: null, epochs: 1 })
    spec.dataset.train_dataset_dir = join(root, 'broken')
    spec.model.sample_strategy = 'consecutive'
    spec.model.rgb_seq_length = 5
    await expect(train(spec)).rejects.toMatchObject({ code: 'input', where: expect.stringContaining(file) })
  })

  it('a class without videos and a batch larger than the set are told, and training (of flow) goes on', async () => {
    await mkdir(join(root, 'small'), { recursive: true })
    await writeTinyDataset(join(root, 'small'), { videos: { dark: 1, light: 2 } })
    const spec = tinySpec('small-results', { val: null, epochs: 1 })
    spec.dataset.train_dataset_dir = join(root, 'small')
    spec.dataset.label_map = { dark: 0, light: 1, red: 2 }
    spec.model.model_type = 'of'
    spec.model.of_seq_length = 3
    const lines: string[] = []
    const summary = await train(spec, { onLine: (line) => lines.push(line) })
    expect(summary.epochs).toHaveLength(1)
    const { parameters } = await readCheckpoint(summary.checkpoint)
    expect(parameters.get('conv1.weight')!.shape).toEqual([64, 6, 7, 7])
    expect(lines).toContain('No training videos of red.')
    expect(lines).toContain('dataset.batch_size is 5, but an epoch has 3 clips: batches of 3 are used.')
  })
})
