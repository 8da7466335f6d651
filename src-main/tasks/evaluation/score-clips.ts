import { throwIfCancelled } from '../../core/errors.ts'
import { RemainingTime } from '../../core/progress.ts'
import type { BatchLoader, VideoSample } from '../../dataset/index.ts'
import { EvaluationSession, type NetworkConfig } from '../../engine/index.ts'
import type { Spec } from '../../spec/index.ts'
import { centerLoader } from '../network/clip-loader.ts'
import type { TaskHooks } from '../hooks.ts'
import type { TrainedNetwork } from '../network/open-checkpoint.ts'

/**
 * Runs the network over every clip that a center loader gives.
 * @returns Logits of each sample, `sampleCount` rows of `classCount`, in the order of the loader's samples.
 * @throws CancelledError between two batches when the signal is aborted.
 */
export async function scoreClips(
  session: EvaluationSession,
  loader: BatchLoader,
  sampleCount: number,
  { modelType, classCount }: NetworkConfig,
  hooks: Pick<TaskHooks, 'signal' | 'onProgress'>,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = new Array<Float32Array>(sampleCount)
  const remaining = new RemainingTime()
  remaining.update(0, sampleCount)
  let done = 0
  for await (const batch of loader.epoch(0, hooks.signal)) {
    throwIfCancelled(hooks.signal)
    const logits = await session.logits({ [modelType]: batch.input }, batch.count)
    for (let i = 0; i < batch.count; i++) {
      rows[batch.sampleIndices[i] ?? 0] = logits.slice(i * classCount, (i + 1) * classCount)
    }
    done += batch.count
    const remainingSeconds = remaining.update(done, sampleCount)
    hooks.onProgress?.({ done, total: sampleCount, unit: 'clips', remainingSeconds })
  }
  throwIfCancelled(hooks.signal)
  return rows
}

/**
 * Runs a trained network over one clip from the centre of each video.
 * @returns Logits of each video, in the order of `samples`.
 * @throws CancelledError; KineoError (input) naming an image that cannot be read.
 */
export async function scoreVideos(
  spec: Spec,
  trained: TrainedNetwork,
  samples: VideoSample[],
  batchSize: number,
  hooks: TaskHooks,
): Promise<Float32Array[]> {
  const { network, checkpoint } = trained
  const loader = centerLoader(spec, samples, batchSize)
  try {
    const session = await EvaluationSession.create({ network, parameters: checkpoint.parameters })
    try {
      return await scoreClips(session, loader, samples.length, network, hooks)
    } finally {
      await session.dispose()
    }
  } finally {
    await loader.dispose()
  }
}
