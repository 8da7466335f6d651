import { CancelledError, KineoError, throwIfCancelled } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { channelsOf, streamsOf, type ModelType, type Stream, type StreamInputs } from '../core/streams.ts'
import { mapBounded } from './bounded.ts'
import { cropDependsOnImages, resizedSize } from './crops.ts'
import { balancedClips, shuffledClips, type ClipRef } from './epoch-order.ts'
import { readSize } from './frame-image.ts'
import type { ClipPlan, WorkerSetup } from './loader-messages.ts'
import { InThreadSource, ThreadedSource, type ClipSource } from './loader-threads.ts'
import { mixClips } from './mixup.ts'
import { frameCount, type VideoSample } from './samples.ts'
import {
  sampleCenterFrames,
  sampleSegments,
  sampleTrainingFrames,
  type FrameIndices,
  type SampleStrategy,
  type SamplingRule,
} from './sampling.ts'
import { centerChoices, checkTransform, drawChoices, type TransformConfig } from './transforms.ts'

export interface LoaderOptions {
  samples: readonly VideoSample[]
  modelType: ModelType
  /** Colour frames of a clip; without meaning for `of`. */
  rgbSequenceLength: number
  /** Flow frames of a clip; without meaning for `rgb`. */
  ofSequenceLength: number
  /** Decides what `all` is: windows of the sequence length (2D), or one clip of all frames (3D). */
  inputType: '2d' | '3d'
  /** Every how many frames one is taken; without meaning for `random_interval`. */
  sampleRate: number
  sampleStrategy: SampleStrategy
  /**
   * `train`: shuffled, random frames, crops and flips. The others go through `samples` in order with nothing random:
   * `center` has one clip of each video, `conv` and `all` have the segments of `sampleSegments`.
   */
  mode: 'train' | 'center' | 'conv' | 'all'
  /** Windows of a video in `conv`. */
  segmentCount: number
  transform: TransformConfig
  batchSize: number
  /** Worker threads; 0 reads in the calling thread. */
  workers: number
  seed: number
  /** Clips of each video in a training epoch; the other modes do not look at it. */
  clipsPerVideo: number
  /** Whether a training epoch has equally many clips of every class, instead of equally many of every video. */
  balanced: boolean
  /** Training clips are mixed in pairs by shares of Beta(alpha, alpha); 0 mixes none. */
  mixupAlpha: number
  /** Classes of the network: columns of the targets that mixing makes; needed for that only. */
  classCount?: number
  /** Bytes of resized images to keep; by default 1 GiB, but an eighth of the free memory at most. */
  cacheBytes?: number
}

export interface Batch {
  /** For each stream float32 [count, channels, frames, height, width]; 2D networks see channels * frames. */
  inputs: StreamInputs
  /** Class index of each clip as it is seen (mirrored left is right), -1 where the sample has none. */
  labels: Int32Array
  /** float32 [count, classCount] where clips were mixed: how much of each class a clip shows. Else null. */
  targets: Float32Array | null
  /** Index of each clip's video in `samples`. */
  sampleIndices: Int32Array
  /** Which segment of its video each clip is, from 0; in training which of its clips in the epoch. */
  segmentIndices: Int32Array
  /** Frames of each clip, for each stream: all clips of a batch have as many. */
  frameIndices: FrameIndices[]
  /** Clips in this batch; the last of an epoch may have fewer than the batch size. */
  count: number
}

/** Batches that are made while the caller works on one: two, or one of those that are large. */
const batchesAhead = 2
const bytesAhead = 2 ** 28
/** A clip of a whole video (`all` with a 3D network) may be too large for one piece of memory. */
const mostClipBytes = 2 ** 31
const headersAtOnce = 8

/**
 * Makes the batches of an epoch ahead of their use, in worker threads. Which clips, in which order and with which
 * values depends on the seed and the epoch only: not on the number of workers, nor on earlier epochs.
 *
 * Videos are dealt to the workers by index, and each worker keeps resized images of its own videos (see PlanReader).
 * Memory is bounded by the cache, the batch in use and those ahead, each of these once as clips and once as a batch.
 */
