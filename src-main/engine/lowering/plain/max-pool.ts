import { item, type Lowering } from '../../autodiff/operation.ts'
import type { Window } from '../../autodiff/operations.ts'
import { elementCount, knownShape } from '../../onnx/shape-inference.ts'

export const maxPoolPlain: Lowering<Window> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs, window) => {
    const x = item(inputs, 0)
    const shape = knownShape(x)
    const { pooled, indices } = graph.maxPoolWithIndices(x, {
      kernel_shape: window.kernel,
      strides: window.stride,
      pads: [...window.padding, ...window.padding],
    })
    return {
      output: pooled,
      backward: (gradient) => {
        const zeros = graph.node('ConstantOfShape', [graph.integers([elementCount(shape)])])
        const flat = [graph.reshape(indices, [-1]), graph.reshape(gradient, [-1])]
        return [graph.node('ScatterElements', [zeros, ...flat], { axis: 0, reduction: 'add' })]
      },
    }
  },
}
