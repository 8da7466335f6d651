import { item, type Lowering } from '../../autodiff/operation.ts'
import type { BatchNormAttributes } from '../../autodiff/operations.ts'
import { elementCount, type GraphValue } from '../../onnx/shape-inference.ts'

/** Batch normalisation over [...spatial, N, C]: statistics are column means, taken by a matrix product. */
export const batchNormHwnc: Lowering<BatchNormAttributes> = {
  name: 'hwnc',
  layout: 'hwnc',
  outputLayout: 'hwnc',
  lower: (graph, inputs, { epsilon }, shapes) => {
    const [batch = 1, channels = 1, ...spatial] = item(shapes.inputs, 0)
    const points = elementCount(spatial)
    const count = points * batch
    const [scale, shift] = [item(inputs, 1), item(inputs, 2)]
    const rows = [points, batch, channels]
    const x = graph.reshape(item(inputs, 0), rows)
    const weights = graph.floats(Array<number>(count).fill(1 / count), [1, count])
    /** [1, C] */
    const columnMean = (value: GraphValue): GraphValue =>
      graph.matMul(weights, graph.reshape(value, [count, channels]))
    /** [1, C] for each sample: long rows keep ONNX Runtime's broadcasting cheap. */
    const repeated = (value: GraphValue): GraphValue =>
      graph.node('Expand', [value, graph.integers([batch, channels])])

    const mean = columnMean(x)
    const centered = graph.sub(x, repeated(mean))
    const variance = columnMean(graph.mul(centered, centered))
    const deviation = graph.node('Sqrt', [graph.add(variance, graph.scalar(epsilon))])
    const inverse = graph.node('Reciprocal', [deviation])
    const factor = graph.mul(scale, inverse)
    const factors = repeated(factor)
    return {
      output: graph.add(graph.mul(centered, factors), repeated(shift)),
      statistics: { mean: graph.reshape(mean, [channels]), variance: graph.reshape(variance, [channels]) },
      backward: (value) => {
        // dx = a (dy - mean(dy) - xhat mean(dy xhat)), written as a dy + b (x - mean) + c.
        const gradient = graph.reshape(value, rows)
        const meanGradient = columnMean(gradient)
        const meanScaleGradient = graph.mul(columnMean(graph.mul(gradient, centered)), inverse)
        const b = graph.node('Neg', [graph.mul(graph.mul(factor, inverse), meanScaleGradient)])
        const c = graph.node('Neg', [graph.mul(factor, meanGradient)])
        const dx = graph.add(
          graph.mul(gradient, factors),
          graph.add(graph.mul(centered, repeated(b)), repeated(c)),
        )
        const total = graph.scalar(count)
        return [dx, graph.mul(meanScaleGradient, total), graph.mul(meanGradient, total)]
      },
    }
  },
}
