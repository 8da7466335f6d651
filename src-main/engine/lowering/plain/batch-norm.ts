import { item, type Lowering } from '../../autodiff/operation.ts'
import type { BatchNormAttributes } from '../../autodiff/operations.ts'
import { elementCount, knownShape, type GraphValue } from '../../onnx/shape-inference.ts'

/**
 * Composed of reductions and BatchNormalization in inference mode, given the statistics of the batch: the operator's
 * own training mode silently uses the running statistics on CUDA and does not exist on WebGPU.
 */
export const batchNormPlain: Lowering<BatchNormAttributes> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs, { epsilon }) => {
    const [x, scale, shift] = [item(inputs, 0), item(inputs, 1), item(inputs, 2)]
    const shape = knownShape(x)
    const [batch = 1, channels = 1, ...spatial] = shape
    const points = elementCount(spatial)
    const count = batch * points
    const rows = [batch, channels, points]
    const perChannel = (value: GraphValue): GraphValue => graph.reshape(value, [1, channels, 1])
    const channelMean = (value: GraphValue): GraphValue =>
      graph.mul(graph.sum(graph.sum(graph.reshape(value, rows), [2]), [0]), graph.scalar(1 / count))

    const mean = channelMean(x)
    const centered = graph.sub(graph.reshape(x, rows), perChannel(mean))
    const variance = channelMean(graph.mul(centered, centered))
    return {
      output: graph.node('BatchNormalization', [x, scale, shift, mean, variance], {
        epsilon: { float: epsilon },
      }),
      statistics: { mean, variance },
      backward: (gradient) => {
        // dx = a (dy - mean(dy) - xhat mean(dy xhat)), written as a dy + b (x - mean) + c.
        const dy = graph.reshape(gradient, rows)
        const deviation = graph.node('Sqrt', [graph.add(variance, graph.scalar(epsilon))])
        const inverse = graph.node('Reciprocal', [deviation])
        const factor = graph.mul(scale, inverse)
        const meanGradient = channelMean(dy)
        const meanScaleGradient = graph.mul(channelMean(graph.mul(dy, centered)), inverse)
        const b = graph.node('Neg', [graph.mul(graph.mul(factor, inverse), meanScaleGradient)])
        const c = graph.node('Neg', [graph.mul(factor, meanGradient)])
        const dx = graph.add(
          graph.mul(dy, perChannel(factor)),
          graph.add(graph.mul(centered, perChannel(b)), perChannel(c)),
        )
        const total = graph.scalar(count)
        return [dx, graph.mul(meanScaleGradient, total), graph.mul(meanGradient, total)]
      },
    }
  },
}
