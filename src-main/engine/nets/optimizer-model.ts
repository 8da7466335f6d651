import type { BoundParameter } from '../autodiff/tape.ts'
import { GraphBuilder, type GraphValue } from '../onnx/graph-builder.ts'
import { clipByGlobalNorm, sgdUpdate } from '../optim/sgd.ts'
import { accumulatedName, momentumName, nextName, stepNames } from './step-names.ts'

/** A weight in a graph: its name, its stored shape and the value itself. */
type TrainedWeight = Pick<BoundParameter, 'name' | 'storedShape' | 'input'>

/**
 * Adds SGD for every weight. Inputs: `learning_rate`, `momentum`, `weight_decay`, with clipping `max_norm` (scalars),
 * and the momentum of each weight. Outputs: with clipping `grad_norm`, and the new weights and momentum.
 */
export function writeOptimizer(
  graph: GraphBuilder,
  weights: readonly TrainedWeight[],
  gradients: ReadonlyMap<string, GraphValue>,
  clip: boolean,
): void {
  graph.scope('optimizer')
  const scalar = (name: string): GraphValue => graph.input(name, [])
  const hyper = {
    learningRate: scalar(stepNames.learningRate),
    momentum: scalar(stepNames.momentum),
    weightDecay: scalar(stepNames.weightDecay),
  }
  let applied = gradients
  if (clip) {
    const clipped = clipByGlobalNorm(graph, gradients, scalar(stepNames.maxNorm))
    graph.output(clipped.norm, stepNames.gradNorm)
    applied = clipped.gradients
  }
  for (const { name, input: value, storedShape } of weights) {
    const gradient = applied.get(name)
    if (gradient === undefined) throw new Error(`${name} has no gradient`)
    const momentum = graph.input(momentumName(name), storedShape)
    const next = sgdUpdate(graph, { value, gradient, momentum }, hyper)
    graph.output(next.value, nextName(name))
    graph.output(next.momentum, nextName(momentumName(name)))
  }
}

/**
 * Writes the step of the optimizer alone, for gradients that were summed over several batches: their sums (of each
 * batch's mean times its samples) divided by the samples of all. Inputs beside those of writeOptimizer: the weights, the
 * sums, and `samples`.
 */
export function buildOptimizerModel(weights: readonly TrainedWeight[], clip: boolean): Uint8Array {
  const graph = new GraphBuilder('OptimizerStep')
  const samples = graph.input(stepNames.samples, [])
  const inputs = weights.map(({ name, storedShape }) => ({
    name,
    storedShape,
    input: graph.input(name, storedShape),
  }))
  graph.scope('mean')
  const means = new Map(
    weights.map(({ name, storedShape }) => [
      name,
      graph.node('Div', [graph.input(accumulatedName(name), storedShape), samples]),
    ]),
  )
  writeOptimizer(graph, inputs, means, clip)
  return graph.build()
}
