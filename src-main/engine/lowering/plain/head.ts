import { item, type Lowering } from '../../autodiff/operation.ts'
import { elementCount, knownShape } from '../../onnx/shape-inference.ts'

type None = Record<string, never>

export const globalAveragePoolPlain: Lowering<None> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs) => {
    const x = item(inputs, 0)
    const shape = knownShape(x)
    const [batch = 1, channels = 1, ...spatial] = shape
    return {
      output: graph.reshape(graph.node('GlobalAveragePool', [x]), [batch, channels]),
      backward: (gradient) => {
        const share = graph.mul(gradient, graph.scalar(1 / elementCount(spatial)))
        const points = graph.reshape(share, [batch, channels, ...spatial.map(() => 1)])
        return [graph.node('Expand', [points, graph.integers(shape)])]
      },
    }
  },
}

export const linearPlain: Lowering<None> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs) => {
    const [x, weight, bias] = [item(inputs, 0), item(inputs, 1), item(inputs, 2)]
    return {
      output: graph.node('Gemm', [x, weight, bias], { transB: 1 }),
      backward: (gradient, wanted) => [
        wanted[0] ? graph.matMul(gradient, weight) : null,
        graph.node('Gemm', [gradient, x], { transA: 1 }),
        graph.sum(gradient, [0]),
      ],
    }
  },
}

export const softmaxCrossEntropyPlain: Lowering<None> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs) => {
    const [logits, target] = [item(inputs, 0), item(inputs, 1)]
    const [batch = 1] = knownShape(logits)
    const logProbabilities = graph.node('LogSoftmax', [logits], { axis: 1 })
    const sum = graph.sum(graph.mul(logProbabilities, target), [0, 1])
    return {
      output: graph.mul(sum, graph.scalar(-1 / batch)),
      backward: (gradient) => {
        const mass = graph.reshape(graph.sum(target, [1]), [batch, 1])
        const excess = graph.sub(graph.mul(graph.node('Exp', [logProbabilities]), mass), target)
        return [graph.mul(excess, graph.mul(gradient, graph.scalar(1 / batch))), null]
      },
    }
  },
}
