/**
 * One training step against PyTorch's, side by side: `npm run bench:train-step -- --net 2d --batch 8`, or `-- --net 3d`,
 * which is 3x16x112x112 at batch 2; `--backbone resnet_50` and others.
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
    backbone: { type: 'string', default: 'resnet_18' },
    stream: { type: 'string', default: 'rgb' },
    batch: { type: 'string' },
    frames: { type: 'string' },
    height: { type: 'string' },
    width: { type: 'string' },
    classes: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
    lowering: { type: 'string', default: 'auto' },
    python: { type: 'string', default: '/usr/bin/python3' },
  },
})

const backbones = ['resnet_18', 'resnet_34', 'resnet_50', 'resnet_101', 'resnet_152'] as const
const inputType = oneOf(['2d', '3d'], values.net)
const modelType = oneOf(['rgb', 'of'], values.stream)
const defaults = { '2d': { batch: 8, frames: 3, size: 224 }, '3d': { batch: 2, frames: 16, size: 112 } }[
  inputType
]
const batch = Number(values.batch ?? defaults.batch)
const frames = Number(values.frames ?? defaults.frames)
const threads = Number(values.threads)
const steps = Number(values.steps)
const network: NetworkConfig = {
  modelType,
  backbone: oneOf(backbones, values.backbone),
  inputType,
  rgbSequenceLength: frames,
  ofSequenceLength: frames,
  height: Number(values.height ?? defaults.size),
  width: Number(values.width ?? defaults.size),
  classCount: Number(values.classes),
  dropoutRatio: 0,
  fusionFeatures: 64,
}

function oneOf<const T extends string>(allowed: readonly T[], value: string): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  console.error(`${value} is none of ${allowed.join(', ')}`)
  process.exit(2)
}

interface Timed {
  milliseconds: number
  loss: number
}

/** PyTorch's side: a process that does one step for each line it is sent. */
function startPeer(): { step: () => Promise<Timed | null>; stop: () => void } {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'peers', 'train_step.py')
  const { backbone, height, width, classCount: classes } = network
  const channels = modelType === 'rgb' ? 3 : 2
  // Two steps more than are counted: the first ones warm up.
  const settings = {
    net: inputType,
    backbone,
    batch,
    channels,
    frames,
    height,
    width,
    classes,
    threads,
    steps: steps + 2,
  }
  const wanted = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
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
  `${network.backbone} ${inputType}, ${shape.slice(1).join('x')}, batch ${batch}, ${threads} threads`,
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
  net: inputType,
  backbone: network.backbone,
  stream: modelType,
  batch,
  frames,
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
