import { z } from 'zod'
import type { JsonValue } from '../../engine/checkpoint/index.ts'

/** The figures of a validated epoch. */
export interface ValidatedEpoch {
  /** From 0. */
  epoch: number
  /** Fraction 0..1. */
  accuracy: number
  loss: number
}

const savedState = z.object({
  epoch: z.int().min(0),
  accuracy: z.number(),
  loss: z.number(),
  lastValidated: z.int().min(0),
})

/**
 * Knows the best epoch so far: the one with the highest validation accuracy, of equals the one with the lowest loss (few
 * validation videos give few different accuracies), of these the first.
 */
export class BestEpoch {
  #best: ValidatedEpoch | null = null
  #lastValidated = 0

  /** @param saved `state()` of the run that goes on; anything else begins anew. */
  constructor(saved?: JsonValue) {
    const parsed = savedState.safeParse(saved)
    if (!parsed.success) return
    const { lastValidated, ...best } = parsed.data
    this.#best = best
    this.#lastValidated = lastValidated
  }

  get epoch(): ValidatedEpoch | null {
    return this.#best
  }

  /** @returns True when `figures` are the best so far. */
  observe(figures: ValidatedEpoch): boolean {
    const best = this.#best
    const better =
      best === null ||
      figures.accuracy > best.accuracy ||
      (figures.accuracy === best.accuracy && figures.loss < best.loss)
    if (better) this.#best = figures
    this.#lastValidated = figures.epoch
    return better
  }

  /**
   * True when the best epoch lies `patience` or more epochs before the last one that was validated.
   * @param patience 0 never ends training.
   */
  isStale(patience: number): boolean {
    return patience > 0 && this.#best !== null && this.#lastValidated - this.#best.epoch >= patience
  }

  state(): JsonValue {
    return this.#best === null ? null : { ...this.#best, lastValidated: this.#lastValidated }
  }
}
