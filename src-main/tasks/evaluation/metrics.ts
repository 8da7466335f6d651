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

export interface ClassificationMetrics {
  /** Share of all clips that are right, 0..1. */
  accuracy: number
  /** Recall of each class, 0..1; null for a class without clips. */
  classAccuracies: (number | null)[]
  /** Mean recall of the classes that have clips. */
  meanClassAccuracy: number
  /** TAO's `m_accuracy`: as above, but a class without clips counts as 0. */
  meanOverLabelMap: number
}

/** Figures of a confusion matrix that holds at least one clip. */
export function classificationMetrics(confusion: readonly (readonly number[])[]): ClassificationMetrics {
  const rowSums = confusion.map((row) => row.reduce((sum, count) => sum + count, 0))
  const total = rowSums.reduce((sum, count) => sum + count, 0)
  const right = confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0)
  const classAccuracies = confusion.map((row, i) => {
    const count = rowSums[i] ?? 0
    return count === 0 ? null : (row[i] ?? 0) / count
  })
  const present = classAccuracies.filter((accuracy) => accuracy !== null)
  const sum = present.reduce((total, accuracy) => total + accuracy, 0)
  return {
    accuracy: right / total,
    classAccuracies,
    meanClassAccuracy: sum / present.length,
    meanOverLabelMap: sum / confusion.length,
  }
}
