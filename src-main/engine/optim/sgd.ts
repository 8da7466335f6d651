import type { GraphBuilder } from '../onnx/graph-builder.ts'
import type { GraphValue } from '../onnx/shape-inference.ts'

/** Scalars of one step, as graph inputs. */
export interface SgdInputs {
  learningRate: GraphValue
  momentum: GraphValue
  weightDecay: GraphValue
}

/** One weight with its gradient and its momentum, all in the weight's stored layout. */
export interface SgdWeight {
  value: GraphValue
  gradient: GraphValue
  momentum: GraphValue
}

/**
 * SGD with momentum and weight decay as torch.optim.SGD (no dampening, no Nesterov):
 * g = gradient + weightDecay w; m = momentum m + g; w = w - learningRate m.
 */
export function sgdUpdate(
  graph: GraphBuilder,
  weight: SgdWeight,
  hyper: SgdInputs,
): { value: GraphValue; momentum: GraphValue } {
  const decayed = graph.add(weight.gradient, graph.mul(weight.value, hyper.weightDecay))
  const momentum = graph.add(graph.mul(weight.momentum, hyper.momentum), decayed)
  return { value: graph.sub(weight.value, graph.mul(momentum, hyper.learningRate)), momentum }
}

/**
 * Scales all gradients together so that their joint norm is at most `maxNorm`, as torch.nn.utils.clip_grad_norm_.
 * @returns The norm before, a scalar, and the scaled gradients by name.
 */
export function clipByGlobalNorm(
  graph: GraphBuilder,
  gradients: ReadonlyMap<string, GraphValue>,
  maxNorm: GraphValue,
): { norm: GraphValue; gradients: Map<string, GraphValue> } {
  const squares = [...gradients.values()].map((gradient) => {
    const sum = graph.node('ReduceSumSquare', [gradient], { keepdims: 0 })
    return graph.reshape(sum, [])
  })
  const norm = graph.node('Sqrt', [graph.node('Sum', squares)])
  const ratio = graph.node('Div', [maxNorm, graph.add(norm, graph.scalar(1e-6))])
  const factor = graph.node('Min', [ratio, graph.scalar(1)])
  return {
    norm,
    gradients: new Map([...gradients].map(([name, gradient]) => [name, graph.mul(gradient, factor)])),
  }
}
