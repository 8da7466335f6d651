import { z } from 'zod'
import type { JsonValue } from '../../engine/checkpoint/index.ts'

/** The keys of `train.optim` that decide the learning rate. */
export interface ScheduleSettings {
  lr: number
  lr_scheduler: 'MultiStep' | 'AutoReduce' | 'Cosine'
  lr_steps: readonly number[]
  lr_decay: number
  lr_monitor: 'val_loss' | 'train_loss'
  patience: number
  min_lr: number
  threshold: number
  warmup_epochs: number
}

/** The losses of a finished epoch; `val_loss` is null when it was not validated. */
export interface EpochLosses {
  train_loss: number
  val_loss: number | null
}

/** Where in training a step stands. */
export interface StepPosition {
  /** From 0. */
  epoch: number
  /** From 0, within the epoch. */
  step: number
  stepsPerEpoch: number
}

/** Gives the learning rate of each step, and follows the losses where the schedule depends on them. */
export interface LearningRateSchedule {
  rateAt(position: StepPosition): number
  /** Call once after each epoch, in order. */
  endEpoch(losses: EpochLosses): void
  /** What a resumed run needs to go on as if there had been no stop. */
  state(): JsonValue
}

/**
 * The schedule that `settings` name, behind a linear warm-up when one is asked for.
 * @param epochs Epochs of the whole training.
 * @param saved `state()` of the run that goes on; anything else begins anew.
 */
export function createSchedule(
  settings: ScheduleSettings,
  epochs: number,
  saved?: JsonValue,
): LearningRateSchedule {
  const plateau = settings.lr_scheduler === 'AutoReduce' ? new Plateau(settings, saved) : null
  const epochRate = (epoch: number): number => {
    if (plateau !== null) return plateau.rate
    return settings.lr_scheduler === 'Cosine'
      ? cosineRate(settings, epochs, epoch)
      : multiStepRate(settings, epoch)
  }
  return {
    rateAt: (position) => epochRate(position.epoch) * warmupFactor(settings.warmup_epochs, position),
    endEpoch: (losses) => {
      const loss = losses[settings.lr_monitor]
      if (loss !== null) plateau?.observe(loss)
    },
    state: () => plateau?.state() ?? null,
  }
}

/**
 * As torch's MultiStepLR stepped once an epoch: `lr` times `lr_decay` for every entry of `lr_steps` that is reached; an
 * entry that stands there twice counts twice.
 * @param epoch From 0.
 */
export function multiStepRate(
  settings: Pick<ScheduleSettings, 'lr' | 'lr_steps' | 'lr_decay'>,
  epoch: number,
): number {
  const reached = settings.lr_steps.filter((step) => step <= epoch)
  return reached.reduce((rate) => rate * settings.lr_decay, settings.lr)
}

/**
 * As torch's CosineAnnealingLR stepped once an epoch, from `lr` towards `min_lr` over the epochs behind the warm-up
 * (Loshchilov and Hutter 2017, without restarts). A `min_lr` above `lr` keeps `lr`.
 * @param epoch From 0.
 */
export function cosineRate(
  settings: Pick<ScheduleSettings, 'lr' | 'min_lr' | 'warmup_epochs'>,
  epochs: number,
  epoch: number,
): number {
  const { lr, warmup_epochs: warmup } = settings
  const lowest = Math.min(settings.min_lr, lr)
  const progress = Math.max(0, epoch - warmup) / Math.max(1, epochs - warmup)
  return lowest + ((lr - lowest) * (1 + Math.cos(Math.PI * Math.min(1, progress)))) / 2
}

/** Rises by the same amount with every step and reaches 1 at the last step of the warm-up. */
export function warmupFactor(warmupEpochs: number, { epoch, step, stepsPerEpoch }: StepPosition): number {
  if (epoch >= warmupEpochs) return 1
  return (epoch * stepsPerEpoch + step + 1) / (warmupEpochs * stepsPerEpoch)
}

const plateauState = z.object({
  scheduler: z.literal('AutoReduce'),
  monitor: z.enum(['val_loss', 'train_loss']),
  reductions: z.int().min(0),
  best: z.number().nullable(),
  badEpochs: z.int().min(0),
})

/** torch drops no rate by less than this. */
const smallestDrop = 1e-8

/**
 * torch's ReduceLROnPlateau (mode min, relative threshold, no cooldown): a loss counts as better below
 * best * (1 - threshold), and after `patience` + 1 epochs without a better one the rate is multiplied by `lr_decay`,
 * not below `min_lr`. The threshold of TAO's page is 0.1 %; TAO's code leaves torch's 0.01 %.
 */
class Plateau {
  readonly #settings: ScheduleSettings
  #reductions = 0
  #best = Infinity
  #badEpochs = 0

  constructor(settings: ScheduleSettings, saved: JsonValue | undefined) {
    this.#settings = settings
    const state = plateauState.safeParse(saved)
    // Losses of another kind are no measure for the ones to come.
    if (!state.success || state.data.monitor !== settings.lr_monitor) return
    this.#reductions = state.data.reductions
    this.#best = state.data.best ?? Infinity
    this.#badEpochs = state.data.badEpochs
  }

  get rate(): number {
    let rate = this.#settings.lr
    for (let i = 0; i < this.#reductions; i++) rate = this.#reduced(rate)
    return rate
  }

  observe(loss: number): void {
    if (loss < this.#best * (1 - this.#settings.threshold)) {
      this.#best = loss
      this.#badEpochs = 0
      return
    }
    this.#badEpochs += 1
    if (this.#badEpochs <= this.#settings.patience) return
    this.#badEpochs = 0
    if (this.rate - this.#reduced(this.rate) > smallestDrop) this.#reductions += 1
  }

  state(): JsonValue {
    return {
      scheduler: 'AutoReduce',
      monitor: this.#settings.lr_monitor,
      reductions: this.#reductions,
      best: Number.isFinite(this.#best) ? this.#best : null,
      badEpochs: this.#badEpochs,
    }
  }

  #reduced(rate: number): number {
    return Math.min(rate, Math.max(rate * this.#settings.lr_decay, this.#settings.min_lr))
  }
}
