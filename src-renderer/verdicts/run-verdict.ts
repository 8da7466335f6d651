import type { EpochPoint, Run } from '../../src-main/api/contract/index.ts'
import { texts } from '../texts/index.ts'
import type { Verdict } from './verdict.ts'

/** Epochs in a row without a new best validation result that count as standing still. */
const standstillEpochs = 5
/** Fewer epochs than this say nothing yet. */
const fewestEpochs = 3

/** The epoch whose validation accuracy was highest, the first of several; null without validation. */
export function bestPoint(points: readonly EpochPoint[]): EpochPoint | null {
  let best: EpochPoint | null = null
  for (const point of points) {
    if (point.valAccuracy === null) continue
    if (best === null || point.valAccuracy > (best.valAccuracy ?? 0)) best = point
  }
  return best
}

/** How many of `total` clips a fraction means. */
export function rightOf(fraction: number, total: number): number {
  return Math.round(fraction * total)
}

function learningVerdict(run: Run): Verdict {
  const words = texts.train.verdict
  const { points } = run
  const first = points[0]
  const last = points.at(-1)
  if (first === undefined || last === undefined) return { tone: 'info', ...words.starting }
  if (!Number.isFinite(last.trainLoss)) return { tone: 'bad', ...words.diverged }
  if (points.length < fewestEpochs) {
    return { tone: 'info', ...words.early(fewestEpochs - points.length) }
  }
  const best = bestPoint(points)
  const chance = 1 / Math.max(1, run.classNames.length)
  const sinceBest = best === null ? 0 : last.epoch - best.epoch
  const from = points[Math.max(0, points.length - 1 - standstillEpochs)] ?? first
  if (best !== null && best.valAccuracy !== null && run.valClipCount > 0) {
    const right = rightOf(best.valAccuracy, run.valClipCount)
    if (sinceBest >= standstillEpochs && last.trainAccuracy - (last.valAccuracy ?? 0) > 0.25) {
      return { tone: 'warn', ...words.byHeart(best.epoch, right, run.valClipCount) }
    }
    if (best.valAccuracy > chance * 1.5 && sinceBest > 1 && sinceBest < standstillEpochs) {
      const now = rightOf(last.valAccuracy ?? 0, run.valClipCount)
      return { tone: 'ok', ...words.upsAndDowns(best.epoch, right, now, run.valClipCount) }
    }
    if (best.valAccuracy > chance * 1.5 && sinceBest <= 1) {
      const before = rightOf(from.valAccuracy ?? 0, run.valClipCount)
      return { tone: 'ok', ...words.learningWell(before, right, run.valClipCount, last.epoch - from.epoch) }
    }
    if (best.valAccuracy > chance * 1.5) {
      return { tone: 'info', ...words.settled(best.epoch, right, run.valClipCount) }
    }
  } else if (last.trainLoss < first.trainLoss * 0.9) {
    return { tone: 'info', ...words.withoutValidation(first.trainLoss, last.trainLoss) }
  }
  if (last.trainLoss > first.trainLoss * 0.95 && points.length >= standstillEpochs) {
    return { tone: 'warn', ...words.notLearning(run.settings.modelType) }
  }
  return { tone: 'info', ...words.slow }
}

/** What a run's curves mean, in plain words. */
export function runVerdict(run: Run): Verdict {
  const words = texts.train.verdict
  const best = bestPoint(run.points)
  const last = run.points.at(-1)
  switch (run.status) {
    case 'queued':
      return { tone: 'info', ...words.queued }
    case 'training':
      return learningVerdict(run)
    case 'done': {
      if (last === undefined || last.valAccuracy === null || best === null || best.valAccuracy === null) {
        return { tone: 'ok', ...words.doneWithoutValidation(run.points.length) }
      }
      const right = rightOf(last.valAccuracy, run.valClipCount)
      if (right === run.valClipCount) return { tone: 'ok', ...words.doneAllRight(right) }
      const chance = 1 / Math.max(1, run.classNames.length)
      if (last.valAccuracy <= chance * 1.5) {
        return { tone: 'warn', ...words.doneWeak(right, run.valClipCount, run.settings.modelType) }
      }
      return { tone: 'ok', ...words.done(right, run.valClipCount) }
    }
    case 'stopped':
      return { tone: 'info', ...words.stopped(last?.epoch ?? 0, run.settings.epochs, run.evaluated) }
    case 'interrupted':
      return { tone: 'warn', ...words.interrupted(last?.epoch ?? 0, run.settings.epochs) }
    case 'failed':
      return { tone: 'bad', title: words.failed, body: run.message ?? words.failedWithoutReason }
  }
}
