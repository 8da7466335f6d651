import { streamsOf, type ModelType, type Stream } from '../../core/streams.ts'
import { sampleCenterFrames, type FrameIndices, type SamplingRule } from '../../dataset/index.ts'

/** Which frames of a video a window has. */
export interface WindowLengths {
  modelType: ModelType
  rgbSequenceLength: number
  ofSequenceLength: number
  /** Every how many frames one is taken. */
  sampleRate: number
}

/**
 * Frame indices of windows. Index k is the frame k of the stream rgb, and of the stream of the flow between the frames k
 * and k + 1, as the names of a prepared video's images have it.
 */
export class WindowRule {
  readonly streams: readonly Stream[]
  /** Indices from the first to the last of a window, the unused ones between them included. */
  readonly span: number
  /** Frames between the starts of two windows. */
  readonly stride: number
  readonly #rule: SamplingRule
  readonly #offsets: FrameIndices
  /** Which indices any window uses, by their rest modulo the stride. */
  readonly #used: Partial<Record<Stream, boolean[]>> = {}

  constructor(window: WindowLengths, stride: number) {
    this.streams = streamsOf(window.modelType)
    this.stride = stride
    const lengths: SamplingRule['lengths'] = {}
    for (const stream of this.streams) {
      lengths[stream] = stream === 'rgb' ? window.rgbSequenceLength : window.ofSequenceLength
    }
    const longest = Math.max(lengths.rgb ?? 0, lengths.of ?? 0)
    this.span = (longest - 1) * window.sampleRate + 1
    this.#rule = { strategy: 'consecutive', lengths, sampleRate: window.sampleRate }
    // A window is looked at as a video of just its frames is in center evaluation.
    this.#offsets = sampleCenterFrames(this.#rule, this.span)
    for (const stream of this.streams) {
      const used = new Array<boolean>(stride).fill(false)
      for (const offset of this.#offsets[stream] ?? []) used[offset % stride] = true
      this.#used[stream] = used
    }
  }

  /** Images that a clip of the stream has. */
  lengthOf(stream: Stream): number {
    return this.#rule.lengths[stream] ?? 0
  }

  /** Whether a window may need this index. */
  isUsed(stream: Stream, index: number): boolean {
    // The first ones in any case: a short video is looped, and its length shows at its end only.
    return index < this.span || (this.#used[stream]?.[index % this.stride] ?? false)
  }

  /** Start of the window that is complete with this index, or null. */
  startOfWindowEndingAt(index: number): number | null {
    const start = index - this.span + 1
    return start >= 0 && start % this.stride === 0 ? start : null
  }

  /** The indices of the window that begins at `start`. */
  indicesAt(start: number): FrameIndices {
    const indices: FrameIndices = {}
    for (const stream of this.streams) {
      indices[stream] = (this.#offsets[stream] ?? []).map((offset) => start + offset)
    }
    return indices
  }

  /** The indices of the only window of a video that is shorter than one: it begins anew when it is over, as in TAO. */
  loopedIndices(available: number): FrameIndices {
    return sampleCenterFrames(this.#rule, available)
  }

  /** The frames, both inclusive, that indices speak of; flow speaks of the two frames that it lies between. */
  framesOf(indices: FrameIndices): { first: number; last: number } {
    const all = [...(indices.rgb ?? []), ...(indices.of ?? []), ...(indices.of ?? []).map((k) => k + 1)]
    return { first: Math.min(...all), last: Math.max(...all) }
  }

  /** Frames that a video must have for one window without looping. */
  get framesNeeded(): number {
    return this.span + (this.streams.includes('of') ? 1 : 0)
  }
}
