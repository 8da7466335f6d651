import { join } from 'node:path'
import { writeJsonAtomic } from '../../core/atomic-file.ts'
import { describeError, isCancelled, KineoError } from '../../core/errors.ts'
import type { FrameIndices } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import { ClipScorer } from '../evaluation/clip-scorer.ts'
import { scoresByClass } from '../evaluation/evaluate.ts'
import { argmax } from '../evaluation/metrics.ts'
import { type ScoredVideo, scoreVideos } from '../evaluation/score-videos.ts'
import type { TaskHooks } from '../hooks.ts'
import { checkSamples } from '../network/check-samples.ts'
import { evaluationTransform, type SegmentChoice, segmentLoader } from '../network/clip-loader.ts'
import { type FrameSource, frameSourceOf } from '../network/frame-source.ts'
import { openTrainedNetwork } from '../network/open-checkpoint.ts'
import { formatStringList } from '../python-text.ts'
import { requireValue } from '../required-keys.ts'
import { withStatusLog } from '../status-log.ts'
import { findVideos } from './find-videos.ts'
import { VideoClips } from './video-clips.ts'

export interface InferredSegment {
  label: string
  /**
   * Frames that the network looked at, for each stream, counted from 0 at the frame rate at which the training frames were
   * made: mostly every frame of the video.
   */
  frames: FrameIndices
  /** Softmax by class name. */
  scores: Record<string, number>
}

export interface InferredVideo {
  /** Absolute path of the video's folder of frames, or of the video file. */
  path: string
  /** One label for each segment of the video; center mode takes one. */
  labels: string[]
  /** Softmax by class name, the mean over the segments. */
  scores: Record<string, number>
  segments: InferredSegment[]
}

export interface InferenceReport {
  videos: InferredVideo[]
  /** Video files that could not be read, and why. */
  failed: { path: string; reason: string }[]
  /** Results folder, absolute. */
  folder: string
}

/**
 * Names the action of each video that `findVideos` finds, and writes scores.json. Video files are decoded on the way,
 * their optical flow is computed when the network looks at it, and no frame is written to the disk.
 * @throws KineoError as `train`, and when not one video file can be read; CancelledError between two batches.
 */
export async function infer(spec: Spec, hooks: TaskHooks = {}): Promise<InferenceReport> {
  const path = requireValue(
    spec.inference.checkpoint,
    'inference.checkpoint',
    'results/train/ar_model_latest.pth',
  )
  const videosFolder = requireValue(
    spec.inference.inference_dataset_dir,
    'inference.inference_dataset_dir',
    'dataset/val/walk',
  )
  return await withStatusLog(spec, 'inference', async (folder) => {
    const { network, classNames, checkpoint } = await openTrainedNetwork(path, spec, hooks)
    const { prepared, files } = await findVideos(videosFolder, network.modelType, hooks.onLine)
    if (prepared.length > 0) await checkSamples(spec, prepared, evaluationTransform(spec), hooks)
    const { video_inf_mode: mode, video_num_segments: segmentCount, batch_size: batchSize } = spec.inference
    const choice = { mode, segmentCount, batchSize }
    const named = (video: string, { segments, probabilities }: ScoredVideo): InferredVideo => {
      const labelOf = (row: readonly number[]): string => classNames[argmax(row)] ?? ''
      return {
        path: video,
        labels: segments.map((segment) => labelOf(segment.probabilities)),
        scores: scoresByClass(probabilities, classNames),
        segments: segments.map((segment) => ({
          label: labelOf(segment.probabilities),
          frames: segment.frames,
          scores: scoresByClass(segment.probabilities, classNames),
        })),
      }
    }
    const videos: InferredVideo[] = []
    let failed: InferenceReport['failed'] = []
    const scorer = await ClipScorer.create(network, checkpoint.parameters)
    try {
      if (prepared.length > 0) {
        const loader = segmentLoader(spec, prepared, choice)
        try {
          const scored = await scoreVideos(scorer, loader.epoch(0, hooks.signal), prepared.length, hooks)
          scored.forEach((video, i) => videos.push(named(prepared[i]?.path ?? '', video)))
        } finally {
          await loader.dispose()
        }
      }
      if (files.length > 0) {
        const source = frameSourceOf(checkpoint.extra['frames'])
        const outcome = await scoreFiles(scorer, files, { spec, choice, source }, hooks)
        outcome.scored.forEach((video, file) => videos.push(named(file, video)))
        failed = outcome.failed
      }
    } finally {
      await scorer.dispose()
    }
    await writeJsonAtomic(join(folder, 'scores.json'), {
      checkpoint: path,
      mode,
      videos,
      ...(failed.length === 0 ? {} : { failed }),
    })
    return { videos, failed, folder }
  })
}

async function scoreFiles(
  scorer: ClipScorer,
  files: readonly string[],
  { spec, choice, source }: { spec: Spec; choice: SegmentChoice; source: FrameSource },
  hooks: TaskHooks,
): Promise<{ scored: Map<string, ScoredVideo>; failed: InferenceReport['failed'] }> {
  const scored = new Map<string, ScoredVideo>()
  const failed: InferenceReport['failed'] = []
  const clips = new VideoClips(spec, choice, source)
  const report = (): void =>
    hooks.onProgress?.({
      done: scored.size + failed.length,
      total: files.length,
      unit: 'videos',
      remainingSeconds: null,
    })
  report()
  for (const file of files) {
    try {
      const batches = clips.batches(file, hooks.signal, hooks.onLine)
      const [video] = await scoreVideos(scorer, batches, 1, { signal: hooks.signal })
      if (video !== undefined) scored.set(file, video)
    } catch (error) {
      if (isCancelled(error) || !(error instanceof KineoError)) throw error
      failed.push({ path: file, reason: describeError(error) })
      hooks.onLine?.(`Left out: ${describeError(error)}`)
    }
    report()
  }
  if (scored.size === 0) {
    throw new KineoError('input', 'None of the videos can be read', { where: failed[0]?.reason ?? '' })
  }
  return { scored, failed }
}

/** The line that TAO prints for a video: `path : ['label']`. */
export function inferenceLine(video: InferredVideo): string {
  return `${video.path} : ${formatStringList(video.labels)}`
}
