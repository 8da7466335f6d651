import { item, type Lowering } from '../../autodiff/operation.ts'
import { elementCount } from '../../onnx/shape-inference.ts'

export const globalAveragePoolHwnc: Lowering<Record<string, never>> = {
  name: 'hwnc',
  layout: 'hwnc',
  outputLayout: 'nchw',
  lower: (graph, inputs, _attributes, shapes) => {
    const [batch = 1, channels = 1, ...spatial] = item(shapes.inputs, 0)
    const points = elementCount(spatial)
    const rows = graph.reshape(item(inputs, 0), [points, batch * channels])
    const mean = graph.node('ReduceMean', [rows], { axes: [0], keepdims: 0 })
    return {
      output: graph.reshape(mean, [batch, channels]),
      backward: (gradient) => {
        const share = graph.mul(gradient, graph.scalar(1 / points))
        return [graph.node('Expand', [share, graph.integers([...spatial, batch, channels])])]
      },
    }
  },
}
