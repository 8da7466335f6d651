/**
 * Trains on the gesture clips with Kineo and, on the same frames, with PyTorch, one after the other:
 *
 *   npm run bench:gestures -- [--data ../shared/data/gestures] [--modes of,rgb] [--seeds 1234] [--epochs 25] [--quick]
 *
 * Modes: of, rgb, of-consecutive, joint, of-3d.
 *
 * The clips are prepared with `kineo preprocess` into a temporary folder that later runs use again. Both sides train
 * ResNet18 from scratch with the same settings on the same two cores, without validation in between, and are
 * then evaluated on one clip from the centre of each validation video. `seconds` is what each side reports for its
 * training. With several seeds (31 clips say little about one run) both sides train once with each, and the table has
 * the medians. The last line is one JSON object; `ratio` is the peer's time / ours.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { z } from 'zod'
import { writeFileAtomic } from '../src-main/core/atomic-file.ts'

const python = '/usr/bin/python3'
const threads = 2
const batchSize = 16
const learningRate = 0.01
const weightDecay = 5e-4
/** The spec's defaults: the learning rate falls to a tenth after these epochs. The peer follows the same schedule. */
const learningRateSteps = [15, 25]
const size = 112
const root = fileURLToPath(new URL('..', import.meta.url))
const launcher = join(root, 'src-main', 'cli', 'kineo.mjs')
const peerScript = join(root, 'bench', 'peers', 'train_gestures.py')

interface Mode {
  title: string
  modelType: 'rgb' | 'of' | 'joint'
  /** Frames of a clip; 0 for a stream that the network has not. */
  rgbFrames: number
  ofFrames: number
  strategy: 'random_interval' | 'consecutive'
  inputType: '2d' | '3d'
}

const flow: Mode = {
  title: 'optical flow, 10 frames',
  modelType: 'of',
  rgbFrames: 0,
  ofFrames: 10,
  strategy: 'random_interval',
  inputType: '2d',
}
const modes: ReadonlyMap<string, Mode> = new Map([
  ['of', flow],
  ['rgb', { ...flow, title: 'rgb, 8 frames', modelType: 'rgb', rgbFrames: 8, ofFrames: 0 }],
  ['of-consecutive', { ...flow, title: 'optical flow, 10 frames in a row', strategy: 'consecutive' }],
  ['joint', { ...flow, title: 'rgb 3 + optical flow 10 frames', modelType: 'joint', rgbFrames: 3 }],
  ['of-3d', { ...flow, title: 'optical flow, 10 frames, 3D', inputType: '3d' }],
])

interface Score {
  right: number
  total: number
  seconds: number
}

/** Medians over the seeds, and each seed's count of right clips. */
interface SeedScores extends Score {
  rightBySeed: Record<string, number>
}

interface ModeResult {
  ours: SeedScores
  peer: SeedScores | null
  /** Peer's time / ours; above 1 is faster than the peer. */
  ratio: number | null
}

