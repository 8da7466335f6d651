export interface LossSettings {
  /** Share of each target that is spread evenly over all classes, 0..1. */
  labelSmoothing: number
  /** Weight of each class, by index; null when all count alike. */
  classWeights: readonly number[] | null
}

/**
 * The rows that cross-entropy is taken against, such that the mean over the clips is what
 * `torch.nn.functional.cross_entropy(logits, targets, weight, label_smoothing=...)` gives: weighted by class, and divided
 * by the sum of the weights of the clips' classes.
 *
 * @param labels Class index of each clip; used where `mixed` is null.
 * @param mixed [count, classes], each row a mixture of classes that sums to 1.
 * @returns [count, classes]
 */
export function lossTargets(
  settings: LossSettings,
  batch: { labels: Int32Array; mixed: Float32Array | null; count: number },
  classCount: number,
): Float32Array {
  const { labelSmoothing, classWeights } = settings
  const { labels, mixed, count } = batch
  const weights = classWeights ?? new Array<number>(classCount).fill(1)
  const shareOf = (clip: number, k: number): number =>
    mixed === null ? Number(labels[clip] === k) : (mixed[clip * classCount + k] ?? 0)

  let weightSum = 0
  for (let clip = 0; clip < count; clip++) {
    for (let k = 0; k < classCount; k++) weightSum += (weights[k] ?? 0) * shareOf(clip, k)
  }
  // A batch whose classes all weigh nothing teaches nothing.
  const scale = weightSum > 0 ? count / weightSum : 0
  const rows = new Float32Array(count * classCount)
  for (let clip = 0; clip < count; clip++) {
    for (let k = 0; k < classCount; k++) {
      const smooth = (1 - labelSmoothing) * shareOf(clip, k) + labelSmoothing / classCount
      rows[clip * classCount + k] = scale * (weights[k] ?? 0) * smooth
    }
  }
  return rows
}

/**
 * The weight of each class, by index.
 * @param setting `none`; `balanced`: videos / (classes * videos of the class), as scikit-learn counts it, over the classes
 * that have videos; or a weight for each named class, 1 for the others.
 * @returns null for `none`.
 */
export function classWeightsOf(
  setting: 'none' | 'balanced' | Readonly<Record<string, number>>,
  classNames: readonly string[],
  videosPerClass: readonly number[],
): number[] | null {
  if (setting === 'none') return null
  if (setting === 'balanced') {
    const present = videosPerClass.filter((count) => count > 0)
    const total = present.reduce((sum, count) => sum + count, 0)
    return classNames.map((_, k) => {
      const count = videosPerClass[k] ?? 0
      return count === 0 ? 1 : total / (present.length * count)
    })
  }
  return classNames.map((name) => (Object.hasOwn(setting, name) ? (setting[name] ?? 1) : 1))
}
