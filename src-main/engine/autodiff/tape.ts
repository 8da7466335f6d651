import type { GraphBuilder } from '../onnx/graph-builder.ts'
import { elementCount, knownShape, type GraphValue } from '../onnx/shape-inference.ts'
import { item, type BatchStatistics, type Layout, type Lowered, type Operation } from './operation.ts'
import { storedShape, type ParameterLayout } from './parameter-layout.ts'

/** A value that the loss depends on: an activation in some layout, or a parameter. */
export interface Variable {
  /** The value in the graph, in the physical shape of its layout. */
  readonly value: GraphValue
  /** Logical shape: [N, C, ...spatial] of an activation, torch's of a parameter. */
  readonly shape: readonly number[]
  readonly layout: Layout
  readonly needsGradient: boolean
}

/** A weight. Its layout is settled by the operation that uses it. */
export interface Parameter {
  readonly name: string
  readonly shape: readonly number[]
  /** Training does not change it, so it needs no gradient. */
  readonly frozen?: boolean
}

/** A parameter in the graph. */
export interface BoundParameter extends Parameter {
  readonly layout: ParameterLayout
  readonly storedShape: readonly number[]
  readonly input: GraphValue
  readonly frozen: boolean
}

interface Step {
  scope: string
  inputs: readonly Variable[]
  output: Variable
  lowered: Lowered
}

function isParameter(input: Variable | Parameter): input is Parameter {
  return 'name' in input
}

/** Physical shape of an activation. */
export function physicalShape(shape: readonly number[], layout: Layout): number[] {
  if (layout === 'nchw') return [...shape]
  const [batch = 1, channels = 1, ...spatial] = shape
  return [...spatial, batch, channels]
}

/**
 * Records operations while the forward pass is written and then writes the backward pass in reverse order:
 * reverse-mode automatic differentiation at the time the graph is built.
 */
export class Tape {
  readonly graph: GraphBuilder
  readonly #steps: Step[] = []
  readonly #parameters = new Map<string, { bound: BoundParameter; variable: Variable }>()
  readonly #converted = new Map<Variable, Variable>()

  constructor(graph: GraphBuilder) {
    this.graph = graph
  }

