import { KineoError, throwIfCancelled } from '../../core/errors.ts'
import { channelsOf, streamsOf, type Stream } from '../../core/streams.ts'
import type { Batch, FrameIndices, SamplingRule, TransformConfig } from '../../dataset/index.ts'
import { sampleCenterFrames, sampleSegments } from '../../dataset/index.ts'
import { resizedSize } from '../../dataset/crops.ts'
import { FrameStacker, type Pixels } from '../../dataset/frame-stacker.ts'
import { BilinearResizer } from '../../dataset/resize.ts'
import { centerChoices } from '../../dataset/transforms.ts'
import { OpticalFlow, rgbToGray } from '../../flow/index.ts'
import { decodeFrames } from '../../media/index.ts'
import type { Spec } from '../../spec/index.ts'
import { evaluationTransform, type SegmentChoice } from '../network/clip-loader.ts'
import type { FrameSource } from '../network/frame-source.ts'

/** What is kept of a video: the frames that its clips need, resized. */
interface KeptFrames {
  rgb: Map<number, Pixels>
  /** u and v of each flow image; the one of index i lies between the frames i and i + 1. */
  of: Map<number, [Pixels, Pixels]>
}

/** No side of a frame is smaller, whatever it is scaled to: enough to count frames. */
const countingSide = 32

/**
 * Makes the clips of video files: decodes them, computes optical flow between the frames that need it, and resizes, cuts
 * and normalises as the loader does with prepared ones. A video is decoded twice, first for the number of its frames, so
 * that only the frames of its clips are kept.
 */
export class VideoClips {
  readonly #spec: Spec
  readonly #choice: SegmentChoice
  readonly #source: FrameSource
  readonly #transform: TransformConfig
  readonly #streams: readonly Stream[]
  readonly #rule: SamplingRule

  constructor(spec: Spec, choice: SegmentChoice, source: FrameSource) {
    const { model } = spec
    this.#spec = spec
    this.#choice = choice
    this.#source = source
    this.#transform = evaluationTransform(spec)
    this.#streams = streamsOf(model.model_type)
    this.#rule = {
      strategy: model.sample_strategy,
      lengths: {
        ...(this.#streams.includes('rgb') ? { rgb: model.rgb_seq_length } : {}),
        ...(this.#streams.includes('of') ? { of: model.of_seq_length } : {}),
      },
      sampleRate: model.sample_rate,
    }
  }

  /**
   * The clips of one video in order, as a loader gives them for a data set with this video alone.
   * @param onLine Told when the file is damaged and only a part of it was read.
   * @throws KineoError (input) when the video cannot be decoded, or has too few frames.
   */
  async *batches(
    file: string,
    signal: AbortSignal | undefined,
    onLine: ((line: string) => void) | undefined,
  ): AsyncGenerator<Batch, void> {
    const frames = await this.#countFrames(file, signal, (complaint) => onLine?.(`${file}: ${complaint}`))
    const available = this.#streams.includes('of') ? frames - 1 : frames
    if (available < 1) {
      throw new KineoError('input', 'The video has a single frame, and so no motion', { where: file })
    }
    const segments =
      this.#choice.mode === 'center'
        ? [sampleCenterFrames(this.#rule, available)]
        : sampleSegments(
            this.#rule,
            {
              mode: this.#choice.mode,
              segmentCount: this.#choice.segmentCount,
              inputType: this.#spec.model.input_type,
            },
            available,
          )
    const kept = await this.#read(file, segments, signal)
    for (let first = 0; first < segments.length; first += this.#choice.batchSize) {
      yield this.#batch(file, kept, segments.slice(first, first + this.#choice.batchSize), first)
    }
  }

  async #countFrames(
    file: string,
    signal: AbortSignal | undefined,
    onDamage: (complaint: string) => void,
  ): Promise<number> {
    const { fps } = this.#source
    const options = { maxSide: countingSide, fps: fps ?? undefined, signal, onDamage }
    let frames = 0
    for await (const frame of decodeFrames(file, options)) frames = frame.index + 1
    return frames
  }

  async #read(
    file: string,
    segments: readonly FrameIndices[],
    signal: AbortSignal | undefined,
  ): Promise<KeptFrames> {
    const wanted = (stream: Stream): Set<number> =>
      new Set(segments.flatMap((segment) => segment[stream] ?? []))
    const rgb = wanted('rgb')
    const of = wanted('of')
    const last = Math.max(...rgb, ...[...of].map((index) => index + 1))
    const kept: KeptFrames = { rgb: new Map(), of: new Map() }
    const resizers: Partial<Record<Stream, (pixels: Pixels) => Pixels>> = {}
    const resized = (pixels: Pixels, stream: Stream): Pixels =>
      (resizers[stream] ??= this.#resizer(pixels, stream, file))(pixels)
    let flow: OpticalFlow | null = null
    let before = -1
    const { fps, maxSide, preset } = this.#source
    const options = { fps: fps ?? undefined, maxSide: maxSide ?? undefined, maxFrames: last + 1, signal }
    for await (const { index, width, height, rgb: data } of decodeFrames(file, options)) {
      throwIfCancelled(signal)
      if (rgb.has(index)) kept.rgb.set(index, resized({ width, height, data }, 'rgb'))
      if (!of.has(index) && !of.has(index - 1)) continue
      flow ??= OpticalFlow.create(width, height, preset)
      // The flow goes on from the frame before when that was looked at, too.
      if (before !== index - 1) flow.reset()
      const picture = flow.nextGray(rgbToGray(data))
      before = index
      if (picture === null || !of.has(index - 1)) continue
      kept.of.set(index - 1, [
        resized({ width, height, data: picture.u }, 'of'),
        resized({ width, height, data: picture.v }, 'of'),
      ])
    }
    return kept
  }

  /** All frames of a video have one size. */
  #resizer(from: Pixels, stream: Stream, file: string): (pixels: Pixels) => Pixels {
    const size = resizedSize(from, this.#transform, this.#spec.model.model_type, file)
    const resizer = new BilinearResizer(from, size, stream === 'rgb' ? 3 : 1)
    return ({ data }) => ({ ...size, data: resizer.resize(data) })
  }

  #batch(file: string, kept: KeptFrames, segments: readonly FrameIndices[], first: number): Batch {
    const { height, width } = this.#transform
    const inputs: Batch['inputs'] = {}
    for (const stream of this.#streams) {
      const stacker = new FrameStacker(this.#transform, stream)
      const frames = segments[0]?.[stream]?.length ?? 0
      const size = channelsOf(stream) * frames * height * width
      const values = new Float32Array(segments.length * size)
      segments.forEach((segment, row) => {
        const images = (segment[stream] ?? []).flatMap((index) =>
          stream === 'rgb' ? [kept.rgb.get(index)] : (kept.of.get(index) ?? []),
        )
        const found = images.filter((image) => image !== undefined)
        // A damaged file may decode to something else each time.
        if (found.length * (stream === 'rgb' ? 1 : 0.5) < frames) {
          throw new KineoError('input', 'The video gave fewer frames when it was read again', { where: file })
        }
        stacker.stack(found, centerChoices, values.subarray(row * size, (row + 1) * size))
      })
      inputs[stream] = values
    }
    return {
      inputs,
      labels: new Int32Array(segments.length).fill(-1),
      targets: null,
      sampleIndices: new Int32Array(segments.length),
      segmentIndices: Int32Array.from(segments, (_, row) => first + row),
      frameIndices: [...segments],
      count: segments.length,
    }
  }
}
