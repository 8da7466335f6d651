import { Random } from '../core/random.ts'
import type { StreamInputs } from '../core/streams.ts'

/** Sets the draws for mixing apart from those of other purposes. */
const mixing = 0x6d78

/**
 * Mixes the clips of a batch in pairs (mixup, Zhang et al. 2018): x = share x_i + (1 - share) x_j, and the same for the
 * one-hot rows of the labels, with one share drawn from Beta(alpha, alpha) and a random partner j for every clip. The
 * larger part is always the clip's own, which changes no pair but keeps `labels` the classes that are mostly seen.
 * Both streams are mixed alike. A single clip stays as it is.
 *
 * @param inputs Clips one after another; changed in place.
 * @param labels Class index of each clip.
 * @param coordinates What the draws depend on, such as seed, epoch and batch.
 * @returns float32 [count, classCount], rows that sum to 1.
 */
export function mixClips(
  inputs: StreamInputs,
  labels: Int32Array,
  classCount: number,
  alpha: number,
  coordinates: readonly number[],
): Float32Array {
  const count = labels.length
  const random = new Random(...coordinates, mixing, 0)
  const drawn = drawBeta(alpha, random)
  const share = Math.max(drawn, 1 - drawn)
  const partners = random.shuffle(Array.from({ length: count }, (_, index) => index))
  const targets = new Float32Array(count * classCount)
  for (const [index, partner] of partners.entries()) {
    const add = (clip: number, part: number): void => {
      const at = index * classCount + (labels[clip] ?? 0)
      targets[at] = (targets[at] ?? 0) + part
    }
    add(index, share)
    add(partner, 1 - share)
  }
  for (const values of Object.values(inputs)) mixInPlace(values, partners, share)
  return targets
}

/** Walks each cycle of the permutation, so that only the first clip of a cycle has to be kept aside. */
function mixInPlace(values: Float32Array, partners: readonly number[], share: number): void {
  const size = values.length / partners.length
  const clip = (index: number): Float32Array => values.subarray(index * size, (index + 1) * size)
  const done = new Set<number>()
  for (const start of partners.keys()) {
    if (done.has(start) || partners[start] === start) continue
    const first = clip(start).slice()
    for (let index = start; !done.has(index); index = partners[index] ?? start) {
      done.add(index)
      const partner = partners[index] ?? start
      const own = clip(index)
      const other = partner === start ? first : clip(partner)
      for (let i = 0; i < size; i++) own[i] = share * (own[i] ?? 0) + (1 - share) * (other[i] ?? 0)
    }
  }
}

/**
 * A number from Beta(alpha, alpha), as one of two gamma numbers to their sum; for alpha below 1 by Jöhnk's method, in
 * logarithms since the powers of a small alpha vanish.
 */
export function drawBeta(alpha: number, random: Random): number {
  if (alpha >= 1) {
    const [a, b] = [drawGamma(alpha, random), drawGamma(alpha, random)]
    return a / (a + b)
  }
  for (;;) {
    const a = Math.log(1 - random.uniform()) / alpha
    const b = Math.log(1 - random.uniform()) / alpha
    const most = Math.max(a, b)
    const sum = most + Math.log(Math.exp(a - most) + Math.exp(b - most))
    if (sum <= 0) return Math.exp(a - sum)
  }
}

/** Marsaglia and Tsang 2000, for shapes of 1 or more. */
function drawGamma(shape: number, random: Random): number {
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random.uniform()) < (x * x) / 2 + d * (1 - v + Math.log(v))) return d * v
  }
}
