import { CancelledError, KineoError, throwIfCancelled } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { mapBounded } from './bounded.ts'
import { readSize } from './frame-image.ts'
import type { ClipPlan, WorkerSetup } from './loader-messages.ts'
import { InThreadSource, ThreadedSource, type ClipSource } from './loader-threads.ts'
import { frameCount, type ModelType, type VideoSample } from './samples.ts'
import {
  sampleCenterFrames,
  sampleTrainingFrames,
  type SampleStrategy,
  type SamplingRule,
} from './sampling.ts'
import {
  centerChoices,
  channelsOf,
  checkTransform,
  cropDependsOnImages,
  drawChoices,
  resizedSize,
  type TransformConfig,
} from './transforms.ts'

export interface LoaderOptions {
  samples: readonly VideoSample[]
  modelType: ModelType
  /** Frames of a clip. */
  sequenceLength: number
  /** Every how many frames one is taken; without meaning for `random_interval`. */
  sampleRate: number
  sampleStrategy: SampleStrategy
  /** `train`: shuffled, random frames, crops and flips. `center`: in the order of `samples`, nothing random. */
  mode: 'train' | 'center'
  transform: TransformConfig
  batchSize: number
  /** Worker threads; 0 reads in the calling thread. */
  workers: number
  seed: number
  /** Clips of each video in a training epoch; center mode always has one. */
  clipsPerVideo: number
  /** Bytes of resized images to keep; by default 1 GiB, but an eighth of the free memory at most. */
  cacheBytes?: number
}

export interface Batch {
  /** float32 [count, channels * sequenceLength, height, width], channel-major. */
  input: Float32Array
  /** Class index of each clip, -1 where the sample has none. */
  labels: Int32Array
  /** Index of each clip's video in `samples`. */
  sampleIndices: Int32Array
  /** Clips in this batch; the last of an epoch may have fewer than the batch size. */
  count: number
}

