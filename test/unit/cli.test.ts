import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { createTerminal } from '../../src-main/cli/terminal.ts'
import { version } from '../../src-main/core/version.ts'
import { writeTinyDataset } from '../tasks/tiny-dataset.ts'

// Each test starts processes of its own; a loaded machine takes its time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const launcher = fileURLToPath(new URL('../../src-main/cli/kineo.mjs', import.meta.url))

interface Outcome {
  code: number | null
  output: string
  errors: string
}

/** Runs `kineo` in a process of its own. `onOutput` sees standard output as it comes. */
async function kineo(
  args: string[],
  onOutput: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  node = process.execPath,
  its: { launcher?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const env = { ...process.env, ...its.env }
  const child = spawn(node, [its.launcher ?? launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const outcome: Outcome = { code: null, output: '', errors: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.output += text
    onOutput(text, (signal) => child.kill(signal))
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.errors += text))
  outcome.code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return outcome
}

let root: string
let spec: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kineo-cli-'))
  await writeTinyDataset(join(root, 'train'), { videos: { dark: 2, light: 2 } })
  spec = join(root, 'spec.yaml')
  const content = {
    model: { rgb_seq_length: 2, input_height: 32, input_width: 32 },
    dataset: {
      train_dataset_dir: join(root, 'train'),
      label_map: { dark: 0, light: 1 },
      batch_size: 4,
      workers: 1,
      augmentation_config: { train_crop_type: 'no_crop' },
    },
    results_dir: join(root, 'results'),
  }
  await writeFile(spec, stringify(content))
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

describe('kineo', () => {
  it('prints its version and its help', async () => {
    expect(await kineo(['--version'])).toEqual({ code: 0, output: `${version}\n`, errors: '' })
    const help = await kineo(['--help'])
    expect(help.code).toBe(0)
    expect(help.output).toMatch(/Usage: kineo COMMAND/)
    const train = await kineo(['train', '--help'])
    expect(train).toMatchObject({ code: 0, output: expect.stringContaining('kineo train -e spec.yaml') })
  })

  it.each([
    [[], 'Usage: kineo COMMAND'],
    [['evalute'], 'evalute is not a command. Did you mean evaluate?'],
    [['train'], 'No experiment spec is given'],
    [['train', '--fast'], "Unknown option '--fast'"],
    [['train', '-e', '/nowhere/spec.yaml'], 'Cannot read the experiment spec: /nowhere/spec.yaml'],
    [['train', '-e', 'SPEC', 'epochs'], 'Not an override: epochs'],
    [
      ['train', '-e', 'SPEC', 'train.epochs=3'],
      'train.epochs: is not a key of the spec; did you mean train.num_epochs?',
    ],
    [['evaluate', '-e', 'SPEC'], 'evaluate.checkpoint is missing'],
  ])('%j is wrong usage: exit code 2, the reason on standard error', async (args, message) => {
    const outcome = await kineo(args.map((arg) => (arg === 'SPEC' ? spec : arg)))
    expect(outcome).toMatchObject({ code: 2, output: '', errors: expect.stringContaining(message) })
    expect(outcome.errors).not.toMatch(/\n\s+at /)
  })

  it('fails with exit code 1, without a stack trace, and with --json tells it as an object', async () => {
    const outcome = await kineo(['train', '-e', spec, '--json', `dataset.train_dataset_dir=${root}/nowhere`])
    expect(outcome.code).toBe(1)
    expect(outcome.errors).toContain(`${root}/nowhere`)
    expect(outcome.errors).not.toMatch(/\n\s+at /)
    const last: unknown = JSON.parse(outcome.output.trimEnd().split('\n').at(-1) ?? '')
    expect(last).toMatchObject({ type: 'error', code: 'input' })
  })

  it('trains, one JSON object a line', async () => {
    const outcome = await kineo(['train', '--experiment_spec', spec, '--json', 'train.num_epochs=1'])
    expect(outcome).toMatchObject({ code: 0, errors: '' })
    const events = outcome.output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; epoch?: number; checkpoint?: string })
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(1)
    expect(events.filter(({ type }) => type === 'epoch')).toMatchObject([{ epoch: 1, valLoss: null }])
    const result = events.at(-1)
    expect(result).toMatchObject({ type: 'result', alreadyFinished: false })
    expect(existsSync(result?.checkpoint ?? '')).toBe(true)
  })

  it('stops at Ctrl-C with exit code 130 and goes on from there', async () => {
    const args = ['train', '-e', spec, `results_dir=${root}/stopped`, 'train.num_epochs=500']
    const stopped = await kineo(args, (text, kill) => {
      if (text.includes('epoch 2/500')) kill('SIGINT')
    })
    expect(stopped).toMatchObject({ code: 130, errors: expect.stringContaining('kineo train: Stopped') })
    expect(existsSync(join(root, 'stopped/train/ar_model_latest.pth'))).toBe(true)
    const epochs = stopped.output.split('\n').filter((line) => line.startsWith('epoch '))
    const resumed = await kineo(args, (text, kill) => {
      if (text.includes('Going on from')) kill('SIGINT')
    })
    expect(resumed.output).toContain(`after epoch ${epochs.length}.`)
  })

  it('says what to do where the packages are not installed', async () => {
    const bare = join(root, 'bare')
    await cp(dirname(launcher), join(bare, 'src-main/cli'), { recursive: true })
    const outcome = await kineo(['doctor'], undefined, process.execPath, {
      launcher: join(bare, 'src-main/cli/kineo.mjs'),
    })
    expect(outcome).toMatchObject({ code: 1, output: '' })
    expect(outcome.errors).toContain(`Run "npm ci" in ${bare}`)
    expect(outcome.errors).not.toMatch(/\n\s+at /)
  })

  it('takes paths from where the person is, also when npm starts it in its own folder', async () => {
    const outcome = await kineo(
      ['train', '-e', 'spec.yaml', 'train.num_epoch=1'],
      undefined,
      process.execPath,
      {
        env: { npm_lifecycle_event: 'kineo', INIT_CWD: root },
      },
    )
    expect(outcome).toMatchObject({
      code: 2,
      errors: expect.stringContaining('did you mean train.num_epochs'),
    })
  })

  it('hands over to the pinned Node when the running one is too old', async (context) => {
    const old = '/usr/bin/node'
    const major = existsSync(old) ? Number((await nodeVersion(old)).split('.')[0]) : NaN
    const pinned = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))
    if (!(major < 22) || !existsSync(pinned)) {
      console.log('skipped: needs an old Node in /usr/bin and the pinned one of npm')
      context.skip('no old Node here')
    }
    expect(await kineo(['--version'], undefined, old)).toEqual({
      code: 0,
      output: `${version}\n`,
      errors: '',
    })
    expect((await kineo(['trian'], undefined, old)).code).toBe(2)
  })
})

