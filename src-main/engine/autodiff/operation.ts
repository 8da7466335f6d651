import type { GraphBuilder } from '../onnx/graph-builder.ts'
import type { GraphValue } from '../onnx/shape-inference.ts'
import type { ParameterLayout } from './parameter-layout.ts'

/**
 * Order in which the elements of an activation stand in memory; its logical shape is always [N, C, ...spatial].
 * `nchw`: as torch, [N, C, ...spatial]. `hwnc`: [...spatial, N, C], in which a spatial axis is transformed by one
 * matrix product and a channel statistic is a column sum. Values without spatial axes are `nchw`.
 */
export type Layout = 'nchw' | 'hwnc'

/** Mean and biased variance over the batch, each [C]. */
export interface BatchStatistics {
  mean: GraphValue
  variance: GraphValue
}

export interface Lowered {
  output: GraphValue
  /**
   * Adds the nodes of the gradient.
   * @param gradient Gradient of the loss with respect to `output`, in its layout.
   * @param wanted Which inputs need theirs.
   * @returns For each input its gradient in the layout it was given in, or null where none is wanted.
   */
  backward: (gradient: GraphValue, wanted: readonly boolean[]) => (GraphValue | null)[]
  statistics?: BatchStatistics
}

/** One way to write an operation, forward and backward, as ONNX nodes. */
export interface Lowering<Attributes> {
  name: string
  /** Layout of the activations it takes; others are converted first. */
  layout: Layout
  outputLayout: Layout
  /** For inputs that are parameters, by position: the layout in which the weight is kept through training. */
  parameterLayouts?: readonly (ParameterLayout | null)[]
  /** False where this way does not exist for these logical shapes. */
  supports?: (shapes: readonly (readonly number[])[], attributes: Attributes) => boolean
  lower: (
    graph: GraphBuilder,
    inputs: readonly GraphValue[],
    attributes: Attributes,
    /** Logical shapes of the inputs and the output. */
    shapes: { inputs: readonly (readonly number[])[]; output: readonly number[] },
  ) => Lowered
}

/** One row of the operation table: its shape rule, and its lowerings with their gradients, most general first. */
export interface Operation<Attributes> {
  name: string
  /** Logical shape of the output. @throws Error when the inputs do not fit. */
  shape: (inputs: readonly (readonly number[])[], attributes: Attributes) => number[]
  lowerings: readonly Lowering<Attributes>[]
}

/** `values[index]`, which must be there. */
export function item<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new Error(`nothing at ${index} of ${values.length}`)
  return value
}
