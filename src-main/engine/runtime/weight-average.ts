import type { TensorMap } from '../tensor.ts'
import type { DeviceState } from './training-state.ts'

/** An average that was saved, to go on from. */
export interface SavedAverage {
  /** In torch's names and layouts. */
  parameters: TensorMap
  /** Updates that it has had. */
  updates: number
}

/**
 * Exponential moving average of the weights and running statistics (Polyak averaging; as timm's ModelEma, which averages
 * the buffers, too): average = d average + (1 - d) value after each update, with
 * d = min(decay, (1 + updates) / (10 + updates)) as TensorFlow's ExponentialMovingAverage, so that the random start is
 * soon forgotten in short trainings.
 */
export class WeightAverage {
  readonly #decay: number
  readonly #state: DeviceState
  readonly #values = new Map<string, Float32Array>()
  #updates = 0

  constructor(decay: number, state: DeviceState) {
    this.#decay = decay
    this.#state = state
  }

  /** Starts from the current state, or goes on from what was saved. */
  start(saved: SavedAverage | undefined): void {
    this.#updates = saved?.updates ?? 0
    for (const name of this.#state.valueNames()) {
      const values = Float32Array.from(this.#state.stored(name))
      const source = saved?.parameters.get(name)?.data
      if (source instanceof Float32Array && source.length === values.length) {
        this.#state.store(name, source, values)
      }
      this.#values.set(name, values)
    }
  }

  /** Call after each step of the optimizer. */
  update(): void {
    const share = 1 - Math.min(this.#decay, (1 + this.#updates) / (10 + this.#updates))
    this.#updates += 1
    for (const [name, average] of this.#values) {
      const current = this.#state.stored(name)
      for (let i = 0; i < average.length; i++) {
        const value = average[i] as number
        average[i] = value + share * ((current[i] as number) - value)
      }
    }
  }

  /** A copy in torch's names and layouts. */
  save(): SavedAverage {
    const parameters = this.#state.exportValues((name) => this.#values.get(name) ?? new Float32Array())
    return { parameters, updates: this.#updates }
  }
}
