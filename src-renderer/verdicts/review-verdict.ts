import type { Evaluation, TrainSettings } from '../../src-main/api/contract/index.ts'
import { texts } from '../texts/index.ts'
import { wilsonInterval } from './interval.ts'
import type { Verdict } from './verdict.ts'

/** From this many clips on the accuracy no longer counts as a matter of luck. */
const enoughClips = 200

export interface Confusion {
  truth: number
  prediction: number
  count: number
}

/** How many evaluated videos were right. */
export function rightCount(evaluation: Evaluation): number {
  return evaluation.videos.filter((video) => video.label === video.prediction).length
}

/** The mistake that happens most often, or null without mistakes. */
export function worstConfusion(confusion: readonly (readonly number[])[]): Confusion | null {
  let worst: Confusion | null = null
  confusion.forEach((row, truth) =>
    row.forEach((count, prediction) => {
      if (truth !== prediction && count > 0 && count > (worst?.count ?? 0))
        worst = { truth, prediction, count }
    }),
  )
  return worst
}

/** How good the model is, in plain words, and how sure one may be of it. */
export function reviewVerdict(evaluation: Evaluation, modelType: TrainSettings['modelType']): Verdict {
  const words = texts.review.verdict
  const total = evaluation.videos.length
  const right = rightCount(evaluation)
  const chance = 1 / Math.max(1, evaluation.classNames.length)
  const worst = worstConfusion(evaluation.confusion)
  const { low, high } = wilsonInterval(right, total)
  const luck = total < enoughClips ? words.luck(low, high) : ''
  const mistake =
    worst === null || (worst.count === 1 && total - right > 1)
      ? ''
      : words.worst(
          evaluation.classNames[worst.truth] ?? '',
          evaluation.classNames[worst.prediction] ?? '',
          worst.count,
        )
  const body = [mistake, luck].filter((sentence) => sentence !== '').join(' ')
  if (total === 0) return { tone: 'warn', ...words.nothing }
  if (right === total) return { tone: 'ok', title: words.allRight(total), body }
  if (evaluation.accuracy >= 0.8) return { tone: 'ok', title: words.good(right, total), body }
  if (evaluation.accuracy > chance * 1.5) return { tone: 'info', title: words.partly(right, total), body }
  return {
    tone: 'warn',
    title: words.weak(right, total),
    body: [words.weakAdvice(modelType), body].join(' '),
  }
}
