import { throwIfCancelled } from '../../core/errors.ts'
import type { BatchLoader } from '../../dataset/index.ts'
import type { TrainingSession } from '../../engine/index.ts'
import type { Spec } from '../../spec/index.ts'
import { type LossSettings, lossTargets } from './loss-targets.ts'
import type { LearningRateSchedule } from './schedule.ts'

/** Loss or weights stopped being numbers. */
export class DivergedError extends Error {}

/** Where an epoch stands after a batch. */
export interface BatchFigures {
  /** Batches of this epoch so far. */
  step: number
  /** Means over the clips of this epoch so far. */
  loss: number
  /** Fraction 0..1. */
  accuracy: number
  clipsPerSecond: number
  learningRate: number
}

export interface EpochSteps {
  session: TrainingSession
  loader: BatchLoader
  schedule: LearningRateSchedule
  loss: LossSettings
  spec: Spec
  classCount: number
}

/**
 * Goes once through the training clips. With `train.accumulate_batches` above 1 so many batches make one optimizer step,
 * whose gradient is the mean over all their clips; the rest at the end of the epoch makes a step of its own.
 *
 * @param epoch From 0.
 * @returns The figures of the whole epoch and the number of optimizer steps.
 * @throws CancelledError between two batches; DivergedError.
 */
export async function trainEpoch(
  parts: EpochSteps,
  epoch: number,
  signal: AbortSignal | undefined,
  onBatch: (figures: BatchFigures) => void,
): Promise<BatchFigures & { optimizerSteps: number }> {
  const { session, loader, schedule, classCount } = parts
  const { seed, optim, accumulate_batches: accumulate } = parts.spec.train
  const stepsPerEpoch = loader.batchesPerEpoch
  const startedAt = performance.now()
  let figures: BatchFigures = { step: 0, loss: NaN, accuracy: NaN, clipsPerSecond: 0, learningRate: optim.lr }
  let clips = 0
  let lossSum = 0
  let correct = 0
  let optimizerSteps = 0
  throwIfCancelled(signal)
  for await (const batch of loader.epoch(epoch, signal)) {
    throwIfCancelled(signal)
    const { step } = figures
    const learningRate = schedule.rateAt({ epoch, step, stepsPerEpoch })
    const apply = (step + 1) % accumulate === 0 || step + 1 === stepsPerEpoch
    const mixed = { labels: batch.labels, mixed: batch.targets, count: batch.count }
    const result = await session.step(
      { ...batch, targets: lossTargets(parts.loss, mixed, classCount) },
      { learningRate, momentum: optim.momentum, weightDecay: optim.weight_decay },
      [seed, epoch, step],
      { apply },
    )
    if (!Number.isFinite(result.loss)) throw new DivergedError(`in epoch ${epoch + 1}, step ${step + 1}`)
    if (apply) optimizerSteps += 1
    clips += batch.count
    lossSum += result.loss * batch.count
    correct += result.correct
    figures = {
      step: step + 1,
      loss: lossSum / clips,
      accuracy: correct / clips,
      clipsPerSecond: clips / ((performance.now() - startedAt) / 1000),
      learningRate,
    }
    onBatch(figures)
  }
  throwIfCancelled(signal)
  return { ...figures, optimizerSteps }
}
