import { join } from 'node:path'
import { writeJsonAtomic } from '../../core/atomic-file.ts'
import { listVideos } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import { scoresByClass } from '../evaluation/evaluate.ts'
import type { TaskHooks } from '../hooks.ts'
import { argmax } from '../evaluation/metrics.ts'
import { openTrainedNetwork } from '../network/open-checkpoint.ts'
import { formatStringList } from '../python-text.ts'
import { requireValue } from '../required-keys.ts'
import { scoreVideos } from '../evaluation/score-clips.ts'
import { withStatusLog } from '../status-log.ts'

export interface InferredVideo {
  /** Absolute folder of the video's frames. */
  path: string
  /** One label for each clip of the video; center mode takes one clip. */
  labels: string[]
  /** Softmax by class name. */
  scores: Record<string, number>
}

export interface InferenceReport {
  videos: InferredVideo[]
  /** Results folder, absolute. */
  folder: string
}

/**
 * Names the action of each video in a class-level folder and writes scores.json.
 * @throws KineoError as `train`; CancelledError between two batches.
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
    const trained = await openTrainedNetwork(path, spec, hooks)
    const { classNames } = trained
    const samples = await listVideos(videosFolder, spec.model.model_type, hooks.onLine)
    const rows = await scoreVideos(spec, trained, samples, spec.inference.batch_size, hooks)
    const videos = samples.map((sample, i) => {
      const logits = rows[i] ?? []
      return {
        path: sample.path,
        labels: [classNames[argmax(logits)] ?? ''],
        scores: scoresByClass(logits, classNames),
      }
    })
    await writeJsonAtomic(join(folder, 'scores.json'), { checkpoint: path, videos })
    return { videos, folder }
  })
}

/** The line that TAO prints for a video: `path : ['label']`. */
export function inferenceLine(video: InferredVideo): string {
  return `${video.path} : ${formatStringList(video.labels)}`
}
