/** What a network looks at: colour frames (`rgb`), optical flow (`of`), or both in two streams (`joint`). */
export type ModelType = 'rgb' | 'of' | 'joint'

/** One stream of a network. */
export type Stream = 'rgb' | 'of'

/**
 * The clips of each stream of a network: float32, each clip [channels, frames, height, width] one after another.
 * A 2D network takes the same values as [channels * frames, height, width].
 */
export type StreamInputs = Partial<Record<Stream, Float32Array>>

/** The streams of a network in the order of its inputs: rgb before of. */
export function streamsOf(modelType: ModelType): readonly Stream[] {
  return modelType === 'joint' ? ['rgb', 'of'] : [modelType]
}

/** Channels of one frame of a stream: R, G, B or u, v. */
export function channelsOf(stream: Stream): 2 | 3 {
  return stream === 'rgb' ? 3 : 2
}
