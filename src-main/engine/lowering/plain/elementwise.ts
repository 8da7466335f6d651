import { item, type Layout, type Lowering } from '../../autodiff/operation.ts'
import { castToFloat32 } from '../../onnx/graph-builder.ts'
import { knownShape } from '../../onnx/shape-inference.ts'

type None = Record<string, never>

/** Element by element, so the same nodes serve every layout. */
export function reluAny(layout: Layout): Lowering<None> {
  return {
    name: layout,
    layout,
    outputLayout: layout,
    lower: (graph, inputs) => {
      const output = graph.node('Relu', [item(inputs, 0)])
      return {
        output,
        backward: (gradient) => {
          // Greater + Cast + Mul is several times faster than Where in ONNX Runtime's CPU kernels.
          const mask = graph.node('Cast', [graph.node('Greater', [output, graph.scalar(0)])], castToFloat32)
          return [graph.mul(mask, gradient)]
        },
      }
    },
  }
}

export function softplusAny(layout: Layout): Lowering<None> {
  return {
    name: layout,
    layout,
    outputLayout: layout,
    lower: (graph, inputs) => {
      const x = item(inputs, 0)
      return {
        output: graph.node('Softplus', [x]),
        backward: (gradient) => [graph.mul(graph.node('Sigmoid', [x]), gradient)],
      }
    },
  }
}

export function addAny(layout: Layout): Lowering<None> {
  return {
    name: layout,
    layout,
    outputLayout: layout,
    lower: (graph, inputs) => ({
      output: graph.add(item(inputs, 0), item(inputs, 1)),
      backward: (gradient) => [gradient, gradient],
    }),
  }
}

export const concatPlain: Lowering<None> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs) => ({
    output: graph.concat(inputs, 1),
    backward: (gradient) => {
      let start = 0
      return inputs.map((input) => {
        const [from, to] = [start, start + item(knownShape(input), 1)]
        start = to
        return graph.slice(gradient, { starts: [from], ends: [to], axes: [1] })
      })
    },
  }),
}

/** The mask is drawn outside, so that the same seed gives the same mask on every device. */
export const dropoutPlain: Lowering<None> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  lower: (graph, inputs) => {
    const mask = item(inputs, 1)
    return {
      output: graph.mul(item(inputs, 0), mask),
      backward: (gradient) => [graph.mul(gradient, mask), null],
    }
  },
}
