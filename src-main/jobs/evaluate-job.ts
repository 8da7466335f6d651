import { basename } from 'node:path'
import { evaluate } from '../tasks/index.ts'
import type { JobRunner } from './job-context.ts'
import { runOf, specOfRun } from './job-context.ts'
import { linkRunDataset } from './run-dataset.ts'

/** Checks the newest checkpoint of a run on the validation clips and stores every prediction. */
export const evaluateJob: JobRunner = async (context) => {
  const { project, signal, onProgress, onLine } = context
  const run = runOf(context)
  const dataset = await linkRunDataset(project, run)
  const paths = { ...dataset, resultsFolder: project.runFolder(run.id) }
  // Nothing trains meanwhile: a project's jobs run one at a time.
  const epochs = project.runs.epochs(run.id).at(-1)?.epoch ?? null
  const report = await evaluate(specOfRun(run, paths), { signal, onProgress, onLine })
  const classNames = report.classes.map(({ name }) => name)
  project.runs.putEvaluation(run.id, {
    epochs,
    accuracy: report.accuracy,
    meanClassAccuracy: report.meanClassAccuracy,
    classNames,
    confusion: report.confusion,
    predictions: report.videos.map(({ path, label, prediction, scores }) => {
      const clip = dataset.clipsByFolder.get(path)
      return {
        clipId: clip?.id ?? null,
        name: clip?.name ?? basename(path),
        label,
        prediction,
        scores: classNames.map((name) => scores[name] ?? 0),
      }
    }),
  })
  return null
}
