import type { Window } from '../autodiff/operations.ts'

/** A convolution and how many channels it makes. */
export interface ConvolutionLayer extends Window {
  outChannels: number
}

/**
 * The layers a network is made of. The same description of a network is read several ways: to list its parameters, to
 * choose lowerings, to write the training step, and to write the model for inference. `name` is torch's name of the
 * module.
 */
export interface Layers<Value> {
  convolution: (x: Value, name: string, layer: ConvolutionLayer) => Value
  batchNorm: (x: Value, name: string) => Value
  activation: (x: Value) => Value
  add: (a: Value, b: Value) => Value
  maxPool: (x: Value, window: Window) => Value
  globalAveragePool: (x: Value) => Value
  dropout: (x: Value, name: string) => Value
  linear: (x: Value, name: string, outFeatures: number) => Value
  /** Features of several streams side by side: [N, A], [N, B] -> [N, A + B]. */
  concat: (values: readonly Value[]) => Value
}
