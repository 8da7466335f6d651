import { resolve } from 'node:path'
import { z } from 'zod'
import { throwIfCancelled } from '../core/errors.ts'
import { frameIndex, seconds, type FrameIndex, type Pts, type Seconds } from '../core/units.ts'
import { judgeEnd } from './decode.ts'
import { keepEveryFrame, readOutput, startFfmpeg } from './ffmpeg-process.ts'
import { streamFacts } from './stream-facts.ts'

/** Length of one tick of a stream, as a fraction of a second. */
export interface TimeBase {
  numerator: number
  denominator: number
}

/** What a frame table is made of. */
export interface FrameTableContent {
  timeBase: TimeBase
  /** Presentation time stamps of the decoded frames in presentation order; none falls. */
  pts: ArrayLike<number>
  /** Frames that a decoder can start at, ascending; frame 0 always counts as one. */
  keyFrames: readonly number[]
  /** Time stamp of the file's own time 0, in ticks: containers may start anywhere. */
  originPts: number
  /** What ffmpeg complained of when the file is damaged, or null. */
  damage: string | null
}

/**
 * When each frame of a video is shown. The frames are exactly those of `decodeFrames`, by index. Times count from the
 * start of the file as players and `-ss` of ffmpeg do: the first frame is later than 0 where sound comes first.
 */
export class FrameTable {
  readonly timeBase: TimeBase
  readonly originPts: number
  readonly damage: string | null
  /** Whether every frame has a time of its own, as frames of a sound file do. */
  readonly hasDistinctTimes: boolean
  readonly #pts: Float64Array
  readonly #keyFrames: readonly number[]

  /** @throws RangeError without frames. */
  constructor({ timeBase, pts, keyFrames, originPts, damage }: FrameTableContent) {
    if (pts.length === 0) throw new RangeError('a frame table needs a frame')
    this.timeBase = timeBase
    this.originPts = originPts
    this.damage = damage
    this.#pts = Float64Array.from(pts)
    this.#keyFrames = keyFrames
    this.hasDistinctTimes = this.#pts.every((each, at, all) => at === 0 || each > (all[at - 1] ?? 0))
  }

  get frameCount(): number {
    return this.#pts.length
  }

