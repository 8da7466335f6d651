/**
 * One training step of ResNet18 against PyTorch's, side by side: `npm run bench:train-step -- --net 2d --batch 8`.
 * The two take turns, step by step, so that a busy machine slows both. The last line is one JSON object; `ratio` is
 * PyTorch's median time over ours (above 1: we are faster).
 */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Random } from '../src-main/core/random.ts'
import {
  TrainingSession,
  initialState,
  networkInputs,
  type LoweringChoice,
  type NetworkConfig,
} from '../src-main/engine/index.ts'

const { values } = parseArgs({
  options: {
    net: { type: 'string', default: '2d' },
    batch: { type: 'string', default: '8' },
    height: { type: 'string', default: '224' },
    width: { type: 'string', default: '224' },
    channels: { type: 'string', default: '9' },
    classes: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
    lowering: { type: 'string', default: 'auto' },
    python: { type: 'string', default: '/usr/bin/python3' },
  },
})

const channels = Number(values.channels)
const batch = Number(values.batch)
const threads = Number(values.threads)
const steps = Number(values.steps)
if (values.net !== '2d') {
  console.error('Only --net 2d can be measured yet')
  process.exit(2)
}
const modelType = channels % 3 === 0 ? 'rgb' : 'of'
const network: NetworkConfig = {
  modelType,
  backbone: 'resnet_18',
  inputType: '2d',
  rgbSequenceLength: channels / 3,
  ofSequenceLength: channels / 2,
  height: Number(values.height),
  width: Number(values.width),
  classCount: Number(values.classes),
  dropoutRatio: 0,
  fusionFeatures: 64,
}

interface Timed {
  milliseconds: number
  loss: number
}

/** PyTorch's side: a process that does one step for each line it is sent. */
function startPeer(): { step: () => Promise<Timed | null>; stop: () => void } {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'peers', 'train_step.py')
  const flags = ['net', 'batch', 'height', 'width', 'channels', 'classes', 'threads'] as const
  // Two steps more than are counted: the first ones warm up.
  const wanted = ['--steps', String(steps + 2), ...flags.flatMap((flag) => [`--${flag}`, values[flag]])]
  const child = spawn(values.python, [script, ...wanted], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    step: async () => {
      child.stdin.write('step\n')
      const line = await lines.next()
      return line.done ? null : (JSON.parse(line.value) as Timed)
    },
    stop: () => child.stdin.end(),
  }
}

const random = new Random(1)
const [{ shape = [] } = {}] = networkInputs(network, batch)
const size = shape.reduce((product, value) => product * value, 1)
const input = new Float32Array(size).map(() => random.normal())
const labels = Int32Array.from({ length: batch }, (_, i) => i % network.classCount)
const session = await TrainingSession.create({
  network,
  batchSize: batch,
  clipGradNorm: 0,
  threads,
  lowering: values.lowering as LoweringChoice,
})
session.load(initialState(network, 1))

async function ourStep(): Promise<Timed> {
  const started = performance.now()
  const hyper = { learningRate: 0.01, momentum: 0.9, weightDecay: 1e-4 }
  const { loss } = await session.step({ inputs: { [modelType]: input }, labels, count: batch }, hyper, [])
  return { milliseconds: performance.now() - started, loss }
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2
}

const peer = startPeer()
const ours: number[] = []
const theirs: number[] = []
console.log(
  `ResNet18 ${values.net}, ${channels}x${network.height}x${network.width}, batch ${batch}, ${threads} threads`,
)
console.log('step     Kineo ms   PyTorch ms   Kineo loss   PyTorch loss')
for (let step = -2; step < steps; step++) {
  const our = await ourStep()
  const their = await peer.step()
  if (step >= 0) {
    ours.push(our.milliseconds)
    if (their !== null) theirs.push(their.milliseconds)
  }
  const cells = [our.milliseconds.toFixed(0), their?.milliseconds.toFixed(0) ?? '-', our.loss.toFixed(4)]
  const [a = '', b = '', c = ''] = cells
  const label = step < 0 ? 'warm-up' : String(step + 1).padStart(7)
  console.log(
    `${label}${a.padStart(10)}${b.padStart(13)}${c.padStart(13)}${(their?.loss.toFixed(4) ?? '-').padStart(15)}`,
  )
}
peer.stop()
const lowerings = [...session.lowerings.values()]
await session.dispose()

const round = (value: number, digits = 0): number => Number(value.toFixed(digits))
const compared = theirs.length > 0
if (!compared)
  console.log(`PyTorch was not measured: ${values.python} could not run bench/peers/train_step.py`)
const summary = {
  bench: 'train-step',
  net: values.net,
  batch,
  channels,
  height: network.height,
  width: network.width,
  threads,
  steps,
  lowering: values.lowering,
  convolutions: Object.fromEntries(
    [...new Set(lowerings)].map((name) => [name, lowerings.filter((other) => other === name).length]),
  ),
  oursMinMs: round(Math.min(...ours)),
  oursMedianMs: round(median(ours)),
  peerMinMs: compared ? round(Math.min(...theirs)) : null,
  peerMedianMs: compared ? round(median(theirs)) : null,
  ratio: compared ? round(median(theirs) / median(ours), 3) : null,
  ratioMin: compared ? round(Math.min(...theirs) / Math.min(...ours), 3) : null,
  peakMemoryMb: round(process.resourceUsage().maxRSS / 1024),
}
console.log(
  `Kineo ${summary.oursMedianMs} ms (best ${summary.oursMinMs}), PyTorch ${summary.peerMedianMs ?? '-'} ms (best ` +
    `${summary.peerMinMs ?? '-'}), peak memory ${summary.peakMemoryMb} MB`,
)
console.log(JSON.stringify(summary))
