import { throwIfCancelled } from '../../core/errors.ts'
import { RemainingTime } from '../../core/progress.ts'
import type { Batch, FrameIndices } from '../../dataset/index.ts'
import type { TaskHooks } from '../hooks.ts'
import type { ClipScorer } from './clip-scorer.ts'
import { meanRow, softmax } from './metrics.ts'

/** One clip of a video that the network looked at. */
export interface ScoredSegment {
  /** Frames of the video, for each stream. */
  frames: FrameIndices
  /** [classes] */
  logits: Float32Array
  /** Softmax of the logits, [classes]. */
  probabilities: number[]
}

/** What the network says of a video. */
export interface ScoredVideo {
  /** In order; center mode has one. */
  segments: ScoredSegment[]
  /** Mean of the segments' probabilities, [classes]. */
  probabilities: number[]
}

/**
 * Runs a network over the clips of every video and averages each video's softmax, whatever batches its clips came in
 * (TAO averages within a batch, and counts the first clip twice).
 *
 * @param batches Clips in the order of the videos, as a loader's `center`, `conv` and `all` modes give them.
 * @returns By sample index.
 * @throws CancelledError between two batches when the signal is aborted.
 */
export async function scoreVideos(
  scorer: ClipScorer,
  batches: AsyncIterable<Batch>,
  videoCount: number,
  hooks: Pick<TaskHooks, 'signal' | 'onProgress'>,
): Promise<ScoredVideo[]> {
  const { classCount } = scorer
  const segments = Array.from({ length: videoCount }, (): ScoredSegment[] => [])
  const remaining = new RemainingTime()
  remaining.update(0, videoCount)
  for await (const batch of batches) {
    throwIfCancelled(hooks.signal)
    const rows = await scorer.logits(batch.inputs, batch.count)
    for (let row = 0; row < batch.count; row++) {
      const logits = rows.slice(row * classCount, (row + 1) * classCount)
      const video = segments[batch.sampleIndices[row] ?? 0]
      const segment = { frames: batch.frameIndices[row] ?? {}, logits, probabilities: softmax(logits) }
      if (video !== undefined) video[batch.segmentIndices[row] ?? 0] = segment
    }
    // More clips of the last video may follow.
    const done = batch.sampleIndices[batch.count - 1] ?? 0
    const remainingSeconds = remaining.update(done, videoCount)
    hooks.onProgress?.({ done, total: videoCount, unit: 'videos', remainingSeconds })
  }
  throwIfCancelled(hooks.signal)
  hooks.onProgress?.({ done: videoCount, total: videoCount, unit: 'videos', remainingSeconds: 0 })
  return segments.map((ofVideo) => ({
    segments: ofVideo,
    probabilities: meanRow(ofVideo.map(({ probabilities }) => probabilities)),
  }))
}