export class BatchLoader {
  readonly batchesPerEpoch: number
  /** Clips of an epoch, all batches together. */
  readonly clipsPerEpoch: number
  readonly #options: LoaderOptions
  readonly #streams: readonly Stream[]
  readonly #rule: SamplingRule
  /** Clips of an epoch in their order; null in training, where every epoch has its own. */
  readonly #fixedOrder: readonly ClipRef[] | null
  /** First clip of each batch, and the number of clips after the last. */
  readonly #batchStarts: readonly number[]
  readonly #batchesAhead: number
  #lastSegments: { sampleIndex: number; segments: FrameIndices[] } | null = null
  #source: ClipSource | null = null
  #run = 0
  #cropsChecked: boolean
  #disposed = false

  /** @throws KineoError `input` or `spec` for what can be known without reading an image. */
  constructor(options: LoaderOptions) {
    checkOptions(options)
    this.#options = options
    this.#streams = streamsOf(options.modelType)
    this.#rule = {
      strategy: options.sampleStrategy,
      lengths: {
        ...(this.#streams.includes('rgb') ? { rgb: options.rgbSequenceLength } : {}),
        ...(this.#streams.includes('of') ? { of: options.ofSequenceLength } : {}),
      },
      sampleRate: options.sampleRate,
    }
    this.#fixedOrder = options.mode === 'train' ? null : this.#segmentsInOrder()
    this.clipsPerEpoch = this.#fixedOrder?.length ?? options.samples.length * options.clipsPerVideo
    this.#batchStarts = this.#splitIntoBatches()
    this.batchesPerEpoch = this.#batchStarts.length - 1
    const clipBytes = options.samples.reduce((most, _, index) => Math.max(most, this.#clipBytes(index)), 0)
    if (clipBytes > mostClipBytes) throw tooLong(clipBytes)
    this.#batchesAhead = Math.max(
      1,
      Math.min(batchesAhead, Math.floor(bytesAhead / (clipBytes * options.batchSize))),
    )
    this.#cropsChecked = !cropDependsOnImages(options.transform)
  }

  /**
   * The batches of one epoch. Leaving the loop early, or an abort, frees the workers for other work.
   *
   * @param epochIndex From 0; in train mode it decides order, frames, crops, flips and mixing.
   * @throws KineoError `input` naming the image that cannot be used; CancelledError on abort.
   */
  async *epoch(epochIndex: number, signal?: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    if (this.#disposed) throw new Error('the batch loader is disposed')
    throwIfCancelled(signal)
    await this.#checkCrops()
    const source = (this.#source ??= this.#start())
    const order = this.#fixedOrder ?? this.#trainingOrder(epochIndex)
    const run = ++this.#run
    const ahead: Promise<Batch>[] = []
    const aborted = abortOf(signal)
    try {
      for (let next = 0, index = 0; index < this.batchesPerEpoch; index++) {
        for (; next < this.batchesPerEpoch && next <= index + this.#batchesAhead; next++) {
          const batch = this.#batch(source, run, epochIndex, order, next)
          // Whoever awaits it still sees the failure; this keeps it from counting as unhandled until then.
          batch.catch(() => undefined)
          ahead.push(batch)
        }
        throwIfCancelled(signal)
        const batch = ahead.shift()
        if (batch !== undefined) yield await Promise.race([batch, aborted.promise])
      }
    } finally {
      aborted.release()
      source.discard(run)
    }
  }

  /** Ends the worker threads. The loader cannot be used afterwards. */
  async dispose(): Promise<void> {
    this.#disposed = true
    await this.#source?.dispose()
    this.#source = null
  }

  #start(): ClipSource {
    const { modelType, transform, workers, samples, cacheBytes } = this.#options
    const setup: WorkerSetup = { modelType, transform, cacheBytes: cacheBytes ?? defaultCacheBytes() }
    const threads = Math.min(workers, samples.length)
    return threads === 0 ? new InThreadSource(setup) : new ThreadedSource(setup, threads)
  }

  #trainingOrder(epochIndex: number): ClipRef[] {
    const { samples, balanced, clipsPerVideo, seed } = this.#options
    if (!balanced) return shuffledClips(samples.length, clipsPerVideo, seed, epochIndex)
    const classes = samples.map(({ classIndex }) => classIndex ?? -1)
    return balancedClips(classes, clipsPerVideo, seed, epochIndex)
  }

  #segmentsInOrder(): ClipRef[] {
    return this.#options.samples.flatMap((_, sampleIndex) =>
      this.#segments(sampleIndex).map((_frames, clipIndex) => ({ sampleIndex, clipIndex })),
    )
  }

