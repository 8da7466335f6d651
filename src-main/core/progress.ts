/** The one shape in which long work reports how far it is. */
export interface Progress {
  /** Units finished so far. */
  done: number
  /** Units in all, or null while unknown. */
  total: number | null
  /** What is counted, in the plural: `clips`, `frames`, `steps`. */
  unit: string
  /** Expected remaining time, or null while too little is known. */
  remainingSeconds: number | null
  /** What is being worked on now. */
  note?: string
}

export type ReportProgress = (progress: Progress) => void

/**
 * Remaining time from a moving median of the time per unit, which one slow unit cannot upset.
 * Time before the first `update` is not counted.
 */
export class RemainingTime {
  readonly #window: number
  readonly #samples: number[] = []
  #lastDone: number | undefined
  #lastTime = 0

  constructor(window = 31) {
    this.#window = window
  }

  /**
   * @param done Units finished so far; must not fall.
   * @param total Units in all.
   * @param now Milliseconds of a monotonic clock.
   * @returns Remaining seconds, or null until the second update that moved.
   */
  update(done: number, total: number, now: number = performance.now()): number | null {
    if (this.#lastDone !== undefined && done > this.#lastDone) {
      this.#samples.push((now - this.#lastTime) / (done - this.#lastDone))
      if (this.#samples.length > this.#window) this.#samples.shift()
    }
    if (this.#lastDone === undefined || done > this.#lastDone) {
      this.#lastDone = done
      this.#lastTime = now
    }
    if (this.#samples.length === 0) return null
    const sorted = [...this.#samples].sort((a, b) => a - b)
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0
    return Math.max(0, ((total - done) * median) / 1000)
  }
}

/** `40 s`, `4 min`, `1 h 25 min`: steps of 5 s below a minute, whole minutes above, of 5 min above an hour. */
export function formatRemaining(remainingSeconds: number): string {
  if (remainingSeconds < 60) return `${Math.max(5, Math.ceil(remainingSeconds / 5) * 5)} s`
  const minutes = Math.round(remainingSeconds / 60)
  if (minutes < 60) return `${minutes} min`
  const rounded = Math.round(minutes / 5) * 5
  const rest = rounded % 60
  return rest === 0 ? `${Math.floor(rounded / 60)} h` : `${Math.floor(rounded / 60)} h ${rest} min`
}