  get lastFrame(): FrameIndex {
    return frameIndex(this.#pts.length - 1)
  }

  /** @throws RangeError beyond the last frame. */
  ptsOf(frame: FrameIndex): Pts {
    const pts = this.#pts[frame]
    if (pts === undefined) throw new RangeError(`no frame ${frame} in a video of ${this.frameCount} frames`)
    return pts as Pts
  }

  /** The frame with exactly this time stamp, or null. */
  frameOfPts(pts: number): FrameIndex | null {
    const at = this.#lastAtOrBefore(pts)
    return at >= 0 && this.#pts[at] === pts ? frameIndex(at) : null
  }

  /** When the frame appears. */
  timeOf(frame: FrameIndex): Seconds {
    return this.#timeOfPts(this.ptsOf(frame))
  }

  /** When the next frame takes its place; the last frame is given the length of the one before it. */
  endOf(frame: FrameIndex): Seconds {
    const own = this.ptsOf(frame)
    const next = this.#pts[frame + 1]
    if (next !== undefined) return this.#timeOfPts(next)
    const before = this.#pts[frame - 1]
    return this.#timeOfPts(own + (before === undefined ? this.#ticks(0.04) : Math.max(1, own - before)))
  }

  /** The frame that is on the screen at this time: the last one that has appeared; before the first one, the first. */
  frameAt(time: Seconds): FrameIndex {
    // A time that was made of a time stamp falls on it again, whatever the arithmetic in between.
    const pts = this.#ticks(time) + this.originPts
    return frameIndex(Math.max(0, this.#lastAtOrBefore(pts + 1e-3)))
  }

  isKeyFrame(frame: FrameIndex): boolean {
    return this.keyFrameAtOrBefore(frame) === frame
  }

  keyFrameAtOrBefore(frame: FrameIndex): FrameIndex {
    return frameIndex(this.#keyFrames[lastAtOrBefore(this.#keyFrames, frame)] ?? 0)
  }

  /** For a file: runs of equal steps, so that a video of even rate takes one. */
  pack(): PackedFrameTable {
    const steps: [step: number, count: number][] = []
    for (let at = 1; at < this.#pts.length; at++) {
      const step = (this.#pts[at] ?? 0) - (this.#pts[at - 1] ?? 0)
      const last = steps.at(-1)
      if (last?.[0] === step) last[1]++
      else steps.push([step, 1])
    }
    const { numerator, denominator } = this.timeBase
    return {
      timeBase: [numerator, denominator],
      firstPts: this.#pts[0] ?? 0,
      steps,
      keyFrames: [...this.#keyFrames],
      originPts: this.originPts,
      damage: this.damage,
    }
  }

  static unpack(packed: PackedFrameTable): FrameTable {
    const pts = [packed.firstPts]
    let last = packed.firstPts
    for (const [step, count] of packed.steps) for (let i = 0; i < count; i++) pts.push((last += step))
    const [numerator, denominator] = packed.timeBase
    const { keyFrames, originPts, damage } = packed
    return new FrameTable({ timeBase: { numerator, denominator }, pts, keyFrames, originPts, damage })
  }

  #timeOfPts(pts: number): Seconds {
    const { numerator, denominator } = this.timeBase
    return seconds(((pts - this.originPts) * numerator) / denominator)
  }

  #ticks(time: number): number {
    return (time * this.timeBase.denominator) / this.timeBase.numerator
  }

  #lastAtOrBefore(pts: number): number {
    return lastAtOrBefore(this.#pts, pts)
  }
}

const whole = z.number().int()
/** A frame table as it is stored. */
export const packedFrameTable = z.object({
  timeBase: z.tuple([whole.positive(), whole.positive()]),
  firstPts: whole,
  steps: z.array(z.tuple([whole.nonnegative(), whole.positive()])),
  keyFrames: z.array(whole.nonnegative()),
  originPts: z.number(),
  damage: z.string().nullable(),
})
export type PackedFrameTable = z.infer<typeof packedFrameTable>

/** Index of the last of ascending values that is not above `value`; -1 without one. */
function lastAtOrBefore(ascending: ArrayLike<number>, value: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] ?? Infinity) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

export interface FrameTableOptions {
  /** Told now and then how many frames were seen. */
  onFrames?: ((frames: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** Keeps a corner of each frame: only the times are wanted. */
export const cornerOfFrame = "crop=w='min(16,iw)':h='min(16,ih)':x=0:y=0:exact=1"

/** Makes a stream of frames tell its time stamps, in ticks of the input, by the words of the framecrc format. */
export const tellTimes = ['-enc_time_base', '-1', '-c:v', 'rawvideo', '-f', 'framecrc'] as const

/**
 * Reads when each frame of a video is shown. Frames, not packets, are counted, by the decoder that makes the pictures:
 * broken tails, edit lists and frames that are never shown make a difference. It takes about as long as decoding.
 *
 * @throws KineoError `input` when the file has no frame that can be decoded; CancelledError.
 */
export async function readFrameTable(path: string, options: FrameTableOptions = {}): Promise<FrameTable> {
  const process = await startFfmpeg({
    input: resolve(path),
    // Time stamps as they stand in the file; loop filters change pictures, never their number.
    inputOptions: ['-copyts', '-skip_loop_filter', 'all'],
    outputOptions: [
      ...['-map', '0:V:0', '-map', '0:V:0', '-an', '-sn', '-dn'],
      ...['-filter:v:0', cornerOfFrame, '-filter:v:1', `select='key+eq(n,0)',${cornerOfFrame}`],
      ...(await keepEveryFrame()),
      // Key frames may come seldom; the frames between wait for them.
      ...['-max_muxing_queue_size', '1000000', ...tellTimes],
    ],
    signal: options.signal,
  })
  const lines = new TimeLines()
  const chunks = readOutput(process, options.signal)
  const pts: number[] = []
  const keyPts: number[] = []
  try {
    let next = await chunks.next()
    while (!next.done) {
      for (const { stream, pts: at } of lines.push(next.value)) (stream === 0 ? pts : keyPts).push(at)
      options.onFrames?.(pts.length)
      next = await chunks.next()
    }
    let damage: string | null = null
    const { signal } = options
    await judgeEnd(next.value, pts.length, path, { signal, onDamage: (complaint) => (damage = complaint) })
    const timeBase = lines.timeBase ?? { numerator: 1, denominator: 1_000_000 }
    const { startSeconds: start } = await streamFacts(path)
    throwIfCancelled(signal)
    const originPts =
      start === null ? (pts[0] ?? 0) : Math.round((start * timeBase.denominator) / timeBase.numerator)
    return new FrameTable({ timeBase, pts, keyFrames: framesOf(keyPts, pts), originPts, damage })
  } finally {
    await chunks.return({ failure: null, messages: [] })
  }
}

/** Indices of the frames with these time stamps; both ascend, and of frames at one time the first is meant. */
function framesOf(wanted: readonly number[], pts: readonly number[]): number[] {
  const frames: number[] = []
  let at = 0
  for (const each of wanted) {
    while (at < pts.length && (pts[at] ?? 0) < each) at++
    if (pts[at] === each) frames.push(at++)
  }
  return frames
}

/** One frame or packet as the framecrc format tells of it. */
export interface TimeLine {
  /** Which of the streams, from 0. */
  stream: number
  pts: number
}

/** Reads the lines of the framecrc format, `stream, dts, pts, duration, size, checksum`, out of chunks. */
export class TimeLines {
  timeBase: TimeBase | undefined
  #rest = ''

  /** What the lines that became whole with this chunk tell. */
  push(chunk: Uint8Array): TimeLine[] {
    const told: TimeLine[] = []
    const lines = (this.#rest + Buffer.from(chunk).toString('latin1')).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const base = /^#tb 0: (\d+)\/(\d+)/.exec(line)
      if (base) this.timeBase = { numerator: Number(base[1]), denominator: Number(base[2]) }
      const frame = /^(\d+),\s*-?\w+,\s*(-?\d+),/.exec(line)
      if (frame) told.push({ stream: Number(frame[1]), pts: Number(frame[2]) })
    }
    return told
  }
}
