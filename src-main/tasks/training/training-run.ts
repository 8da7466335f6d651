import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { encryptBytes } from '../../core/encryption.ts'
import { KineoError } from '../../core/errors.ts'
import { RemainingTime } from '../../core/progress.ts'
import { version } from '../../core/version.ts'
import type { BatchLoader, VideoSample } from '../../dataset/index.ts'
import { type Checkpoint, writeCheckpoint } from '../../engine/checkpoint/index.ts'
import {
  buildInferenceModel,
  type NetworkConfig,
  type SavedAverage,
  TrainingSession,
  type TrainingState,
} from '../../engine/index.ts'
import type { TensorMap } from '../../engine/tensor.ts'
import type { Spec } from '../../spec/index.ts'
import type { EpochReport, TrainHooks } from '../hooks.ts'
import { trainingLoader } from '../network/clip-loader.ts'
import { type FrameSource, readFrameSource } from '../network/frame-source.ts'
import { preprocessingOf } from '../network/preprocessing.ts'
import { formatTimedelta, type StatusLog } from '../status-log.ts'
import { BestEpoch } from './best-epoch.ts'
import { type BatchFigures, DivergedError, trainEpoch } from './epoch-steps.ts'
import { classWeightsOf, type LossSettings } from './loss-targets.ts'
import { MetricsCsv } from './metrics-csv.ts'
import { bestCheckpointPath, checkpointPath, pointLatestAt } from './run-checkpoints.ts'
import { createSchedule, type LearningRateSchedule } from './schedule.ts'
import type { TrainingStart } from './training-start.ts'
import { Validation } from './validation.ts'

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

/** The epochs of one training process, from its start to the last one. */
export class TrainingRun {
  readonly #plan: TrainingPlan
  readonly #hooks: TrainHooks
  readonly #session: TrainingSession
  readonly #loader: BatchLoader
  readonly #validation: Validation | null
  readonly #metrics: MetricsCsv
  readonly #schedule: LearningRateSchedule
  readonly #best: BestEpoch
  readonly #loss: LossSettings
  readonly #frames: FrameSource | null
  readonly #finishedEpochs: number
  readonly #remaining = new RemainingTime()
  #globalStep: number
  #lastCheckpoint: string | null
  /** The last finished epoch while it is in no checkpoint. */
  #unsaved: Checkpoint | null = null

  private constructor(
    plan: TrainingPlan,
    hooks: TrainHooks,
    start: TrainingStart,
    parts: {
      session: TrainingSession
      metrics: MetricsCsv
      loader: BatchLoader
      loss: LossSettings
      frames: FrameSource | null
    },
  ) {
    const { spec, network, valSamples } = plan
    this.#plan = plan
    this.#hooks = hooks
    this.#session = parts.session
    this.#metrics = parts.metrics
    this.#loader = parts.loader
    this.#loss = parts.loss
    this.#frames = parts.frames
    this.#finishedEpochs = start.finishedEpochs
    this.#globalStep = start.globalStep
    this.#lastCheckpoint = start.resumedFrom
    this.#schedule = createSchedule(spec.train.optim, spec.train.num_epochs, start.schedule)
    this.#best = new BestEpoch(start.best)
    this.#validation = valSamples.length === 0 ? null : new Validation(spec, network, valSamples)
  }

  /** Builds the training graph and loads the state at which `start` stands. */
  static async create(plan: TrainingPlan, start: TrainingStart, hooks: TrainHooks): Promise<TrainingRun> {
    const { spec, classNames, trainSamples, batchSize, folder } = plan
    const { train } = spec
    const videos = classNames.map((_, k) => trainSamples.filter((sample) => sample.classIndex === k).length)
    const loss = {
      labelSmoothing: train.label_smoothing,
      classWeights: classWeightsOf(train.class_weights, classNames, videos),
    }
    const loader = trainingLoader(spec, trainSamples, classNames, batchSize)
    const { state, average } = await start.takeState()
    const frames = await readFrameSource(trainSamples)
    const metrics = await MetricsCsv.open(join(folder, 'metrics.csv'), start.finishedEpochs)
    const session = await TrainingSession.create({
      network: plan.network,
      batchSize,
      clipGradNorm: train.clip_grad_norm,
      accumulate: train.accumulate_batches > 1,
      frozenStages: train.freeze_stages,
      emaDecay: train.ema_decay,
      artifactsFolder: folder,
    })
    session.load(state, average ?? undefined)
    return new TrainingRun(plan, hooks, start, { session, metrics, loader, loss, frames })
  }

