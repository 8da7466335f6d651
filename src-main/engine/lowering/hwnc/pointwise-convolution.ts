import { item, type Lowering } from '../../autodiff/operation.ts'
import type { Window } from '../../autodiff/operations.ts'

/** 1x1 convolution without padding, at any stride: a selection of rows and one matrix product over the channels. */
export const convolutionPointwise: Lowering<Window> = {
  name: 'pointwise',
  layout: 'hwnc',
  outputLayout: 'hwnc',
  parameterLayouts: [null, 'taps-in-out'],
  supports: (_shapes, { kernel, padding }) =>
    kernel.every((taps) => taps === 1) && padding.every((count) => count === 0),
  lower: (graph, inputs, { stride }, shapes) => {
    const [batch = 1, inChannels = 1, ...spatial] = item(shapes.inputs, 0)
    const [, outChannels = 1, ...outSpatial] = shapes.output
    const points = outSpatial.reduce((product, size) => product * size, 1)
    const total = spatial.reduce((product, size) => product * size, 1)
    let chosen = [0]
    outSpatial.forEach((size, axis) => {
      chosen = chosen.flatMap((base) =>
        Array.from({ length: size }, (_, i) => base * item(spatial, axis) + i * item(stride, axis)),
      )
    })
    const everyPoint = chosen.length === total
    const rows = graph.reshape(item(inputs, 0), [total, batch * inChannels])
    const selected = graph.reshape(everyPoint ? rows : graph.gather(rows, chosen, 0), [
      points * batch,
      inChannels,
    ])
    const weight = graph.reshape(item(inputs, 1), [inChannels, outChannels])
    return {
      output: graph.matMul(selected, weight),
      backward: (gradient, wanted) => {
        const dy = graph.reshape(gradient, [points * batch, outChannels])
        const weightGradient = graph.matMulTransA(selected, dy)
        if (!wanted[0]) return [null, weightGradient]
        const dx = graph.reshape(graph.matMulTransB(dy, weight), [points, batch * inChannels])
        if (everyPoint) return [dx, weightGradient]
        // Points that were passed over get a zero: one row of zeros behind the gradient, selected wherever none is.
        const places = new Map(chosen.map((point, i) => [point, i]))
        const back = Array.from({ length: total }, (_, point) => places.get(point) ?? points)
        const padded = graph.pad(dx, [0, 0], [1, 0])
        return [graph.gather(padded, back, 0), weightGradient]
      },
    }
  },
}
