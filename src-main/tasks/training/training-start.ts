import { KineoError } from '../../core/errors.ts'
import { type Checkpoint, type JsonValue, readCheckpoint } from '../../engine/checkpoint/index.ts'
import type { NetworkConfig, SavedAverage, TrainingState } from '../../engine/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'
import { assertWeightsFit } from '../network/network-of-weights.ts'
import { preprocessingNotes } from '../network/preprocessing.ts'
import { newTrainingState } from './pretrained.ts'
import { findLatestCheckpoint } from './run-checkpoints.ts'

/** Where a training run begins. */
export interface TrainingStart {
  finishedEpochs: number
  globalStep: number
  /** Null when it goes on from nothing. */
  resumedFrom: string | null
  /** Saved state of the learning-rate schedule and of the best epoch; null when there is none. */
  schedule: JsonValue
  best: JsonValue
  /** Makes or hands over the state, once; not called for a run that has nothing left to do. */
  takeState: () => Promise<StartState>
}

export interface StartState {
  state: TrainingState
  /** The moving average of the weights to go on with; null begins a new one, if one is kept at all. */
  average: SavedAverage | null
}

/**
 * TAO's rule: `train.resume_training_checkpoint_path`, else `ar_model_latest.pth` in the results folder, else new
 * weights from the seed and the pretrained files.
 * @throws KineoError when the checkpoint cannot be read or is one of another network or of other classes.
 */
export async function findTrainingStart(
  spec: Spec,
  network: NetworkConfig,
  classNames: readonly string[],
  folder: string,
  hooks: TaskHooks,
): Promise<TrainingStart> {
  const path = spec.train.resume_training_checkpoint_path ?? findLatestCheckpoint(folder)
  if (path === null) {
    return {
      finishedEpochs: 0,
      globalStep: 0,
      resumedFrom: null,
      schedule: null,
      best: null,
      takeState: async () => ({ state: await newTrainingState(spec, network, hooks), average: null }),
    }
  }
  const checkpoint = await readCheckpoint(path, { encryptionKey: spec.encryption_key ?? undefined })
  const fresh = 'To train from scratch, give another results_dir or remove ar_model_latest.pth'
  try {
    assertWeightsFit(network, checkpoint.parameters, path)
  } catch (error) {
    if (!(error instanceof KineoError)) throw error
    throw new KineoError(error.code, error.message, {
      where: path,
      remedy: `${error.remedy ?? ''}. ${fresh}`,
    })
  }
  const trained = checkpoint.classNames
  if (trained !== undefined && trained.join('\0') !== classNames.join('\0')) {
    throw new KineoError('input', `The checkpoint was trained for other classes (${trained.join(', ')})`, {
      where: path,
      remedy: fresh,
    })
  }
  const notes = preprocessingNotes(checkpoint.extra['preprocessing'], spec)
  const seed = checkpoint.extra['seed']
  if (typeof seed === 'number' && seed !== spec.train.seed) {
    notes.push(`The checkpoint was trained with seed ${seed}, the spec says ${spec.train.seed}.`)
  }
  for (const note of notes) hooks.onLine?.(note)
  return {
    finishedEpochs: checkpoint.epoch + 1,
    globalStep: checkpoint.globalStep,
    resumedFrom: path,
    schedule: checkpoint.extra['schedule'] ?? null,
    best: checkpoint.extra['best'] ?? null,
    takeState: handOver(checkpoint),
  }
}

/** Hands the tensors of a checkpoint over without keeping them: they take as much memory as the network again. */
function handOver({ parameters, trained, momentum, extra }: Checkpoint): () => Promise<StartState> {
  const updates = extra['averageUpdates']
  const average = trained === undefined || typeof updates !== 'number' ? null : { parameters, updates }
  let held: StartState | null = { state: { parameters: trained ?? parameters, momentum }, average }
  return () => {
    const taken = held
    held = null
    return taken === null ? Promise.reject(new Error('the state is gone')) : Promise.resolve(taken)
  }
}
