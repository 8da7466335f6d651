import type { NetworkConfig } from '../index.ts'
import type { TensorMap } from '../tensor.ts'

/** What JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

/** Settings of the stochastic gradient descent that the momentum belongs to. */
export interface OptimizerSettings {
  learningRate: number
  momentum: number
  weightDecay: number
}

/** The state of a training run at the end of an epoch. */
export interface Checkpoint {
  /** Weights and BatchNorm buffers, by torch's names without `model.`. */
  parameters: TensorMap
  /**
   * What training goes on with where that is not `parameters`: there an exponential moving average of the weights is what
   * validation looked at. As Lightning's WeightAveraging, the average is the `state_dict` of the file, so that every
   * reader uses it, and these are its `current_model_state`.
   */
  trained?: TensorMap
  /** Momentum by name of the weight; empty when there is none. */
  momentum: TensorMap
  /** Last finished epoch, from 0 as TAO counts; -1 when the file does not say. */
  epoch: number
  /** Optimizer steps so far. */
  globalStep: number
  /** Absent in files that others wrote. */
  network?: NetworkConfig
  classNames?: string[]
  /** Goes into torch's `param_groups`; without it TAO's defaults (0.0005, 0.9, 0.0005) are written there. */
  optimizer?: OptimizerSettings
  /** Whatever else the caller wants back: seed, state of the learning-rate schedule, metrics. */
  extra: Record<string, JsonValue>
}
