import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic, writeJsonAtomic } from '../../core/atomic-file.ts'
import { canDrawText, svgToPng } from '../../media/draw-svg.ts'
import { confusionDrawing } from './confusion-drawing.ts'
import type { EvaluationReport } from './evaluate.ts'

/**
 * Writes what an evaluation leaves: results.json, confusion_matrix.csv (as TAO's unused `dump_cm`), confusion_matrix.png
 * and misclassified.csv.
 */
export async function writeResultFiles(
  report: EvaluationReport,
  onLine: ((line: string) => void) | undefined,
): Promise<void> {
  const { folder } = report
  await writeJsonAtomic(join(folder, 'results.json'), {
    accuracy: report.accuracy,
    mean_class_accuracy: report.meanClassAccuracy,
    mean_over_label_map: report.meanOverLabelMap,
    top_k: { k: report.topK.k, accuracy: report.topK.accuracy },
    mode: report.mode,
    checkpoint: report.checkpoint,
    dataset: report.dataset,
    classes: report.classes,
    confusion_matrix: report.confusion,
    videos: report.videos,
  })
  const names = report.classes.map(({ name }) => name)
  await writeFileAtomic(
    join(folder, 'confusion_matrix.csv'),
    csv([['class', ...names], ...report.confusion.map((row, k) => [names[k] ?? '', ...row])]),
  )
  await writeFileAtomic(join(folder, 'misclassified.csv'), misclassified(report))
  const picture = join(folder, 'confusion_matrix.png')
  if (await canDrawText()) {
    await writeFileAtomic(picture, await svgToPng(confusionDrawing(names, report.confusion)))
  } else {
    // One of an earlier evaluation would show other numbers.
    await rm(picture, { force: true })
    onLine?.(
      'This machine has no fonts: confusion_matrix.png is left out, confusion_matrix.csv has the counts.',
    )
  }
}

/** The videos that were taken for another class, the surest mistakes first. */
function misclassified(report: EvaluationReport): string {
  const wrong = report.videos
    .filter(({ label, prediction }) => label !== prediction)
    .map(({ path, label, prediction, scores }) => ({
      row: [path, label, prediction, scores[prediction] ?? 0, scores[label] ?? 0],
      score: scores[prediction] ?? 0,
    }))
    .sort((a, b) => b.score - a.score)
  return csv([
    ['path', 'label', 'prediction', 'prediction_score', 'label_score'],
    ...wrong.map(({ row }) => row),
  ])
}

/** Rows as RFC 4180 wants them, with plain line feeds. */
function csv(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.map(csvField).join(',')}\n`).join('')
}

function csvField(value: string | number): string {
  const content = String(value)
  return /[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content
}
