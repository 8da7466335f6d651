import { KineoError } from '../../core/errors.ts'

/** Labels of a batch and, where they are not one-hot, the rows that the loss compares with. */
export interface LabelledBatch {
  labels: Int32Array
  targets?: Float32Array | null
  count: number
}

/**
 * The rows that the loss compares with, [count, classCount].
 * @throws KineoError `input` for a label that no class has, and for rows that are too few or hold no weights.
 */
export function targetRows({ labels, targets, count }: LabelledBatch, classCount: number): Float32Array {
  const rows = oneHot(labels, count, classCount)
  if (targets === undefined || targets === null) return rows
  const given = targets.subarray(0, rows.length)
  if (given.length < rows.length || !given.every((value) => value >= 0 && value < Infinity)) {
    throw new KineoError('input', `The targets of ${count} clips are not ${classCount} weights each`)
  }
  return given
}

/** @throws KineoError `input` for a label that no class has. */
export function oneHot(labels: Int32Array, count: number, classCount: number): Float32Array {
  const rows = new Float32Array(count * classCount)
  for (let sample = 0; sample < count; sample++) {
    const label = labels[sample] ?? -1
    if (label < 0 || label >= classCount) {
      throw new KineoError('input', `A clip has class ${label} where 0 to ${classCount - 1} are expected`)
    }
    rows[sample * classCount + label] = 1
  }
  return rows
}