/** Batches that are made while the caller works on one: two, or one of those that are large. */
const batchesAhead = 2
const bytesAhead = 2 ** 28
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
  readonly #options: LoaderOptions
  readonly #rule: SamplingRule
  readonly #clips: number
  /** Float32 values of one clip. */
  readonly #clipValues: number
  readonly #batchesAhead: number
  #source: ClipSource | null = null
  #run = 0
  #cropsChecked: boolean
  #disposed = false

  /** @throws KineoError `input` or `spec` for what can be known without reading an image. */
  constructor(options: LoaderOptions) {
    checkOptions(options)
    this.#options = options
    this.#rule = {
      strategy: options.sampleStrategy,
      sequenceLength: options.sequenceLength,
      sampleRate: options.sampleRate,
    }
    this.#clips = options.samples.length * (options.mode === 'train' ? options.clipsPerVideo : 1)
    this.batchesPerEpoch = Math.ceil(this.#clips / options.batchSize)
    const { modelType, sequenceLength, transform, batchSize } = options
    this.#clipValues = channelsOf(modelType) * sequenceLength * transform.height * transform.width
    const batchBytes = batchSize * this.#clipValues * Float32Array.BYTES_PER_ELEMENT
    this.#batchesAhead = Math.max(1, Math.min(batchesAhead, Math.floor(bytesAhead / batchBytes)))
    this.#cropsChecked = !cropDependsOnImages(options.transform)
  }

  /**
   * The batches of one epoch. Leaving the loop early, or an abort, frees the workers for other work.
   *
   * @param epochIndex From 0; in train mode it decides order, frames, crops and flips.
   * @throws KineoError `input` naming the image that cannot be used; CancelledError on abort.
   */
  async *epoch(epochIndex: number, signal?: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    if (this.#disposed) throw new Error('the batch loader is disposed')
    throwIfCancelled(signal)
    await this.#checkCrops()
    const source = (this.#source ??= this.#start())
    const order = this.#order(epochIndex)
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

  /** Positions 0..clips-1 in the order of the epoch; position p is clip floor(p / videos) of video p mod videos. */
  #order(epochIndex: number): number[] {
    const positions = Array.from({ length: this.#clips }, (_, position) => position)
    return this.#options.mode === 'train'
      ? new Random(this.#options.seed, epochIndex).shuffle(positions)
      : positions
  }

  async #batch(
    source: ClipSource,
    run: number,
    epochIndex: number,
    order: readonly number[],
    index: number,
  ): Promise<Batch> {
    const { samples, batchSize } = this.#options
    const clipValues = this.#clipValues
    const positions = order.slice(index * batchSize, (index + 1) * batchSize)
    const batch: Batch = {
      input: new Float32Array(positions.length * clipValues),
      labels: new Int32Array(positions.length),
      sampleIndices: new Int32Array(positions.length),
      count: positions.length,
    }
    await Promise.all(
      positions.map(async (position, slot) => {
        const sampleIndex = position % samples.length
        const sample = samples[sampleIndex] as VideoSample
        batch.labels[slot] = sample.classIndex ?? -1
        batch.sampleIndices[slot] = sampleIndex
        const plan = this.#plan(sample, epochIndex, sampleIndex, Math.floor(position / samples.length))
        const lane = sampleIndex % source.lanes
        const buffer = await source.read(lane, run, plan)
        batch.input.set(new Float32Array(buffer), slot * clipValues)
        source.giveBack(lane, buffer)
      }),
    )
    return batch
  }

  #plan(sample: VideoSample, epochIndex: number, sampleIndex: number, clipIndex: number): ClipPlan {
    const { mode, modelType, seed, transform } = this.#options
    const available = frameCount(sample, modelType)
    if (mode === 'center') {
      return {
        files: filesOf(sample, modelType, sampleCenterFrames(this.#rule, available)),
        choices: centerChoices,
      }
    }
    const random = new Random(seed, epochIndex, sampleIndex, clipIndex)
    const frames = sampleTrainingFrames(this.#rule, available, random)
    return { files: filesOf(sample, modelType, frames), choices: drawChoices(transform, random) }
  }

  /** Looks at one frame of each video before the first batch, where its shape decides whether the crop fits. */
  async #checkCrops(): Promise<void> {
    if (this.#cropsChecked) return
    const { samples, modelType, transform } = this.#options
    await mapBounded(samples, headersAtOnce, async (sample) => {
      const [file] = filesOf(sample, modelType, [0])
      if (file !== undefined) resizedSize(await readSize(file), transform, file)
    })
    this.#cropsChecked = true
  }
}

function filesOf(sample: VideoSample, modelType: ModelType, frames: readonly number[]): string[] {
  const streams = modelType === 'rgb' ? [sample.rgb] : [sample.u, sample.v]
  return frames.flatMap((frame) => streams.map((stream) => stream[frame] ?? missing(sample, frame)))
}

function missing(sample: VideoSample, frame: number): never {
  throw new RangeError(`${sample.path} has no frame ${frame}`)
}

function checkOptions(options: LoaderOptions): void {
  const { samples, modelType, transform } = options
  const least = { sequenceLength: 1, sampleRate: 1, batchSize: 1, workers: 0, clipsPerVideo: 1 }
  for (const [name, minimum] of Object.entries(least) as [keyof typeof least, number][]) {
    const value = options[name]
    if (!Number.isSafeInteger(value) || value < minimum) {
      throw new RangeError(`${name} must be a whole number of ${minimum} or more, not ${value}`)
    }
  }
  if (samples.length === 0) throw new KineoError('input', 'There are no videos to load')
  const empty = samples.find((sample) => frameCount(sample, modelType) === 0)
  if (empty !== undefined) {
    const kind = modelType === 'rgb' ? 'rgb frames' : 'flow images'
    throw new KineoError('input', `A video has no ${kind}`, { where: empty.path })
  }
  checkTransform(transform, modelType)
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
