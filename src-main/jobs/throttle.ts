/** Passes on the newest value at most once in an interval; `flush` passes on one that still waits. */
export class Throttle<Value> {
  readonly #interval: number
  readonly #pass: (value: Value) => void
  #passedAt = Number.NEGATIVE_INFINITY
  #waiting: { value: Value } | null = null

  /** @param interval Milliseconds. */
  constructor(interval: number, pass: (value: Value) => void) {
    this.#interval = interval
    this.#pass = pass
  }

  put(value: Value): void {
    this.#waiting = { value }
    if (performance.now() - this.#passedAt >= this.#interval) this.flush()
  }

  flush(): void {
    if (this.#waiting === null) return
    const { value } = this.#waiting
    this.#waiting = null
    this.#passedAt = performance.now()
    this.#pass(value)
  }
}