  /**
   * Trains until `train.num_epochs`, or until validation has not improved for long enough. Stopped or failed, the last
   * finished epoch is saved to a checkpoint all the same.
   * @returns The figures of the epochs done here, and the last checkpoint.
   * @throws CancelledError; KineoError when the loss is no number any more.
   */
  async train(): Promise<{ epochs: EpochReport[]; checkpoint: string; stoppedEarly: boolean }> {
    const { status, spec } = this.#plan
    const { num_epochs: epochCount, early_stopping_patience: patience } = spec.train
    const epochs: EpochReport[] = []
    let stoppedEarly = false
    status.write('STARTED', 'Starting Training Loop.')
    try {
      for (let epoch = this.#finishedEpochs; epoch < epochCount && !stoppedEarly; epoch++) {
        const report = await this.#runEpoch(epoch)
        epochs.push(report)
        stoppedEarly = report.epoch < epochCount && this.#best.isStale(patience)
      }
    } catch (error) {
      await this.#saveUnsaved()
      throw error instanceof DivergedError ? this.#divergedMessage(error) : error
    }
    if (stoppedEarly) this.#tellEarlyStop()
    status.write('RUNNING', 'Training loop complete.')
    return { epochs, checkpoint: this.#lastCheckpoint ?? '', stoppedEarly }
  }

  async dispose(): Promise<void> {
    await this.#loader.dispose()
    await this.#validation?.dispose()
    await this.#session.dispose()
  }

  async #runEpoch(epoch: number): Promise<EpochReport> {
    const { spec, folder } = this.#plan
    const { train } = spec
    const isLast = epoch + 1 === train.num_epochs
    const isDue = (interval: number): boolean => isLast || (epoch + 1) % interval === 0
    const startedAt = performance.now()

    const trained = await this.#trainEpoch(epoch)
    const state = this.#session.save()
    const average = train.ema_decay > 0 ? this.#session.saveAverage() : null
    if (!isFinite(state.parameters)) throw new DivergedError(`at the end of epoch ${epoch + 1}`)
    const weights = average?.parameters ?? state.parameters
    const validated = isDue(train.validation_interval)
      ? ((await this.#validation?.run(weights, this.#hooks.signal)) ?? null)
      : null
    this.#schedule.endEpoch({ train_loss: trained.loss, val_loss: validated?.loss ?? null })
    const isBest = validated !== null && this.#best.observe({ epoch, ...validated })
    const endsHere = isLast || this.#best.isStale(train.early_stopping_patience)

    const path = endsHere || isDue(train.checkpoint_interval) ? checkpointPath(folder, epoch) : null
    const report: EpochReport = {
      epoch: epoch + 1,
      trainLoss: trained.loss,
      trainAccuracy: trained.accuracy,
      valLoss: validated?.loss ?? null,
      valAccuracy: validated?.accuracy ?? null,
      learningRate: trained.learningRate,
      clipsPerSecond: trained.clipsPerSecond,
      seconds: (performance.now() - startedAt) / 1000,
      checkpoint: path,
    }
    // Figures first: a resumed run drops those that are ahead of its checkpoint, but could not make up missing ones.
    await this.#metrics.add(report)
    const checkpoint = this.#checkpoint(epoch, state, average, trained.learningRate)
    this.#unsaved = checkpoint
    if (isBest && train.save_best) await this.#write(bestCheckpointPath(folder), checkpoint)
    if (path !== null) await this.#save(checkpoint)
    if (endsHere) await this.#writeEvaluationModel(weights)
    this.#writeStatus(report)
    this.#hooks.onEpoch?.(report)
    return report
  }

  async #trainEpoch(epoch: number): Promise<BatchFigures> {
    const { spec, network } = this.#plan
    const parts = {
      session: this.#session,
      loader: this.#loader,
      schedule: this.#schedule,
      loss: this.#loss,
      spec,
      classCount: network.classCount,
    }
    const trained = await trainEpoch(parts, epoch, this.#hooks.signal, (figures) =>
      this.#reportStep(epoch, figures),
    )
    this.#globalStep += trained.optimizerSteps
    return trained
  }

  #reportStep(epoch: number, figures: BatchFigures): void {
    const epochs = this.#plan.spec.train.num_epochs
    const stepsPerEpoch = this.#loader.batchesPerEpoch
    const done = epoch * stepsPerEpoch + figures.step
    const total = epochs * stepsPerEpoch
    const trainingSeconds = this.#remaining.update(done, total)
    const remainingSeconds =
      trainingSeconds === null
        ? null
        : trainingSeconds + this.#validationsLeft(epoch) * (this.#validation?.seconds ?? 0)
    this.#hooks.onStep?.({ epoch: epoch + 1, epochs, stepsPerEpoch, remainingSeconds, ...figures })
    this.#hooks.onProgress?.({ done, total, unit: 'steps', remainingSeconds })
  }

