import { KineoError, throwIfCancelled } from '../../core/errors.ts'
import { channelsOf, type Stream, type StreamInputs } from '../../core/streams.ts'
import { resizedSize } from '../../dataset/crops.ts'
import { FrameStacker, type Pixels } from '../../dataset/frame-stacker.ts'
import type { FrameIndices, TransformConfig } from '../../dataset/index.ts'
import { BilinearResizer } from '../../dataset/resize.ts'
import { centerChoices } from '../../dataset/transforms.ts'
import { OpticalFlow, rgbToGray } from '../../flow/index.ts'
import { decodeFrames } from '../../media/index.ts'
import type { FrameSource } from '../network/frame-source.ts'
import { WindowRule, type WindowLengths } from './window-rule.ts'

/** All that decides the windows of a video, as plain values that can be handed to a thread. */
export interface WindowSettings {
  window: WindowLengths
  /** Frames between the starts of two windows. */
  stride: number
  /** Windows in a batch. */
  batchSize: number
  transform: TransformConfig
  source: FrameSource
}

/** Some windows of a video, in order, ready for the network. */
export interface WindowBatch {
  /** Room for `batchSize` clips of each stream, of which `count` are filled. */
  inputs: StreamInputs
  count: number
  /** Frames that each window speaks of, both inclusive, counted from 0. */
  frames: { first: number; last: number }[]
  /** True for the only window of a video that is shorter than a window. */
  looped: boolean
  /** Frames decoded so far. */
  decoded: number
}

/** What a video turned out to be. */
export interface WindowedVideo {
  frames: number
  width: number
  height: number
}

export interface WindowHooks {
  signal?: AbortSignal | undefined
  /** Told when the file is damaged and only a part of it was read. */
  onDamage?: ((complaint: string) => void) | undefined
  /** Gives arrays for a batch, of `emptyInputs`' sizes; may wait until some are free. */
  takeInputs: () => Promise<StreamInputs>
}

/** Values of one clip of a stream. */
export function clipSize(settings: WindowSettings, stream: Stream): number {
  const { window, transform } = settings
  const length = stream === 'rgb' ? window.rgbSequenceLength : window.ofSequenceLength
  return channelsOf(stream) * length * transform.height * transform.width
}

/** Fresh arrays for one batch. */
export function emptyInputs(settings: WindowSettings): StreamInputs {
  const inputs: StreamInputs = {}
  for (const stream of new WindowRule(settings.window, settings.stride).streams) {
    inputs[stream] = new Float32Array(settings.batchSize * clipSize(settings, stream))
  }
  return inputs
}

/**
 * Makes the windows of a video file as the loader makes the clips of a prepared one. Each frame is decoded, resized and
 * normalised once, and the flow between two frames computed once; what is kept are the images of one window, so that the
 * memory does not grow with the video.
 *
 * @throws KineoError `input` when the video cannot be decoded or has too few frames; CancelledError.
 */
export async function* windowBatches(
  file: string,
  settings: WindowSettings,
  hooks: WindowHooks,
): AsyncGenerator<WindowBatch, WindowedVideo> {
  const { fps, maxSide, preset } = settings.source
  const rule = new WindowRule(settings.window, settings.stride)
  const rings = new Map(rule.streams.map((stream) => [stream, new ImageRing(settings, stream, rule.span)]))
  const rgb = rings.get('rgb')
  const of = rings.get('of')
  const batch = new BatchInWork(settings, rings, hooks.takeInputs)
  const options = { fps: fps ?? undefined, maxSide: maxSide ?? undefined }
  let video: WindowedVideo = { frames: 0, width: 0, height: 0 }
  let flow: OpticalFlow | null = null
  let flowAt = -1
  for await (const frame of decodeFrames(file, {
    ...options,
    signal: hooks.signal,
    onDamage: hooks.onDamage,
  })) {
    throwIfCancelled(hooks.signal)
    const { index, width, height, rgb: data } = frame
    video = { frames: index + 1, width, height }
    if (rgb !== undefined && rule.isUsed('rgb', index)) rgb.put(index, [{ width, height, data }], file)
    if (of !== undefined && (rule.isUsed('of', index) || (index > 0 && rule.isUsed('of', index - 1)))) {
      flow ??= OpticalFlow.create(width, height, preset)
      if (flowAt !== index - 1) flow.reset()
      flowAt = index
      const picture = flow.nextGray(rgbToGray(data))
      if (picture !== null && rule.isUsed('of', index - 1)) {
        of.put(
          index - 1,
          [
            { width, height, data: picture.u },
            { width, height, data: picture.v },
          ],
          file,
        )
      }
    }
    // With flow, the index before is complete with this frame.
    const start = rule.startOfWindowEndingAt(of === undefined ? index : index - 1)
    if (start === null) continue
    const indices = rule.indicesAt(start)
    const full = await batch.add(indices, rule.framesOf(indices), video.frames)
    if (full !== null) yield full
  }
  const available = of === undefined ? video.frames : video.frames - 1
  if (available < 1) {
    throw new KineoError('input', 'The video has a single frame, and so no motion', { where: file })
  }
  if (available < rule.span) {
    const looped = rule.loopedIndices(available)
    const full = await batch.add(looped, { first: 0, last: video.frames - 1 }, video.frames)
    const only = full ?? batch.take(video.frames)
    if (only !== null) yield { ...only, looped: true }
    return video
  }
  const rest = batch.take(video.frames)
  if (rest !== null) yield rest
  return video
}

