import { existsSync } from 'node:fs'
import { KineoError } from '../../core/errors.ts'
import { listDataset, type VideoSample } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { EpochReport, TaskHooks, TrainHooks } from '../hooks.ts'
import { checkSamples } from '../network/check-samples.ts'
import { classNamesOf, labelMapOf } from '../network/class-names.ts'
import { evaluationTransform, trainingTransform } from '../network/clip-loader.ts'
import { networkOf } from '../network/spec-network.ts'
import { requireValue } from '../required-keys.ts'
import { resultsFolder } from '../results-folder.ts'
import { type StatusLog, withStatusLog } from '../status-log.ts'
import { BestEpoch } from './best-epoch.ts'
import { withResultsLock } from './results-lock.ts'
import { bestCheckpointPath } from './run-checkpoints.ts'
import { TrainingRun } from './training-run.ts'
import { findTrainingStart, type TrainingStart } from './training-start.ts'

export interface TrainSummary {
  /** Results folder, absolute. */
  folder: string
  /** Checkpoint of the last epoch. */
  checkpoint: string
  /** That of the best validation, with `train.save_best`; else null. */
  bestCheckpoint: string | null
  classNames: string[]
  trainVideos: number
  valVideos: number
  /** Checkpoint that training went on from, or null. */
  resumedFrom: string | null
  /** True when all epochs were there already and nothing was trained. */
  alreadyFinished: boolean
  /** True when validation had not improved for `train.early_stopping_patience` epochs. */
  stoppedEarly: boolean
  /** Epochs of this call; a resumed run does not repeat earlier ones. */
  epochs: EpochReport[]
}

/**
 * Trains as TAO's `action_recognition train`: results in `train.results_dir` (else `results_dir`/train), checkpoints
 * `model_epoch_000.pth` and so on, `ar_model_latest.pth`, with `train.save_best` `ar_model_best.pth`, status.json,
 * experiment.yaml, metrics.csv and the ONNX graphs. Goes on from `train.resume_training_checkpoint_path` or
 * `ar_model_latest.pth`; the result is then bit for bit that of a run without interruption.
 *
 * @throws KineoError: `spec` for a missing key, `input` for data that cannot be used, `output` while another training
 * writes into the folder, all before any long work; CancelledError within a step of `signal`, with the last finished
 * epoch saved.
 */
export async function train(spec: Spec, hooks: TrainHooks = {}): Promise<TrainSummary> {
  const trainFolder = requireValue(
    spec.dataset.train_dataset_dir,
    'dataset.train_dataset_dir',
    'dataset/train',
  )
  const labelMap = requireValue(spec.dataset.label_map, 'dataset.label_map', '"{walk: 0, fall: 1}"')
  const classNames = classNamesOf(labelMap)
  if (classNames.length < 2) {
    throw new KineoError('spec', 'dataset.label_map has one class only', {
      remedy: 'A network learns to tell classes apart: give it two or more',
    })
  }
  const work = (): Promise<TrainSummary> =>
    withStatusLog(spec, 'train', (folder, status) =>
      trainInto(folder, status, { spec, trainFolder, classNames }, hooks),
    )
  // Before the first line in status.json, which belongs to the training that runs.
  return await withResultsLock(resultsFolder(spec, 'train'), hooks.onLine, work)
}

async function trainInto(
  folder: string,
  status: StatusLog,
  { spec, trainFolder, classNames }: { spec: Spec; trainFolder: string; classNames: string[] },
  hooks: TrainHooks,
): Promise<TrainSummary> {
  const network = networkOf(spec, classNames.length)
  const trainSamples = await listSamples(trainFolder, 'training', classNames, spec, hooks)
  const valFolder = spec.dataset.val_dataset_dir
  if (valFolder === null) hooks.onLine?.('No dataset.val_dataset_dir: nothing is validated.')
  const valSamples =
    valFolder === null ? [] : await listSamples(valFolder, 'validation', classNames, spec, hooks)

  const clips = trainSamples.length * spec.dataset.clips_per_video
  const batchSize = Math.min(spec.dataset.batch_size, clips)
  if (batchSize < spec.dataset.batch_size) {
    hooks.onLine?.(
      `dataset.batch_size is ${spec.dataset.batch_size}, but an epoch has ${clips} clips: batches of ${batchSize} are used.`,
    )
  }

  const start = await findTrainingStart(spec, network, classNames, folder, hooks)
  const best = (): string | null => {
    const path = bestCheckpointPath(folder)
    return spec.train.save_best && existsSync(path) ? path : null
  }
  const summary = {
    folder,
    classNames,
    trainVideos: trainSamples.length,
    valVideos: valSamples.length,
    resumedFrom: start.resumedFrom,
  }
  if (start.resumedFrom !== null) {
    const end = endOf(spec, start)
    if (end !== null) {
      hooks.onLine?.(end.line)
      const { stoppedEarly } = end
      const ended = { alreadyFinished: true, stoppedEarly, epochs: [] }
      return { ...summary, ...ended, checkpoint: start.resumedFrom, bestCheckpoint: best() }
    }
    hooks.onLine?.(`Going on from ${start.resumedFrom}, after epoch ${start.finishedEpochs}.`)
  }
  await checkSamples(spec, trainSamples, trainingTransform(spec, classNames), hooks)
  await checkSamples(spec, valSamples, evaluationTransform(spec), hooks)
  hooks.onLine?.(
    `Training on ${trainSamples.length} videos of ${classNames.length} classes in batches of ${batchSize}; ${valSamples.length} videos to validate. Results: ${folder}`,
  )
  const plan = { spec, network, classNames, trainSamples, valSamples, batchSize, folder, status }
  const run = await TrainingRun.create(plan, start, hooks)
  try {
    const trained = await run.train()
    return { ...summary, alreadyFinished: false, ...trained, bestCheckpoint: best() }
  } finally {
    await run.dispose()
  }
}

/** Why a run has nothing left to do, or null. */
function endOf(spec: Spec, start: TrainingStart): { line: string; stoppedEarly: boolean } | null {
  const { num_epochs: epochs, early_stopping_patience: patience } = spec.train
  const anew = 'or give another results_dir to begin anew.'
  if (start.finishedEpochs >= epochs) {
    return {
      line: `Training has finished already: ${start.resumedFrom ?? ''} holds ${start.finishedEpochs} of ${epochs} epochs. Raise train.num_epochs to go on, ${anew}`,
      stoppedEarly: false,
    }
  }
  if (new BestEpoch(start.best).isStale(patience)) {
    return {
      line: `Training has stopped early already: ${start.resumedFrom ?? ''} holds ${start.finishedEpochs} epochs, the last ${patience} of them without improvement. Raise train.early_stopping_patience to go on, ${anew}`,
      stoppedEarly: true,
    }
  }
  return null
}

async function listSamples(
  folder: string,
  purpose: string,
  classNames: readonly string[],
  spec: Spec,
  hooks: TaskHooks,
): Promise<VideoSample[]> {
  const samples = await listDataset(folder, labelMapOf(classNames), spec.model.model_type, hooks.onLine)
  const present = new Set(samples.map((sample) => sample.label))
  const absent = classNames.filter((name) => !present.has(name))
  if (absent.length > 0) hooks.onLine?.(`No ${purpose} videos of ${absent.join(', ')}.`)
  if (present.size === 1 && purpose === 'training') {
    hooks.onLine?.('Only one class has training videos: the network will learn to give that answer always.')
  }
  return samples
}
