import { resolve } from 'node:path'
import { listDataset } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'
import { checkSamples } from '../network/check-samples.ts'
import { labelMapOf } from '../network/class-names.ts'
import { evaluationTransform, segmentLoader } from '../network/clip-loader.ts'
import { openTrainedNetwork } from '../network/open-checkpoint.ts'
import { formatFourDigits, formatRounded } from '../python-text.ts'
import { requireValue } from '../required-keys.ts'
import { withStatusLog } from '../status-log.ts'
import { ClipScorer } from './clip-scorer.ts'
import { argmax, classificationMetrics, confusionMatrix, topKAccuracy } from './metrics.ts'
import { writeResultFiles } from './result-files.ts'
import { scoreVideos } from './score-videos.ts'

export interface EvaluatedVideo {
  /** Absolute folder of the video's frames. */
  path: string
  label: string
  prediction: string
  /** Softmax by class name, the mean over the video's clips. */
  scores: Record<string, number>
}

export interface EvaluatedClass {
  name: string
  index: number
  /** The recall, 0..1; null for a class without videos. */
  accuracy: number | null
  /** Videos of the class. */
  count: number
  /** 0..1; null when no video was taken for the class. */
  precision: number | null
  /** As `accuracy`, under the name that goes with precision. */
  recall: number | null
  /** 0..1; null when no video is of the class or was taken for it. */
  f1: number | null
  /** As `count`. */
  support: number
}

export interface EvaluationReport {
  /** Share of videos that are right, 0..1. */
  accuracy: number
  /** Mean recall of the classes that have videos, 0..1. */
  meanClassAccuracy: number
  /** TAO's mean recall, in which a class without videos counts as 0. */
  meanOverLabelMap: number
  /** Share of videos whose class is among the `k` most probable, 0..1. */
  topK: { k: number; accuracy: number }
  classes: EvaluatedClass[]
  /** Rows are the truth, columns the prediction; counts. */
  confusion: number[][]
  videos: EvaluatedVideo[]
  /** Which clips of each video were looked at. */
  mode: Spec['evaluate']['video_eval_mode']
  /** As the spec names it. */
  checkpoint: string
  /** Folder of the videos, absolute. */
  dataset: string
  /** Results folder, absolute. */
  folder: string
}

/**
 * Evaluates a checkpoint on the videos of `evaluate.test_dataset_dir`, else `dataset.val_dataset_dir`, and writes the
 * files of `writeResultFiles`. The batch size does not change the result.
 * @throws KineoError as `train`; CancelledError between two batches.
 */
export async function evaluate(spec: Spec, hooks: TaskHooks = {}): Promise<EvaluationReport> {
  const path = requireValue(
    spec.evaluate.checkpoint,
    'evaluate.checkpoint',
    'results/train/ar_model_latest.pth',
  )
  const testFolder = requireValue(
    spec.evaluate.test_dataset_dir ?? spec.dataset.val_dataset_dir,
    'evaluate.test_dataset_dir',
    'dataset/val',
  )
  return await withStatusLog(spec, 'evaluate', async (folder, status) => {
    const { network, classNames, checkpoint } = await openTrainedNetwork(path, spec, hooks)
    const samples = await listDataset(testFolder, labelMapOf(classNames), network.modelType, hooks.onLine)
    await checkSamples(spec, samples, evaluationTransform(spec), hooks)
    const { video_eval_mode: mode, video_num_segments: segmentCount, batch_size: batchSize } = spec.evaluate
    const loader = segmentLoader(spec, samples, { mode, segmentCount, batchSize })
    const scorer = await ClipScorer.create(network, checkpoint.parameters)
    let scored
    try {
      scored = await scoreVideos(scorer, loader.epoch(0, hooks.signal), samples.length, hooks)
    } finally {
      await loader.dispose()
      await scorer.dispose()
    }

    const rows = scored.map(({ probabilities }) => probabilities)
    const predictions = rows.map(argmax)
    const truths = samples.map((sample) => sample.classIndex ?? -1)
    const confusion = confusionMatrix(truths, predictions, classNames.length)
    const metrics = classificationMetrics(confusion)
    const k = Math.min(spec.evaluate.top_k, classNames.length)
    const report: EvaluationReport = {
      accuracy: metrics.accuracy,
      meanClassAccuracy: metrics.meanClassAccuracy,
      meanOverLabelMap: metrics.meanOverLabelMap,
      topK: { k, accuracy: topKAccuracy(rows, truths, k) },
      classes: metrics.classes.map(({ support, recall, precision, f1 }, index) => ({
        name: classNames[index] ?? '',
        index,
        accuracy: recall,
        count: support,
        precision,
        recall,
        f1,
        support,
      })),
      confusion,
      videos: samples.map((sample, i) => ({
        path: sample.path,
        label: sample.label ?? '',
        prediction: classNames[predictions[i] ?? -1] ?? '',
        scores: scoresByClass(rows[i] ?? [], classNames),
      })),
      mode,
      checkpoint: path,
      dataset: resolve(testFolder),
      folder,
    }
    await writeResultFiles(report, hooks.onLine)
    const percent = (fraction: number): number => Number((fraction * 100).toFixed(3))
    status.writeKpi('Test metrics generated.', {
      accuracy: percent(report.accuracy),
      m_accuracy: percent(report.meanClassAccuracy),
    })
    return report
  })
}

/** A row of probabilities by class name. */
export function scoresByClass(
  probabilities: readonly number[],
  classNames: readonly string[],
): Record<string, number> {
  return Object.fromEntries(classNames.map((name, i) => [name, probabilities[i] ?? 0]))
}

/**
 * The lines that TAO prints (pl_ar_model.py): percentages. The mean is over the classes that have videos; where that
 * differs from TAO's mean over the whole label map, TAO's stands beside it.
 */
export function taoBlock(report: EvaluationReport): string[] {
  const stars = '*'.repeat(31)
  const mean = formatRounded(report.meanClassAccuracy * 100)
  const taoMean = formatRounded(report.meanOverLabelMap * 100)
  const present = report.classes.filter(({ count }) => count > 0).length
  const beside =
    present === report.classes.length
      ? ''
      : ` (of the ${present} classes that have videos; TAO prints ${taoMean}, counting the others as 0)`
  return [
    stars,
    ...report.classes.map(({ name, accuracy }) => name.padEnd(14) + formatFourDigits((accuracy ?? 0) * 100)),
    stars,
    `Total accuracy: ${formatRounded(report.accuracy * 100)}`,
    `Average class accuracy: ${mean}${beside}`,
  ]
}

/** Precision, recall and F1 of each class and the top-k accuracy, as lines for a terminal; percentages. */
export function classTable(report: EvaluationReport): string[] {
  const percent = (fraction: number | null): string =>
    fraction === null ? '-' : formatRounded(fraction * 100)
  const width = Math.max(14, ...report.classes.map(({ name }) => name.length + 2))
  const line = (name: string, cells: readonly string[]): string =>
    name.padEnd(width) + cells.map((cell) => cell.padStart(10)).join('')
  const { k, accuracy } = report.topK
  return [
    line('', ['precision', 'recall', 'f1', 'videos']),
    ...report.classes.map(({ name, precision, recall, f1, support }) =>
      line(name, [percent(precision), percent(recall), percent(f1), String(support)]),
    ),
    // Among as many classes as there are every one is found.
    ...(k > 1 && k < report.classes.length ? [`Top-${k} accuracy: ${formatRounded(accuracy * 100)}`] : []),
  ]
}