async function nodeVersion(node: string): Promise<string> {
  const child = spawn(node, ['-p', 'process.versions.node'])
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  await new Promise((resolve) => child.on('close', resolve))
  return text
}

describe('terminal', () => {
  function streams(isTTY: boolean): {
    written: string[]
    write(text: string): void
    isTTY: boolean
    columns: number
  } {
    const written: string[] = []
    return { written, write: (text) => void written.push(text), isTTY, columns: 20 }
  }

  it('rewrites the live line on a terminal and clears it before other text', () => {
    const output = streams(true)
    const terminal = createTerminal(false, output, streams(true))
    terminal.live('epoch 1')
    terminal.live('a line longer than the terminal is wide')
    terminal.line('done')
    terminal.line('more')
    expect(output.written.join('')).toBe(
      '\r\u001b[2Kepoch 1\r\u001b[2Ka line longer than…\r\u001b[2Kdone\nmore\n',
    )
  })

  it('prints no live line elsewhere, and only objects with --json', () => {
    const piped = streams(false)
    createTerminal(false, piped).live('epoch 1')
    expect(piped.written).toEqual([])
    const json = streams(true)
    const terminal = createTerminal(true, json)
    terminal.line('text')
    terminal.live('epoch 1')
    terminal.event('epoch', { epoch: 1 })
    expect(json.written).toEqual(['{"type":"epoch","epoch":1}\n'])
  })
})