class MissingPart extends Error {}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data/gestures' },
      modes: { type: 'string', default: 'of,rgb' },
      seeds: { type: 'string', default: '1234' },
      epochs: { type: 'string', default: '25' },
      quick: { type: 'boolean', default: false },
    },
  })
  const epochs = values.quick ? 2 : Number(values.epochs)
  const chosen = values.modes.split(',').map((name) => name.trim())
  const seeds = values.seeds.split(',').map(Number)
  const counts = [epochs, ...seeds]
  if (
    !chosen.every((name) => modes.has(name)) ||
    !counts.every((value) => Number.isSafeInteger(value) && value >= 1)
  ) {
    throw new MissingPart(
      `Usage: npm run bench:gestures -- [--data FOLDER] [--modes ${[...modes.keys()].join(',')}] [--seeds 1,2,3] [--epochs 25] [--quick]`,
    )
  }
  const work = join(tmpdir(), 'kineo-bench-gestures')
  const dataset = join(work, 'dataset')
  await prepare(resolve(values.data), dataset)
  const classNames = (await readdir(join(dataset, 'train'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort()
  const peerReason = await whyNoPeer()
  if (peerReason !== null) console.log(`No comparison with PyTorch: ${peerReason}`)

  const results: Record<string, ModeResult> = {}
  for (const name of chosen) {
    const mode = modes.get(name) ?? flow
    const ours = new Map<number, Score>()
    const peers = new Map<number, Score>()
    for (const seed of seeds) {
      console.log(`\n${mode.title}: ${epochs} epochs, seed ${seed}`)
      ours.set(seed, await trainOurs(name, mode, { work, dataset, classNames, epochs, seed }))
      if (peerReason === null) peers.set(seed, await trainPeer(mode, { dataset, epochs, seed }))
    }
    const our = overSeeds(ours)
    const peer = peerReason === null ? overSeeds(peers) : null
    results[name] = { ours: our, peer, ratio: peer === null ? null : round(peer.seconds / our.seconds) }
  }
  console.log('')
  printTable(results)
  const ratio = chosen[0] === undefined ? null : (results[chosen[0]]?.ratio ?? null)
  console.log(JSON.stringify({ bench: 'gestures', epochs, threads, ...results, ratio }))
}

async function prepare(data: string, dataset: string): Promise<void> {
  for (const split of ['train', 'val']) {
    if (!existsSync(join(data, split))) {
      throw new MissingPart(`No clips in ${join(data, split)}. Give their folder with --data FOLDER`)
    }
  }
  console.log(`Preparing the clips of ${data} in ${dataset}`)
  await run(process.execPath, [launcher, 'preprocess', data, '--out', dataset])
}

interface Setting {
  work: string
  dataset: string
  classNames: string[]
  epochs: number
  seed: number
}

async function trainOurs(
  name: string,
  mode: Mode,
  { work, dataset, classNames, epochs, seed }: Setting,
): Promise<Score> {
  const results = join(work, `kineo-${name}`)
  await rm(results, { recursive: true, force: true })
  await mkdir(results, { recursive: true })
  const specFile = join(results, 'spec.yaml')
  const spec = {
    results_dir: results,
    model: {
      model_type: mode.modelType,
      input_type: mode.inputType,
      ...(mode.rgbFrames > 0 ? { rgb_seq_length: mode.rgbFrames } : {}),
      ...(mode.ofFrames > 0 ? { of_seq_length: mode.ofFrames } : {}),
      sample_strategy: mode.strategy,
      input_height: size,
      input_width: size,
      dropout_ratio: 0,
    },
    dataset: {
      train_dataset_dir: join(dataset, 'train'),
      label_map: Object.fromEntries(classNames.map((name, index) => [name, index])),
      batch_size: batchSize,
      workers: threads,
      augmentation_config: {
        train_crop_type: 'no_crop',
        horizontal_flip_prob: 0,
        rgb_input_mean: [0.5],
        rgb_input_std: [0.5],
        of_input_mean: [0.5],
        of_input_std: [0.5],
      },
    },
    train: {
      seed,
      num_epochs: epochs,
      checkpoint_interval: epochs,
      optim: { lr: learningRate, momentum: 0.9, weight_decay: weightDecay, lr_steps: learningRateSteps },
    },
    evaluate: {
      checkpoint: join(results, 'train', 'ar_model_latest.pth'),
      test_dataset_dir: join(dataset, 'val'),
      batch_size: batchSize,
    },
  }
  await writeFileAtomic(specFile, stringify(spec))
  const trained = await run(...onTwoCores(process.execPath, [launcher, 'train', '-e', specFile]))
  const seconds = z.coerce.number().parse(/^Trained \d+ epochs in (\d+) s/m.exec(trained)?.[1])
  await run(...onTwoCores(process.execPath, [launcher, 'evaluate', '-e', specFile]))
  const report = z
    .object({ videos: z.array(z.object({ label: z.string(), prediction: z.string() })) })
    .parse(JSON.parse(await readFile(join(results, 'evaluate', 'results.json'), 'utf8')))
  return {
    right: report.videos.filter(({ label, prediction }) => label === prediction).length,
    total: report.videos.length,
    seconds,
  }
}

async function trainPeer(
  mode: Mode,
  { dataset, epochs, seed }: Pick<Setting, 'dataset' | 'epochs' | 'seed'>,
): Promise<Score> {
  const output = await run(
    ...onTwoCores(python, [
      peerScript,
      ...['--data', dataset, '--rgb-frames', String(mode.rgbFrames), '--of-frames', String(mode.ofFrames)],
      ...['--strategy', mode.strategy, ...(mode.inputType === '3d' ? ['--volume'] : [])],
      ...['--epochs', String(epochs), '--size', String(size), '--batch', String(batchSize)],
      ...['--lr', String(learningRate), '--weight-decay', String(weightDecay)],
      ...['--lr-steps', ...learningRateSteps.map(String)],
      ...['--threads', String(threads), '--seed', String(seed)],
    ]),
  )
  const lastLine = output.trimEnd().split('\n').at(-1) ?? ''
  return z.object({ right: z.number(), total: z.number(), seconds: z.number() }).parse(JSON.parse(lastLine))
}

function overSeeds(scores: ReadonlyMap<number, Score>): SeedScores {
  const all = [...scores.values()]
  return {
    right: median(all.map(({ right }) => right)),
    total: all[0]?.total ?? 0,
    seconds: median(all.map(({ seconds }) => seconds)),
    rightBySeed: Object.fromEntries([...scores].map(([seed, { right }]) => [seed, right])),
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Null when the peer can run. */
async function whyNoPeer(): Promise<string | null> {
  if (!existsSync(python)) return `${python} is missing`
  if (!existsSync(peerScript)) return `${peerScript} is missing`
  try {
    await run(python, ['-c', 'import torch, cv2'], 'quiet')
    return null
  } catch {
    return 'python3-torch or python3-opencv is missing (Debian packages)'
  }
}

/** Both sides get the same two cores on a machine that has more. */
function onTwoCores(command: string, args: string[]): [string, string[]] {
  const bound = process.platform === 'linux' && availableParallelism() > threads
  return bound ? ['taskset', ['-c', `0-${threads - 1}`, command, ...args]] : [command, args]
}

/** Runs a program, shows what it prints unless `quiet`, and returns its standard output. */
function run(command: string, args: string[], show: 'shown' | 'quiet' = 'shown'): Promise<string> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (show === 'shown') process.stdout.write(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4000)
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolvePromise(output)
      else reject(new MissingPart(`${command} ${args[0] ?? ''} ended with code ${code}:\n${errors}`))
    })
  })
}

function printTable(results: Record<string, ModeResult>): void {
  console.table(
    Object.fromEntries(
      Object.entries(results).map(([name, { ours, peer, ratio }]) => [
        name,
        {
          'Kineo right': `${ours.right} of ${ours.total}`,
          'Kineo s': ours.seconds,
          'PyTorch right': peer === null ? '-' : `${peer.right} of ${peer.total}`,
          'PyTorch s': peer === null ? '-' : round(peer.seconds),
          'PyTorch s / Kineo s': ratio ?? '-',
        },
      ]),
    ),
  )
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

try {
  await main()
} catch (error) {
  if (!(error instanceof MissingPart)) throw error
  console.error(error.message)
  process.exitCode = 1
}
