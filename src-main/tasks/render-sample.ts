import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { throwIfCancelled } from '../core/errors.ts'
import { RemainingTime } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import { encodeClips } from '../media/index.ts'
import type { TaskHooks } from './hooks.ts'
import { paperTexture, viewTexture, type View } from './sample-texture.ts'

const width = 160
const height = 120
const frameRate = 15
const frameCount = 24
const trainClips = 16
const valClips = 5
const seed = 20

/** Per frame: how the camera of a clip moves over its texture. */
interface Motion {
  /** Shift of what is seen, in pixels. */
  dx: number
  dy: number
  /** Clockwise turn of what is seen, in radians. */
  turn: number
  /** Growth of what is seen. */
  growth: number
}

const straight = { turn: 0, growth: 1 }
/** Texture, colours, place and speed are drawn alike for every class: only the kind of motion tells them apart. */
const motions: Record<string, (random: Random) => Motion> = {
  clockwise: (random) => ({ dx: 0, dy: 0, turn: between(random, 0.025, 0.07), growth: 1 }),
  down: (random) => ({ ...heading(random, Math.PI / 2), ...straight }),
  left: (random) => ({ ...heading(random, Math.PI), ...straight }),
  right: (random) => ({ ...heading(random, 0), ...straight }),
  up: (random) => ({ ...heading(random, -Math.PI / 2), ...straight }),
  zoom: (random) => ({ dx: 0, dy: 0, turn: 0, growth: between(random, 1.015, 1.035) }),
}

/** Names of the classes of the sample. */
export const sampleClasses: readonly string[] = Object.keys(motions)

/** The clips of one class in one split, which are rendered together. */
interface Batch {
  className: string
  classIndex: number
  split: 'train' | 'val'
  /** Numbers of the clips, from 1. */
  numbers: number[]
}

/**
 * Renders the sample: `<folder>/{train,val}/<class>/<class>_NN.mp4`, short clips of moving paper-cut hills. Clips that
 * are there already stay, so a second call finishes what a cancelled one began.
 *
 * @throws KineoError when ffmpeg is missing or the folder cannot be written; CancelledError.
 */
export async function renderSample(folder: string, hooks: TaskHooks = {}): Promise<void> {
  const total = sampleClasses.length * (trainClips + valClips)
  const remaining = new RemainingTime()
  const batches = planBatches().values()
  let done = 0
  const work = async (): Promise<void> => {
    for (const batch of batches) {
      throwIfCancelled(hooks.signal)
      await renderBatch(folder, batch, hooks.signal)
      done += batch.numbers.length
      const remainingSeconds = remaining.update(done, total)
      hooks.onProgress?.({ done, total, unit: 'clips', remainingSeconds, note: batch.className })
    }
  }
  // Two, so that one renders while the other's ffmpeg encodes.
  await Promise.all([work(), work()])
}

function planBatches(): Batch[] {
  const numbers = Array.from({ length: trainClips + valClips }, (_, index) => index + 1)
  return sampleClasses.flatMap((className, classIndex): Batch[] => [
    { className, classIndex, split: 'train', numbers: numbers.slice(0, trainClips) },
    { className, classIndex, split: 'val', numbers: numbers.slice(trainClips) },
  ])
}

async function renderBatch(folder: string, batch: Batch, signal: AbortSignal | undefined): Promise<void> {
  const { className, classIndex, split } = batch
  const paths = batch.numbers.map((number) =>
    join(folder, split, className, `${className}_${String(number).padStart(2, '0')}.mp4`),
  )
  // All or none: the encoder carries a little over from clip to clip, and the same seed shall give the same files.
  if (paths.every((path) => existsSync(path))) return
  const frames = function* (): Generator<Uint8Array> {
    for (const number of batch.numbers) yield* renderClip(className, new Random(seed, classIndex, number))
  }
  await encodeClips(paths, frames(), { width, height, frameRate, frameCount, signal })
}

function* renderClip(className: string, random: Random): Generator<Uint8Array> {
  const texture = paperTexture(random)
  const motion = motions[className]?.(random) ?? { dx: 0, dy: 0, ...straight }
  const start = { x: random.uniform() * texture.side, y: random.uniform() * texture.side }
  const startAngle = random.uniform() * 2 * Math.PI
  for (let frame = 0; frame < frameCount; frame++) {
    yield viewTexture(texture, viewAt(motion, frame, start, startAngle), width, height)
  }
}

/** The view undoes what is seen: shifting it left shows the texture moving right. */
function viewAt(motion: Motion, frame: number, start: { x: number; y: number }, startAngle: number): View {
  const scale = 1 / motion.growth ** frame
  const angle = startAngle + motion.turn * frame
  const a = scale * Math.cos(angle)
  const b = scale * Math.sin(angle)
  const [x, y] = [-motion.dx * frame, -motion.dy * frame]
  return { a, b, dx: start.x + a * x + b * y, dy: start.y + a * y - b * x }
}

/** A walk within 20 degrees of `angle` (0 = right, a quarter turn = down) at 1.5 to 4 pixels a frame. */
function heading(random: Random, angle: number): { dx: number; dy: number } {
  const direction = angle + between(random, -0.35, 0.35)
  const speed = between(random, 1.5, 4)
  return { dx: speed * Math.cos(direction), dy: speed * Math.sin(direction) }
}

function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform()
}
