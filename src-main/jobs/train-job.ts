import { train } from '../tasks/index.ts'
import type { JobRunner } from './job-context.ts'
import { runOf, specOfRun } from './job-context.ts'
import { linkRunDataset } from './run-dataset.ts'

/** Trains a run, or goes on where it stopped; every epoch is stored as it ends. */
export const trainJob: JobRunner = async (context) => {
  const { project } = context
  const run = runOf(context)
  const dataset = await linkRunDataset(project, run)
  project.runs.setValClipCount(run.id, dataset.valClips)
  const paths = { ...dataset, resultsFolder: project.runFolder(run.id) }
  await train(specOfRun(run, paths), {
    signal: context.signal,
    onProgress: context.onProgress,
    onLine: context.onLine,
    onStep: ({ epoch, step, stepsPerEpoch, loss, clipsPerSecond, remainingSeconds }) =>
      context.onLive({ epoch, step, stepsPerEpoch, loss, clipsPerSecond, remainingSeconds }),
    onEpoch: ({ epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, learningRate, clipsPerSecond }) =>
      project.runs.putEpoch(run.id, {
        epoch,
        trainLoss,
        trainAccuracy,
        valLoss,
        valAccuracy,
        learningRate,
        clipsPerSecond,
      }),
  })
  return null
}