  /** Frames of every clip of a video outside training. The clips of a video follow each other, so one video is kept. */
  #segments(sampleIndex: number): FrameIndices[] {
    if (this.#lastSegments?.sampleIndex === sampleIndex) return this.#lastSegments.segments
    const { mode, segmentCount, inputType } = this.#options
    const available = this.#available(sampleIndex)
    const segments =
      mode === 'conv' || mode === 'all'
        ? sampleSegments(this.#rule, { mode, segmentCount, inputType }, available)
        : [sampleCenterFrames(this.#rule, available)]
    this.#lastSegments = { sampleIndex, segments }
    return segments
  }

  #available(sampleIndex: number): number {
    return frameCount(sampleAt(this.#options.samples, sampleIndex), this.#options.modelType)
  }

  /** True where clips are whole videos, and so of different lengths. */
  get #wholeVideos(): boolean {
    const { mode, inputType, sampleStrategy } = this.#options
    return mode === 'all' && inputType === '3d' && sampleStrategy === 'consecutive'
  }

  /** Float32 values of one clip of a video, for each stream. */
  #clipValues(stream: Stream, sampleIndex: number): number {
    const { height, width } = this.#options.transform
    const frames = this.#wholeVideos ? this.#available(sampleIndex) : (this.#rule.lengths[stream] ?? 0)
    return channelsOf(stream) * frames * height * width
  }

  #clipBytes(sampleIndex: number): number {
    const values = this.#streams.map((stream) => this.#clipValues(stream, sampleIndex))
    return values.reduce((sum, value) => sum + value, 0) * Float32Array.BYTES_PER_ELEMENT
  }

  /** Every `batchSize` clips; fewer where the next clip has another length. */
  #splitIntoBatches(): number[] {
    const { batchSize } = this.#options
    const starts = [0]
    const order = this.#wholeVideos ? this.#fixedOrder : null
    for (let clip = 1, start = 0; clip < this.clipsPerEpoch; clip++) {
      const lengthOf = (index: number): number => this.#available(order?.[index]?.sampleIndex ?? 0)
      const full = clip - start === batchSize
      if (full || (order !== null && lengthOf(clip) !== lengthOf(start))) starts.push((start = clip))
    }
    return [...starts, this.clipsPerEpoch]
  }

  async #batch(
    source: ClipSource,
    run: number,
    epochIndex: number,
    order: readonly ClipRef[],
    index: number,
  ): Promise<Batch> {
    const { samples, mode, mixupAlpha, classCount = 0, seed } = this.#options
    const clips = order.slice(this.#batchStarts[index], this.#batchStarts[index + 1])
    const first = clips[0]?.sampleIndex ?? 0
    const plans = clips.map((clip) => this.#plan(epochIndex, clip))
    const batch: Batch = {
      inputs: {},
      labels: Int32Array.from(clips, ({ sampleIndex }, slot) =>
        this.#label(sampleAt(samples, sampleIndex), plans[slot]?.plan.choices.flip === true),
      ),
      targets: null,
      sampleIndices: Int32Array.from(clips, ({ sampleIndex }) => sampleIndex),
      segmentIndices: Int32Array.from(clips, ({ clipIndex }) => clipIndex),
      frameIndices: plans.map(({ frames }) => frames),
      count: clips.length,
    }
    const parts = this.#streams.map((stream) => {
      const values = this.#clipValues(stream, first)
      const target = new Float32Array(clips.length * values)
      batch.inputs[stream] = target
      return { values, target }
    })
    await Promise.all(
      plans.map(async ({ plan, sampleIndex }, slot) => {
        const lane = sampleIndex % source.lanes
        const buffer = await source.read(lane, run, plan)
        let offset = 0
        for (const { values, target } of parts) {
          target.set(new Float32Array(buffer, offset, values), slot * values)
          offset += values * Float32Array.BYTES_PER_ELEMENT
        }
        source.giveBack(lane, buffer)
      }),
    )
    if (mode === 'train' && mixupAlpha > 0) {
      batch.targets = mixClips(batch.inputs, batch.labels, classCount, mixupAlpha, [seed, epochIndex, index])
    }
    return batch
  }

  #label(sample: VideoSample, flip: boolean): number {
    const own = sample.classIndex ?? -1
    return flip ? (this.#options.transform.flippedClasses?.[own] ?? own) : own
  }

  #plan(
    epochIndex: number,
    { sampleIndex, clipIndex }: ClipRef,
  ): { plan: ClipPlan; frames: FrameIndices; sampleIndex: number } {
    const { mode, samples, seed, transform } = this.#options
    const sample = sampleAt(samples, sampleIndex)
    if (mode !== 'train') {
      const frames = this.#segments(sampleIndex)[clipIndex] ?? {}
      return { plan: { files: filesOf(sample, frames), choices: centerChoices }, frames, sampleIndex }
    }
    const random = new Random(seed, epochIndex, sampleIndex, clipIndex)
    const frames = sampleTrainingFrames(this.#rule, this.#available(sampleIndex), random)
    const choices = drawChoices(transform, random)
    return { plan: { files: filesOf(sample, frames), choices }, frames, sampleIndex }
  }

  /** Looks at one frame of each video before the first batch, where its shape decides whether the crop fits. */
  async #checkCrops(): Promise<void> {
    if (this.#cropsChecked) return
    const { samples, modelType, transform } = this.#options
    await mapBounded(samples, headersAtOnce, async (sample) => {
      for (const stream of this.#streams) {
        const isRgb = stream === 'rgb'
        const [file] = isRgb ? sample.rgb : sample.u
        if (file === undefined) continue
        resizedSize(await readSize(file, isRgb ? 'rgb' : 'gray'), transform, modelType, file)
      }
    })
    this.#cropsChecked = true
  }
}