  #validationsLeft(epoch: number): number {
    const { num_epochs: epochs, validation_interval: interval } = this.#plan.spec.train
    return Math.ceil(epochs / interval) - Math.floor(epoch / interval)
  }

  #checkpoint(
    epoch: number,
    { parameters, momentum }: TrainingState,
    average: SavedAverage | null,
    learningRate: number,
  ): Checkpoint {
    const { spec, network, classNames } = this.#plan
    const { optim, seed } = spec.train
    return {
      // Who opens the file gets the weights that were validated.
      ...(average === null ? { parameters } : { parameters: average.parameters, trained: parameters }),
      momentum,
      epoch,
      globalStep: this.#globalStep,
      network,
      classNames,
      optimizer: { learningRate, momentum: optim.momentum, weightDecay: optim.weight_decay },
      extra: {
        kineo: version,
        seed,
        preprocessing: preprocessingOf(spec),
        frames: this.#frames === null ? null : { ...this.#frames },
        schedule: this.#schedule.state(),
        best: this.#best.state(),
        ...(average === null ? {} : { averageUpdates: average.updates }),
      },
    }
  }

  async #write(path: string, checkpoint: Checkpoint): Promise<void> {
    await writeCheckpoint(path, checkpoint, { encryptionKey: this.#plan.spec.encryption_key ?? undefined })
  }

  async #save(checkpoint: Checkpoint): Promise<void> {
    const path = checkpointPath(this.#plan.folder, checkpoint.epoch)
    await this.#write(path, checkpoint)
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

  /** `eval_model.onnx` holds the weights, so it is as secret as a checkpoint. */
  async #writeEvaluationModel(weights: TensorMap): Promise<void> {
    const { network, folder, spec } = this.#plan
    const model = buildInferenceModel(network, weights, {})
    const key = spec.encryption_key
    await writeFileAtomic(
      join(folder, 'eval_model.onnx'),
      key === null ? model : await encryptBytes(model, key),
    )
  }

  #tellEarlyStop(): void {
    const best = this.#best.epoch
    if (best === null) return
    this.#hooks.onLine?.(
      `Stopped early: validation has not improved for ${this.#plan.spec.train.early_stopping_patience} epochs. ` +
        `The best was epoch ${best.epoch + 1} with an accuracy of ${(best.accuracy * 100).toFixed(1)} %.`,
    )
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
