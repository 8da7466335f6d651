import { join } from 'node:path'
import { KineoError, throwIfCancelled } from '../../core/errors.ts'
import { RemainingTime } from '../../core/progress.ts'
import { version } from '../../core/version.ts'
import type { BatchLoader, VideoSample } from '../../dataset/index.ts'
import { writeCheckpoint } from '../../engine/checkpoint/index.ts'
import {
  EvaluationSession,
  type NetworkConfig,
  TrainingSession,
  type TrainingState,
} from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import type { Spec } from '../../spec/index.ts'
import { centerLoader, trainingLoader } from '../network/clip-loader.ts'
import type { EpochReport, TrainHooks } from '../hooks.ts'
import { learningRateAt } from './learning-rate.ts'
import { argmax, crossEntropy } from '../evaluation/metrics.ts'
import { MetricsCsv } from './metrics-csv.ts'
import { preprocessingOf } from '../network/preprocessing.ts'
import { checkpointPath, pointLatestAt } from './run-checkpoints.ts'
import { scoreClips } from '../evaluation/score-clips.ts'
import { formatTimedelta, type StatusLog } from '../status-log.ts'
import type { TrainingStart } from './training-start.ts'

export interface TrainingPlan {
  spec: Spec
  network: NetworkConfig
  classNames: string[]
  trainSamples: VideoSample[]
  /** Empty when nothing is validated. */
  valSamples: VideoSample[]
  batchSize: number
  folder: string
  status: StatusLog
}

/** Loss or weights stopped being numbers. */
class DivergedError extends Error {}

interface EpochState {
  state: TrainingState
  /** From 0. */
  epoch: number
  globalStep: number
}

/** The epochs of one training process, from its start to the last one. */
export class TrainingRun {
  readonly #plan: TrainingPlan
  readonly #hooks: TrainHooks
  readonly #session: TrainingSession
  readonly #trainLoader: BatchLoader
  readonly #valLoader: BatchLoader | null
  readonly #metrics: MetricsCsv
  readonly #finishedEpochs: number
  readonly #remaining = new RemainingTime()
  #globalStep: number
  #validationSeconds = 0
  #lastCheckpoint: string | null
  /** The last finished epoch while it is in no checkpoint. */
  #unsaved: EpochState | null = null

  private constructor(
    plan: TrainingPlan,
    hooks: TrainHooks,
    start: TrainingStart,
    parts: { session: TrainingSession; metrics: MetricsCsv },
  ) {
    this.#plan = plan
    this.#hooks = hooks
    this.#session = parts.session
    this.#metrics = parts.metrics
    this.#finishedEpochs = start.finishedEpochs
    this.#globalStep = start.globalStep
    this.#lastCheckpoint = start.resumedFrom
    this.#trainLoader = trainingLoader(plan.spec, plan.trainSamples, plan.batchSize)
    this.#valLoader =
      plan.valSamples.length === 0 ? null : centerLoader(plan.spec, plan.valSamples, plan.batchSize)
  }

  /** Builds the training graph and loads the state at which `start` stands. */
  static async create(plan: TrainingPlan, start: TrainingStart, hooks: TrainHooks): Promise<TrainingRun> {
    const metrics = await MetricsCsv.open(join(plan.folder, 'metrics.csv'), start.finishedEpochs)
    const session = await TrainingSession.create({
      network: plan.network,
      batchSize: plan.batchSize,
      clipGradNorm: plan.spec.train.clip_grad_norm,
      artifactsFolder: plan.folder,
    })
    session.load(start.state())
    return new TrainingRun(plan, hooks, start, { session, metrics })
  }

