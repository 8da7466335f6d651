import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { specCommand } from '../../src-main/cli/commands/spec.ts'
import { readSpecArguments } from '../../src-main/cli/spec-arguments.ts'
import { createTerminal } from '../../src-main/cli/terminal.ts'
import { describeError, exitCodeOf } from '../../src-main/core/errors.ts'
import { describeSpec, loadSpec } from '../../src-main/spec/index.ts'
import { writeTinyDataset } from '../tasks/tiny-dataset.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let root: string
let dataset: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-cli-spec-'))
  dataset = join(root, 'dataset')
  await writeTinyDataset(join(dataset, 'train'), { videos: { '01': 2, bow: 2, turn_left: 2 }, size: 8 })
  await writeTinyDataset(join(dataset, 'valid'), { videos: { '01': 1, bow: 1 }, size: 8 })
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

interface Outcome {
  code: number
  output: string
  errors: string
}

/** Runs `kineo spec ...` in this process. */
async function spec(args: string[], json = false): Promise<Outcome> {
  const outcome: Outcome = { code: 0, output: '', errors: '' }
  const terminal = createTerminal(
    json,
    { write: (text) => (outcome.output += text) },
    { write: (text) => (outcome.errors += text) },
  )
  try {
    outcome.code = await specCommand.run(args, { terminal, signal: new AbortController().signal })
  } catch (error) {
    outcome.code = exitCodeOf(error)
    outcome.errors += describeError(error)
  }
  return outcome
}

/** The fields of the last JSON line. */
function resultOf({ output }: Outcome): Record<string, unknown> {
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
}

describe('kineo spec init', () => {
  it('writes a spec for a data set that check finds nothing wrong with', async () => {
    const file = join(root, 'made.yaml')
    const made = await spec(['init', '--dataset', dataset, '--out', file])
    expect(made).toMatchObject({ code: 0, errors: '' })
    expect(made.output).toContain('6 training videos of 3 classes')
    const read = await loadSpec(file)
    expect(read.dataset).toMatchObject({
      train_dataset_dir: join(dataset, 'train'),
      val_dataset_dir: join(dataset, 'valid'),
      label_map: { '01': 0, bow: 1, turn_left: 2 },
      augmentation_config: { horizontal_flip_prob: 0 },
    })
    // Five frames make four flow images.
    expect(read.model).toMatchObject({ model_type: 'of', of_seq_length: 4 })
    expect(read.evaluate.checkpoint).toBe('results/train/ar_model_latest.pth')
    const checked = await spec(['check', '-e', file])
    expect(checked).toMatchObject({ code: 0, errors: '' })
    expect(checked.output).toMatch(/^ok: .*made\.yaml can be used\.\n/)
    expect(checked.output).toContain(
      'Trains a 2D ResNet18 for optical flow on 6 videos of 3 classes (01, bow, turn_left)',
    )
    expect(checked.output).toContain('validates on 2 videos')
    expect(checked.output).not.toContain('Worth knowing')
  })

  it('comments every key', async () => {
    const file = join(root, 'commented.yaml')
    await spec(['init', '--out', file, '--model-type', 'joint', '--input-type', '3d'])
    const lines = (await readFile(file, 'utf8')).split('\n')
    const names = new Set(describeSpec().map(({ key }) => key.slice(key.lastIndexOf('.') + 1)))
    const bare = lines.filter((line, i) => {
      const name = /^ *([a-z_]+):/.exec(line)?.[1] ?? ''
      return names.has(name) && !/^ *#/.test(lines[i - 1] ?? '')
    })
    expect(bare).toEqual([])
    expect(await loadSpec(file)).toMatchObject({ model: { model_type: 'joint', input_type: '3d' } })
  })

  it('takes colour frames where there is no flow, and refuses to promise a network for flow', async () => {
    const colours = join(root, 'colours')
    await writeTinyDataset(colours, { videos: { a: 1, b: 1 }, size: 8 })
    await rename(join(colours, 'b/video_0/v'), join(root, 'v'))
    const made = await spec(['init', '--dataset', colours, '--out', join(root, 'colours.yaml')], true)
    expect(resultOf(made)['spec']).toMatchObject({ model: { model_type: 'rgb' } })
    const refused = await spec([
      'init',
      '--dataset',
      colours,
      '--model-type',
      'joint',
      '--out',
      join(root, 'x'),
    ])
    expect(refused).toMatchObject({ code: 1, errors: expect.stringContaining('needs optical flow') })
  })

  it('never replaces a file unless it is told to', async () => {
    const file = join(root, 'mine.yaml')
    await writeFile(file, '# mine\n')
    const refused = await spec(['init', '--out', file])
    expect(refused).toMatchObject({ code: 1, errors: expect.stringContaining('--force') })
    expect(await readFile(file, 'utf8')).toBe('# mine\n')
    expect(await spec(['init', '--out', file, '--force'])).toMatchObject({ code: 0 })
    expect(await readFile(file, 'utf8')).toContain('model_type: rgb')
  })

  it('tells what a folder is that is no data set', async () => {
    const out = ['--out', join(root, 'never.yaml')]
    await mkdir(join(root, 'empty'))
    await mkdir(join(root, 'raw/walk'), { recursive: true })
    await writeFile(join(root, 'raw/walk/a.mp4'), '')
    for (const [folder, message] of [
      [join(root, 'nowhere'), 'Cannot read the folder'],
      [join(root, 'empty'), 'The data set has no class folders'],
      [join(root, 'raw'), 'kineo preprocess VIDEOS --out DATASET'],
      [join(dataset, 'train/bow'), 'Give the folder above it'],
    ] as const) {
      const outcome = await spec(['init', '--dataset', folder, ...out])
      expect(outcome).toMatchObject({ code: 1, errors: expect.stringContaining(message) })
    }
    expect(existsSync(join(root, 'never.yaml'))).toBe(false)
  })
})

