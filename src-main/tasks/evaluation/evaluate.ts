import { join } from 'node:path'
import { writeFileAtomic, writeJsonAtomic } from '../../core/atomic-file.ts'
import { listDataset } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import { labelMapOf } from '../network/class-names.ts'
import type { TaskHooks } from '../hooks.ts'
import { argmax, classificationMetrics, confusionMatrix, softmax } from './metrics.ts'
import { openTrainedNetwork } from '../network/open-checkpoint.ts'
import { formatFourDigits, formatRounded } from '../python-text.ts'
import { requireValue } from '../required-keys.ts'
import { scoreVideos } from './score-clips.ts'
import { withStatusLog } from '../status-log.ts'

export interface EvaluatedVideo {
  /** Absolute folder of the video's frames. */
  path: string
  label: string
  prediction: string
  /** Softmax by class name. */
  scores: Record<string, number>
}

export interface EvaluationReport {
  /** Share of videos that are right, 0..1. */
  accuracy: number
  /** Mean recall of the classes that have videos, 0..1. */
  meanClassAccuracy: number
  /** TAO's mean recall, in which a class without videos counts as 0. */
  meanOverLabelMap: number
  /** `accuracy` is the recall, 0..1, or null for a class without videos. */
  classes: { name: string; index: number; accuracy: number | null; count: number }[]
  /** Rows are the truth, columns the prediction; counts. */
  confusion: number[][]
  videos: EvaluatedVideo[]
  /** Results folder, absolute. */
  folder: string
}

/**
 * Evaluates a checkpoint on one clip from the centre of each video and writes results.json and confusion_matrix.csv.
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
    const trained = await openTrainedNetwork(path, spec, hooks)
    const { classNames } = trained
    const samples = await listDataset(testFolder, labelMapOf(classNames), spec.model.model_type, hooks.onLine)
    const rows = await scoreVideos(spec, trained, samples, spec.evaluate.batch_size, hooks)

    const predictions = rows.map(argmax)
    const truths = samples.map((sample) => sample.classIndex ?? -1)
    const confusion = confusionMatrix(truths, predictions, classNames.length)
    const metrics = classificationMetrics(confusion)
    const report: EvaluationReport = {
      accuracy: metrics.accuracy,
      meanClassAccuracy: metrics.meanClassAccuracy,
      meanOverLabelMap: metrics.meanOverLabelMap,
      classes: classNames.map((name, index) => ({
        name,
        index,
        accuracy: metrics.classAccuracies[index] ?? null,
        count: confusion[index]?.reduce((sum, count) => sum + count, 0) ?? 0,
      })),
      confusion,
      videos: samples.map((sample, i) => ({
        path: sample.path,
        label: sample.label ?? '',
        prediction: classNames[predictions[i] ?? -1] ?? '',
        scores: scoresByClass(rows[i] ?? [], classNames),
      })),
      folder,
    }
    await writeResults(folder, path, report)
    const percent = (fraction: number): number => Number((fraction * 100).toFixed(3))
    status.writeKpi('Test metrics generated.', {
      accuracy: percent(report.accuracy),
      m_accuracy: percent(report.meanClassAccuracy),
    })
    return report
  })
}

/** Softmax of a row of logits by class name. */
export function scoresByClass(
  logits: ArrayLike<number>,
  classNames: readonly string[],
): Record<string, number> {
  const probabilities = softmax(logits)
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

async function writeResults(folder: string, checkpoint: string, report: EvaluationReport): Promise<void> {
  await writeJsonAtomic(join(folder, 'results.json'), {
    accuracy: report.accuracy,
    mean_class_accuracy: report.meanClassAccuracy,
    mean_over_label_map: report.meanOverLabelMap,
    checkpoint,
    classes: report.classes,
    videos: report.videos,
  })
  const names = report.classes.map(({ name }) => csvField(name))
  const rows = report.confusion.map((row, i) => [names[i] ?? '', ...row].join(','))
  await writeFileAtomic(
    join(folder, 'confusion_matrix.csv'),
    `${[['class', ...names].join(','), ...rows].join('\n')}\n`,
  )
}

/** A field as RFC 4180 wants it. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
