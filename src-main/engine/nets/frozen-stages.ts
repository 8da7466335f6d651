import type { Variable } from '../autodiff/tape.ts'
import type { GraphBuilder, GraphValue } from '../onnx/graph-builder.ts'
import { batchNormEpsilon } from './inference-model.ts'

/** Stages of a residual network that can be frozen: the stem and layer1 to layer4. */
export const mostFrozenStages = 5

/**
 * Whether a module or tensor lies in the first stages of its stream.
 * @param frozenStages 0 none, 1 the stem (conv1, bn1), 2 also layer1, ... 5 all but the last layer.
 */
export function isFrozen(name: string, frozenStages: number): boolean {
  const stage = /^(?:model_(?:rgb|of)\.)?(?:(conv1|bn1)|layer([1-4]))(?:\.|$)/.exec(name)
  if (stage === null) return false
  return (stage[1] === undefined ? Number(stage[2]) + 1 : 1) <= frozenStages
}

/**
 * Batch normalisation with its running statistics, as torch's in evaluation. It needs no backward pass: what stands
 * before a frozen layer is frozen, too.
 * @returns The output, and the names of the tensors that it reads.
 */
export function frozenBatchNorm(
  graph: GraphBuilder,
  x: Variable,
  name: string,
): { output: Variable; tensors: { name: string; shape: readonly number[] }[] } {
  if (x.needsGradient) throw new Error(`${name} is frozen behind layers that are trained`)
  const [batch = 1, channels = 1] = x.shape
  const tensors = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => ({
    name: `${name}.${part}`,
    shape: [channels],
  }))
  const [scale, shift, mean, variance] = tensors.map((tensor) => graph.input(tensor.name, tensor.shape))
  if (!scale || !shift || !mean || !variance) throw new Error(`${name} lacks a tensor`)
  graph.scope(`${name}/forward`)
  let value: GraphValue
  if (x.layout === 'nchw') {
    value = graph.node('BatchNormalization', [x.value, scale, shift, mean, variance], {
      epsilon: { float: batchNormEpsilon },
    })
  } else {
    // Channels are the last axis here; long rows keep ONNX Runtime's broadcasting cheap.
    const repeated = (row: GraphValue): GraphValue =>
      graph.node('Expand', [row, graph.integers([batch, channels])])
    const deviation = graph.node('Sqrt', [graph.add(variance, graph.scalar(batchNormEpsilon))])
    const factor = graph.node('Div', [scale, deviation])
    const offset = graph.sub(shift, graph.mul(mean, factor))
    value = graph.add(graph.mul(x.value, repeated(factor)), repeated(offset))
  }
  return { output: { ...x, value }, tensors }
}
