export type { Tensor, TensorMap } from './tensor.ts'
export { streamsOf, type Stream, type StreamInputs } from '../core/streams.ts'
export {
  networkInputs,
  outputName,
  sequenceLengthOf,
  type Backbone,
  type NetworkConfig,
  type NetworkInput,
} from './nets/network.ts'
export { initialState, type TrainingState } from './nets/parameters.ts'
export { buildInferenceModel } from './nets/inference-model.ts'
export type { LoweringChoice } from './nets/lowering-plan.ts'
export {
  TrainingSession,
  type Hyperparameters,
  type StepResult,
  type TrainingBatch,
  type TrainingOptions,
} from './runtime/training-session.ts'
export type { SavedAverage } from './runtime/weight-average.ts'
export { EvaluationSession, type EvaluationOptions } from './runtime/evaluation-session.ts'