function sampleAt(samples: readonly VideoSample[], index: number): VideoSample {
  const sample = samples[index]
  if (sample === undefined) throw new RangeError(`no sample ${index}`)
  return sample
}

function filesOf(sample: VideoSample, frames: FrameIndices): Partial<Record<Stream, string[]>> {
  const at = (files: readonly string[], frame: number): string => {
    const file = files[frame]
    if (file === undefined) throw new RangeError(`${sample.path} has no frame ${frame}`)
    return file
  }
  return {
    ...(frames.rgb === undefined ? {} : { rgb: frames.rgb.map((frame) => at(sample.rgb, frame)) }),
    ...(frames.of === undefined
      ? {}
      : { of: frames.of.flatMap((frame) => [at(sample.u, frame), at(sample.v, frame)]) }),
  }
}

function checkOptions(options: LoaderOptions): void {
  const { samples, modelType, transform, mixupAlpha, classCount, balanced } = options
  const least = {
    rgbSequenceLength: 1,
    ofSequenceLength: 1,
    sampleRate: 1,
    segmentCount: 1,
    batchSize: 1,
    workers: 0,
    clipsPerVideo: 1,
  }
  for (const [name, minimum] of Object.entries(least) as [keyof typeof least, number][]) {
    const value = options[name]
    if (!Number.isSafeInteger(value) || value < minimum) {
      throw new RangeError(`${name} must be a whole number of ${minimum} or more, not ${value}`)
    }
  }
  if (samples.length === 0) throw new KineoError('input', 'There are no videos to load')
  const empty = samples.find((sample) => frameCount(sample, modelType) === 0)
  if (empty !== undefined) {
    const kind = { rgb: 'rgb frames', of: 'flow images', joint: 'rgb frames with flow images' }[modelType]
    throw new KineoError('input', `A video has no ${kind}`, { where: empty.path })
  }
  if (!(mixupAlpha >= 0 && Number.isFinite(mixupAlpha))) throw new RangeError(`mixupAlpha is ${mixupAlpha}`)
  const highest = samples.reduce((most, { classIndex }) => Math.max(most, classIndex ?? Infinity), 0)
  if (mixupAlpha > 0 && !(highest < (classCount ?? 0))) {
    throw new RangeError(`mixing needs a class below ${classCount ?? 0} for every sample`)
  }
  if (balanced && highest === Infinity)
    throw new RangeError('balanced sampling needs a class for every sample')
  checkTransform(transform, modelType)
}

function tooLong(clipBytes: number): KineoError {
  return new KineoError(
    'input',
    `A clip of all frames of a video would take ${(clipBytes / 2 ** 30).toFixed(1)} GiB`,
    { remedy: 'Use conv instead of all, or shorter videos' },
  )
}

function defaultCacheBytes(): number {
  return Math.min(2 ** 30, process.availableMemory() / 8)
}

/** A promise that rejects on abort; `release` takes the listener off again. */
function abortOf(signal: AbortSignal | undefined): { promise: Promise<never>; release: () => void } {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new CancelledError())
  promise.catch(() => undefined)
  signal?.addEventListener('abort', onAbort, { once: true })
  return { promise, release: () => signal?.removeEventListener('abort', onAbort) }
}
