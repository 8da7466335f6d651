import type { ReportProgress } from '../core/progress.ts'

/** What every task takes besides its settings. */
export interface TaskHooks {
  /** Aborting it ends the task with a CancelledError; everything reported done stays. */
  signal?: AbortSignal | undefined
  onProgress?: ReportProgress | undefined
  /** A line of text for people: what is being done, or something that they should know. */
  onLine?: ((line: string) => void) | undefined
}

/** Where training stands after one optimizer step. */
export interface StepReport {
  /** From 1. */
  epoch: number
  epochs: number
  /** From 1, within the epoch. */
  step: number
  stepsPerEpoch: number
  /** Means over the clips of this epoch so far. */
  loss: number
  /** Fraction 0..1. */
  accuracy: number
  /** Over this epoch so far, reading of frames included. */
  clipsPerSecond: number
  remainingSeconds: number | null
  learningRate: number
}

/** The figures of one whole epoch. */
export interface EpochReport {
  /** From 1. */
  epoch: number
  trainLoss: number
  /** Fraction 0..1. */
  trainAccuracy: number
  /** Null when this epoch was not validated. */
  valLoss: number | null
  /** Fraction 0..1. */
  valAccuracy: number | null
  learningRate: number
  clipsPerSecond: number
  /** Training and validation together. */
  seconds: number
  /** Checkpoint that this epoch was saved to, or null. */
  checkpoint: string | null
}

export interface TrainHooks extends TaskHooks {
  onStep?: ((report: StepReport) => void) | undefined
  onEpoch?: ((report: EpochReport) => void) | undefined
}
