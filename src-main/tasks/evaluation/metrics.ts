/** Index of the largest value; the first one where several are equal, as torch.argmax on CPU. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) {
    if ((values[i] ?? -Infinity) > (values[best] ?? -Infinity)) best = i
  }
  return best
}

/** Softmax of one row of logits, in float64. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits)
  const largest = Math.max(...values)
  const exponentials = values.map((value) => Math.exp(value - largest))
  const sum = exponentials.reduce((total, value) => total + value, 0)
  return exponentials.map((value) => value / sum)
}

/** Cross-entropy of one row of logits against the true class, in nats. */
export function crossEntropy(logits: ArrayLike<number>, trueClass: number): number {
  const values = Array.from(logits)
  const largest = Math.max(...values)
  const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0)
  return largest + Math.log(sum) - (values[trueClass] ?? NaN)
}

/** The mean of each column of `rows`, which are equally long. */
export function meanRow(rows: readonly (readonly number[])[]): number[] {
  const width = rows[0]?.length ?? 0
  return Array.from(
    { length: width },
    (_, k) => rows.reduce((sum, row) => sum + (row[k] ?? 0), 0) / rows.length,
  )
}

/**
 * Share of rows whose true class is among the `k` largest scores, 0..1; of equal scores the first class counts first.
 * @param truths Class indices, one for each row.
 */
export function topKAccuracy(
  rows: readonly (readonly number[])[],
  truths: readonly number[],
  k: number,
): number {
  const right = rows.filter((row, i) => {
    const truth = truths[i] ?? -1
    const own = row[truth] ?? -Infinity
    const ahead = row.filter((score, other) => score > own || (score === own && other < truth))
    return ahead.length < k
  })
  return right.length / rows.length
}

/**
 * Counts of true class (row) against predicted class (column).
 * @param truths Class indices.
 * @param predictions Class indices, one for each truth.
 */
export function confusionMatrix(
  truths: readonly number[],
  predictions: readonly number[],
  classCount: number,
): number[][] {
  const matrix = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0))
  truths.forEach((truth, i) => {
    const row = matrix[truth]
    const prediction = predictions[i]
    if (row === undefined || prediction === undefined || row[prediction] === undefined) {
      throw new RangeError(`class out of range: ${truth}, ${prediction}`)
    }
    row[prediction] += 1
  })
  return matrix
}

/** Figures of one class. */
export interface ClassMetrics {
  /** Videos of the class. */
  support: number
  /** Share of the class's videos that are found, 0..1; null for a class without videos. */
  recall: number | null
  /** Share of right ones among the videos that were taken for the class, 0..1; null when there are none. */
  precision: number | null
  /** Harmonic mean of both, 0..1; null when no video is of the class or was taken for it. */
  f1: number | null
}

export interface ClassificationMetrics {
  /** Share of all videos that are right, 0..1. */
  accuracy: number
  /** By class index. */
  classes: ClassMetrics[]
  /** Mean recall of the classes that have videos. */
  meanClassAccuracy: number
  /** TAO's `m_accuracy`: as above, but a class without videos counts as 0. */
  meanOverLabelMap: number
}

/** Figures of a confusion matrix that holds at least one video. */
export function classificationMetrics(confusion: readonly (readonly number[])[]): ClassificationMetrics {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
  const classes = confusion.map((row, k): ClassMetrics => {
    const support = sum(row)
    const taken = sum(confusion.map((other) => other[k] ?? 0))
    const right = row[k] ?? 0
    return {
      support,
      recall: share(right, support),
      precision: share(right, taken),
      f1: share(2 * right, support + taken),
    }
  })
  const recalls = classes.map(({ recall }) => recall).filter((recall) => recall !== null)
  return {
    accuracy: sum(confusion.map((row, k) => row[k] ?? 0)) / sum(classes.map(({ support }) => support)),
    classes,
    meanClassAccuracy: sum(recalls) / recalls.length,
    meanOverLabelMap: sum(recalls) / confusion.length,
  }
}