describe('kineo spec check', () => {
  it('tells all problems at once, of keys and of folders, and exits with 2', async () => {
    const file = join(root, 'wrong.yaml')
    await writeFile(file, `dataset:\n  train_dataset_dir: ${root}/nowhere\n  label_map: {a: 0}\n`)
    expect(await spec(['check', '-e', file])).toMatchObject({
      code: 2,
      output: expect.stringContaining(`${file}:2: dataset.train_dataset_dir: The dataset folder is missing`),
    })
    const both = await spec(['check', '-e', file, 'train.sed=1', 'train.num_epochs=0'], true)
    expect(both.code).toBe(2)
    expect(resultOf(both)).toMatchObject({
      ok: false,
      problems: [
        { key: 'train.sed', place: 'override train.sed=1' },
        { key: 'train.num_epochs', place: 'override train.num_epochs=0' },
      ],
    })
  })

  it('tells of a missing label map what it would be, and of classes on one side only', async () => {
    const file = join(root, 'labels.yaml')
    await writeFile(file, `dataset:\n  train_dataset_dir: ${dataset}/train\n`)
    expect((await spec(['check', '-e', file])).output).toContain('{01: 0, bow: 1, turn_left: 2}')
    const lacking = await spec(['check', '-e', file, 'dataset.label_map={01: 0, bow: 1}'])
    expect(lacking).toMatchObject({ code: 2, output: expect.stringContaining('turn_left') })
    const more = await spec(['check', '-e', file, 'dataset.label_map={01: 0, bow: 1, turn_left: 2, run: 3}'])
    expect(more).toMatchObject({ code: 0, output: expect.stringContaining('run has no training videos') })
  })

  it('misses a checkpoint, but not one that training is to make', async () => {
    const file = join(root, 'made.yaml')
    const missing = await spec(['check', '-e', file, `evaluate.checkpoint=${root}/no.pth`])
    expect(missing).toMatchObject({ code: 2, output: expect.stringContaining('no.pth is not there') })
    const weights = await spec(['check', '-e', file, `model.of_pretrained_model_path=${root}`])
    expect(weights).toMatchObject({ code: 2, output: expect.stringContaining(`${root} is not a file`) })
  })
})

describe('kineo spec explain', () => {
  it('tells all about a key, by its full name or its last word', async () => {
    const full = await spec(['explain', 'train.optim.threshold'])
    expect(full.output.split('\n')[0]).toBe('train.optim.threshold')
    for (const part of ['0 or more', '0.001', 'train.optim.lr_scheduler AutoReduce', '0.01 %'])
      expect(full.output).toContain(part)
    expect((await spec(['explain', 'threshold'])).output).toBe(full.output)
  })

  it('tells of a section, of everything, and of another name of a key', async () => {
    expect((await spec(['explain', 'train.optim'])).output).toContain('train.optim.lr_steps')
    const all = (await spec(['explain'])).output
    expect(describeSpec().filter(({ key }) => !all.includes(key))).toEqual([])
    expect((await spec(['explain', 'dataset.output_shape'])).output).toContain('model.input_height')
    expect(resultOf(await spec(['explain', 'lr'], true))['keys']).toMatchObject([{ key: 'train.optim.lr' }])
  })

  it.each([
    ['nm_epochs', 'Did you mean train.num_epochs?'],
    ['qqqqqqqqqqq', 'kineo spec explain lists them all'],
    ['wandb.project', 'is a key of TAO that Kineo does not have'],
  ])('%s is wrong usage', async (name, message) => {
    expect(await spec(['explain', name])).toMatchObject({ code: 2, errors: expect.stringContaining(message) })
  })
})

it.each([
  [[], 'What to do is missing. It is one of init, check, explain'],
  [['chek'], 'Did you mean kineo spec check?'],
  [['init', 'here'], 'kineo spec init takes no here'],
  [['init', '--model-type', 'flow'], '--model-type is rgb, of, joint, not flow'],
  [['check'], 'No experiment spec is given'],
  [['explain', '--all'], "Unknown option '--all'"],
])('%j is wrong usage', async (args, message) => {
  expect(await spec(args)).toMatchObject({ code: 2, errors: expect.stringContaining(message) })
})

it('a command tells once what it accepts without effect, and nothing about other commands', async () => {
  const file = join(root, 'devices.yaml')
  await writeFile(file, 'train: {num_gpus: 8}\nevaluate: {gpu_ids: [0, 1]}\nwandb: {enable: true}\n')
  const notes = async (command: string): Promise<string[]> => {
    const errors: string[] = []
    const streams = [{ write: () => true }, { write: (text: string) => errors.push(text) }] as const
    await readSpecArguments(command, ['-e', file], createTerminal(false, ...streams))
    return errors
  }
  expect(await notes('train')).toEqual([
    `Note: ${file}:1: train.num_gpus: 8 devices are asked for; this version uses one, the processor\n`,
    `Note: ${file}:3: wandb.enable: Weights & Biases is not reached from here; metrics are in metrics.csv and status.json\n`,
  ])
  expect(await notes('evaluate')).toHaveLength(1)
  expect(await notes('export')).toEqual([])
})