  /** Parameters in the order of their first use. */
  get parameters(): BoundParameter[] {
    return [...this.#parameters.values()].map((entry) => entry.bound)
  }

  /** A value that enters the graph from outside, in torch's layout. */
  source(value: GraphValue, needsGradient = false): Variable {
    return { value, shape: knownShape(value), layout: 'nchw', needsGradient }
  }

  /**
   * Adds one operation.
   * @param scope Name of the layer, which becomes part of the nodes' names.
   * @param prefer Name of the lowering to use; without one, the first that takes the input's layout.
   */
  apply<Attributes>(
    operation: Operation<Attributes>,
    inputs: readonly (Variable | Parameter)[],
    attributes: Attributes,
    scope: string,
    prefer?: string,
  ): { output: Variable; statistics: BatchStatistics | undefined } {
    const shapes = inputs.map((input) => input.shape)
    const usable = operation.lowerings.filter((way) => way.supports?.(shapes, attributes) ?? true)
    const layouts = inputs.flatMap((input) => (isParameter(input) ? [] : [input.layout]))
    const lowering =
      prefer === undefined
        ? (usable.find((way) => way.layout === layouts[0]) ?? usable[0])
        : usable.find((way) => way.name === prefer)
    if (lowering === undefined) {
      throw new Error(`no lowering ${prefer ?? ''} of ${operation.name} for [${shapes.join('] [')}]`)
    }
    const variables = inputs.map((input, i) =>
      isParameter(input)
        ? this.#bind(input, lowering.parameterLayouts?.[i] ?? 'torch')
        : this.convert(input, lowering.layout),
    )
    const shape = operation.shape(shapes, attributes)
    this.graph.scope(`${scope}/forward`)
    const lowered = lowering.lower(
      this.graph,
      variables.map((variable) => variable.value),
      attributes,
      { inputs: shapes, output: shape },
    )
    const output: Variable = {
      value: this.graph.reshape(lowered.output, physicalShape(shape, lowering.outputLayout)),
      shape,
      layout: lowering.outputLayout,
      needsGradient: variables.some((variable) => variable.needsGradient),
    }
    this.#steps.push({ scope, inputs: variables, output, lowered })
    return { output, statistics: lowered.statistics }
  }

  /** The same activation in another layout; the change itself is differentiable. */
  convert(variable: Variable, layout: Layout): Variable {
    if (variable.layout === layout || variable.shape.length < 3) return variable
    const known = this.#converted.get(variable)
    if (known !== undefined) return known
    this.graph.scope('layout/forward')
    const output: Variable = {
      value: changeLayout(this.graph, variable.value, variable.shape, layout),
      shape: variable.shape,
      layout,
      needsGradient: variable.needsGradient,
    }
    const backward: Lowered['backward'] = (gradient) => [
      changeLayout(this.graph, gradient, variable.shape, variable.layout),
    ]
    this.#steps.push({
      scope: 'layout',
      inputs: [variable],
      output,
      lowered: { output: output.value, backward },
    })
    this.#converted.set(variable, output)
    this.#converted.set(output, variable)
    return output
  }

  /**
   * Writes the backward pass.
   * @param output What to differentiate.
   * @param seed Gradient of the loss with respect to `output`, in its physical shape.
   * @returns Gradients of the sources that need one and of the parameters by name, in their stored layouts.
   */
  backward(
    output: Variable,
    seed: GraphValue,
  ): { sources: Map<Variable, GraphValue>; parameters: Map<string, GraphValue> } {
    const pending = new Map<Variable, GraphValue[]>([[output, [seed]]])
    for (const step of this.#steps.toReversed()) {
      const gradient = this.#total(step.output, pending)
      if (gradient === undefined || !step.output.needsGradient) continue
      pending.delete(step.output)
      this.graph.scope(`${step.scope}/backward`)
      const wanted = step.inputs.map((input) => input.needsGradient)
      step.lowered.backward(gradient, wanted).forEach((value, i) => {
        const input = item(step.inputs, i)
        if (value === null || !input.needsGradient) return
        const list = pending.get(input) ?? []
        list.push(value)
        pending.set(input, list)
      })
    }
    const parameters = new Map<string, GraphValue>()
    for (const { bound, variable } of this.#parameters.values()) {
      const gradient = this.#total(variable, pending)
      if (gradient !== undefined) parameters.set(bound.name, gradient)
      pending.delete(variable)
    }
    const sources = new Map<Variable, GraphValue>()
    for (const variable of pending.keys()) {
      const gradient = this.#total(variable, pending)
      if (gradient !== undefined) sources.set(variable, gradient)
    }
    return { sources, parameters }
  }

  /** The sum of all gradients that reached a variable, in its physical shape. */
  #total(variable: Variable, pending: ReadonlyMap<Variable, GraphValue[]>): GraphValue | undefined {
    const list = pending.get(variable)
    if (list === undefined) return undefined
    this.graph.scope('gradient-sum')
    const shape = knownShape(variable.value)
    const values = list.map((value) => this.graph.reshape(value, shape))
    return values.reduce((sum, value) => this.graph.add(sum, value))
  }

  #bind(parameter: Parameter, layout: ParameterLayout): Variable {
    const known = this.#parameters.get(parameter.name)
    if (known !== undefined) {
      if (known.bound.layout !== layout) throw new Error(`${parameter.name} is used in two layouts`)
      return known.variable
    }
    const stored = storedShape(layout, parameter.shape)
    const input = this.graph.input(parameter.name, stored)
    const frozen = parameter.frozen ?? false
    const variable: Variable = {
      value: input,
      shape: parameter.shape,
      layout: 'nchw',
      needsGradient: !frozen,
    }
    this.#parameters.set(parameter.name, {
      bound: { name: parameter.name, shape: parameter.shape, layout, storedShape: stored, input, frozen },
      variable,
    })
    return variable
  }
}

/** Both layouts are one matrix transpose apart: [N C, spatial] <-> [spatial, N C]. */
function changeLayout(
  graph: GraphBuilder,
  value: GraphValue,
  shape: readonly number[],
  layout: Layout,
): GraphValue {
  const [batch = 1, channels = 1, ...spatial] = shape
  const rows = batch * channels
  const columns = elementCount(spatial)
  const flat = graph.reshape(value, layout === 'hwnc' ? [rows, columns] : [columns, rows])
  return graph.reshape(graph.transpose(flat, [1, 0]), physicalShape(shape, layout))
}