/** The last images of one stream, as the network takes them: [slot, channels, height, width]. */
class ImageRing {
  readonly #settings: WindowSettings
  readonly #stream: Stream
  readonly #stacker: FrameStacker
  readonly #slots: number
  readonly #values: Float32Array
  readonly #plane: number
  #resize: ((pixels: Pixels) => Pixels) | null = null

  constructor(settings: WindowSettings, stream: Stream, slots: number) {
    const { height, width } = settings.transform
    this.#settings = settings
    this.#stream = stream
    this.#stacker = new FrameStacker(settings.transform, stream)
    this.#slots = slots
    this.#plane = height * width
    this.#values = new Float32Array(slots * channelsOf(stream) * this.#plane)
  }

  /** @param images The frame; or u and v. */
  put(index: number, images: readonly Pixels[], file: string): void {
    const resize = (this.#resize ??= this.#resizer(images[0], file))
    const size = channelsOf(this.#stream) * this.#plane
    const offset = (index % this.#slots) * size
    this.#stacker.stack(images.map(resize), centerChoices, this.#values.subarray(offset, offset + size))
  }

  /** Copies images into a clip, channel-major: all of a channel, then those of the next. */
  copy(indices: readonly number[], clip: Float32Array): void {
    const channels = channelsOf(this.#stream)
    const plane = this.#plane
    for (const [position, index] of indices.entries()) {
      const from = (index % this.#slots) * channels * plane
      for (let channel = 0; channel < channels; channel++) {
        const source = from + channel * plane
        clip.set(this.#values.subarray(source, source + plane), (channel * indices.length + position) * plane)
      }
    }
  }

  /** All frames of a video have one size. */
  #resizer(from: Pixels | undefined, file: string): (pixels: Pixels) => Pixels {
    if (from === undefined) throw new RangeError('no image')
    const { transform, window } = this.#settings
    const size = resizedSize(from, transform, window.modelType, file)
    const resizer = new BilinearResizer(from, size, this.#stream === 'rgb' ? 3 : 1)
    return ({ data }) => ({ ...size, data: resizer.resize(data) })
  }
}

/** Gathers windows until a batch is full. */
class BatchInWork {
  readonly #settings: WindowSettings
  readonly #rings: ReadonlyMap<Stream, ImageRing>
  readonly #takeInputs: () => Promise<StreamInputs>
  #inputs: StreamInputs | null = null
  #frames: WindowBatch['frames'] = []

  constructor(
    settings: WindowSettings,
    rings: ReadonlyMap<Stream, ImageRing>,
    takeInputs: () => Promise<StreamInputs>,
  ) {
    this.#settings = settings
    this.#rings = rings
    this.#takeInputs = takeInputs
  }

  /** @returns The batch, when it is full now. */
  async add(
    indices: FrameIndices,
    frames: { first: number; last: number },
    decoded: number,
  ): Promise<WindowBatch | null> {
    this.#inputs ??= await this.#takeInputs()
    const row = this.#frames.length
    for (const [stream, ring] of this.#rings) {
      const size = clipSize(this.#settings, stream)
      ring.copy(
        indices[stream] ?? [],
        this.#inputs[stream]?.subarray(row * size, (row + 1) * size) ?? new Float32Array(),
      )
    }
    this.#frames.push(frames)
    return this.#frames.length === this.#settings.batchSize ? this.take(decoded) : null
  }

  /** What was gathered, or null when that is nothing. */
  take(decoded: number): WindowBatch | null {
    const [inputs, frames] = [this.#inputs, this.#frames]
    this.#inputs = null
    this.#frames = []
    if (inputs === null) return null
    return { inputs, count: frames.length, frames, looped: false, decoded }
  }
}