  /**
   * Trains until `train.num_epochs`. Stopped or failed, the last finished epoch is saved to a checkpoint all the same.
   * @returns The figures of the epochs done here, and the last checkpoint.
   * @throws CancelledError; KineoError when the loss is no number any more.
   */
  async train(): Promise<{ epochs: EpochReport[]; checkpoint: string }> {
    const { status, spec } = this.#plan
    const epochs: EpochReport[] = []
    status.write('STARTED', 'Starting Training Loop.')
    try {
      for (let epoch = this.#finishedEpochs; epoch < spec.train.num_epochs; epoch++) {
        epochs.push(await this.#runEpoch(epoch))
      }
    } catch (error) {
      await this.#saveUnsaved()
      throw error instanceof DivergedError ? this.#divergedMessage(error) : error
    }
    status.write('RUNNING', 'Training loop complete.')
    return { epochs, checkpoint: this.#lastCheckpoint ?? '' }
  }

  async dispose(): Promise<void> {
    await this.#trainLoader.dispose()
    await this.#valLoader?.dispose()
    await this.#session.dispose()
  }

  async #runEpoch(epoch: number): Promise<EpochReport> {
    const { train } = this.#plan.spec
    const isLast = epoch + 1 === train.num_epochs
    const isDue = (interval: number): boolean => isLast || (epoch + 1) % interval === 0
    const startedAt = performance.now()

    const trained = await this.#trainEpoch(epoch)
    const state = this.#session.save()
    if (!isFinite(state.parameters)) throw new DivergedError(`at the end of epoch ${epoch + 1}`)
    const validated = isDue(train.validation_interval) ? await this.#validate(state.parameters, isLast) : null

    const path = isDue(train.checkpoint_interval) ? checkpointPath(this.#plan.folder, epoch) : null
    const report: EpochReport = {
      epoch: epoch + 1,
      ...trained,
      valLoss: validated?.loss ?? null,
      valAccuracy: validated?.accuracy ?? null,
      learningRate: learningRateAt(train.optim, epoch),
      seconds: (performance.now() - startedAt) / 1000,
      checkpoint: path,
    }
    // Figures first: a resumed run drops those that are ahead of its checkpoint, but could not make up missing ones.
    await this.#metrics.add(report)
    this.#unsaved = { state, epoch, globalStep: this.#globalStep }
    if (path !== null) await this.#save(this.#unsaved)
    this.#writeStatus(report)
    this.#hooks.onEpoch?.(report)
    return report
  }

  async #trainEpoch(
    epoch: number,
  ): Promise<Pick<EpochReport, 'trainLoss' | 'trainAccuracy' | 'clipsPerSecond'>> {
    const { signal } = this.#hooks
    const { seed, optim } = this.#plan.spec.train
    const hyper = {
      learningRate: learningRateAt(optim, epoch),
      momentum: optim.momentum,
      weightDecay: optim.weight_decay,
    }
    const startedAt = performance.now()
    let clips = 0
    let lossSum = 0
    let correct = 0
    let step = 0
    throwIfCancelled(signal)
    for await (const batch of this.#trainLoader.epoch(epoch, signal)) {
      throwIfCancelled(signal)
      const result = await this.#session.step(batch, hyper, [seed, epoch, step])
      step += 1
      this.#globalStep += 1
      if (!Number.isFinite(result.loss)) throw new DivergedError(`in epoch ${epoch + 1}, step ${step}`)
      clips += batch.count
      lossSum += result.loss * batch.count
      correct += result.correct
      this.#reportStep(epoch, step, {
        loss: lossSum / clips,
        accuracy: correct / clips,
        clipsPerSecond: clips / ((performance.now() - startedAt) / 1000),
        learningRate: hyper.learningRate,
      })
    }
    throwIfCancelled(signal)
    const seconds = (performance.now() - startedAt) / 1000
    return { trainLoss: lossSum / clips, trainAccuracy: correct / clips, clipsPerSecond: clips / seconds }
  }

  #reportStep(
    epoch: number,
    step: number,
    figures: { loss: number; accuracy: number; clipsPerSecond: number; learningRate: number },
  ): void {
    const epochs = this.#plan.spec.train.num_epochs
    const stepsPerEpoch = this.#trainLoader.batchesPerEpoch
    const done = epoch * stepsPerEpoch + step
    const total = epochs * stepsPerEpoch
    const trainingSeconds = this.#remaining.update(done, total)
    const remainingSeconds =
      trainingSeconds === null
        ? null
        : trainingSeconds + this.#validationsLeft(epoch) * this.#validationSeconds
    this.#hooks.onStep?.({ epoch: epoch + 1, epochs, step, stepsPerEpoch, remainingSeconds, ...figures })
    this.#hooks.onProgress?.({ done, total, unit: 'steps', remainingSeconds })
  }

  #validationsLeft(epoch: number): number {
    const { num_epochs: epochs, validation_interval: interval } = this.#plan.spec.train
    return Math.ceil(epochs / interval) - Math.floor(epoch / interval)
  }

  /** Center evaluation of the validation videos; null when there are none. */
  async #validate(
    parameters: TensorMap,
    keepModel: boolean,
  ): Promise<{ loss: number; accuracy: number } | null> {
    const loader = this.#valLoader
    if (loader === null) return null
    const { network, folder, valSamples } = this.#plan
    const { signal } = this.#hooks
    const startedAt = performance.now()
    const session = await EvaluationSession.create({
      network,
      parameters,
      ...(keepModel ? { artifactsFolder: folder } : {}),
    })
    try {
      const rows = await scoreClips(session, loader, valSamples.length, network, { signal })
      let loss = 0
      let right = 0
      rows.forEach((row, i) => {
        const truth = valSamples[i]?.classIndex ?? -1
        loss += crossEntropy(row, truth)
        if (argmax(row) === truth) right += 1
      })
      return { loss: loss / rows.length, accuracy: right / rows.length }
    } finally {
      await session.dispose()
      this.#validationSeconds = (performance.now() - startedAt) / 1000
    }
  }

  async #save({ state, epoch, globalStep }: EpochState): Promise<void> {
    const { spec, network, classNames, folder } = this.#plan
    const path = checkpointPath(folder, epoch)
    const { optim, seed } = spec.train
    await writeCheckpoint(path, {
      ...state,
      epoch,
      globalStep,
      network,
      classNames,
      optimizer: {
        learningRate: learningRateAt(optim, epoch),
        momentum: optim.momentum,
        weightDecay: optim.weight_decay,
      },
      extra: { kineo: version, seed, preprocessing: { ...preprocessingOf(spec) } },
    })
    await pointLatestAt(path)
    this.#lastCheckpoint = path
    this.#unsaved = null
  }

  /** What went wrong is told even when saving goes wrong, too. */
  async #saveUnsaved(): Promise<void> {
    if (this.#unsaved === null) return
    await this.#save(this.#unsaved).catch((error: unknown) => {
      this.#hooks.onLine?.(`The last finished epoch could not be saved: ${String(error)}`)
    })
  }

  #writeStatus(report: EpochReport): void {
    const { status, spec } = this.#plan
    const { valLoss, valAccuracy, trainLoss, trainAccuracy, epoch, seconds } = report
    if (valLoss !== null && valAccuracy !== null) {
      status.writeKpi('Eval metrics generated.', { val_loss: valLoss, val_acc: valAccuracy })
    }
    status.writeKpi('Train metrics generated.', { train_loss: trainLoss, train_acc: trainAccuracy })
    status.write('RUNNING', 'Training loop in progress', {
      epoch,
      max_epoch: spec.train.num_epochs,
      time_per_epoch: formatTimedelta(seconds),
      eta: formatTimedelta((spec.train.num_epochs - epoch) * seconds),
    })
  }

  #divergedMessage(error: DivergedError): KineoError {
    const { lr } = this.#plan.spec.train.optim
    const kept = this.#lastCheckpoint
    return new KineoError('input', `The loss is not a number any more ${error.message}: training diverged`, {
      remedy:
        `Lower train.optim.lr (now ${lr}) or set train.clip_grad_norm, such as 5. ` +
        (kept === null ? 'No checkpoint was written yet' : `The last good checkpoint is ${kept}`),
    })
  }
}

function isFinite(parameters: TensorMap): boolean {
  for (const { data } of parameters.values()) {
    if (data instanceof Float32Array && !data.every(Number.isFinite)) return false
  }
  return true
}
