import { item, type Lowering } from '../../autodiff/operation.ts'
import type { Window } from '../../autodiff/operations.ts'
import type { GraphBuilder } from '../../onnx/graph-builder.ts'
import { elementCount, knownShape, type GraphValue } from '../../onnx/shape-inference.ts'

/** Convolution with ONNX's own operators, for any kernel, stride, padding and number of spatial axes. */
export const convolutionPlain: Lowering<Window> = {
  name: 'plain',
  layout: 'nchw',
  outputLayout: 'nchw',
  parameterLayouts: [null, 'torch'],
  lower: (graph, inputs, window) => {
    const [x, weight] = [item(inputs, 0), item(inputs, 1)]
    const output = graph.node('Conv', [x, weight], {
      kernel_shape: window.kernel,
      strides: window.stride,
      pads: [...window.padding, ...window.padding],
    })
    return {
      output,
      backward: (gradient, wanted) => [
        wanted[0] ? inputGradient(graph, x, weight, gradient, window) : null,
        weightGradient(graph, x, gradient, window),
      ],
    }
  },
}

function inputGradient(
  graph: GraphBuilder,
  x: GraphValue,
  weight: GraphValue,
  gradient: GraphValue,
  { kernel, stride, padding }: Window,
): GraphValue {
  const axes = kernel.map((_, axis) => axis + 2)
  if (stride.every((step) => step === 1)) {
    // The adjoint of a convolution of stride 1 is a convolution with the mirrored kernel.
    const mirrored = mirror(graph, weight, kernel)
    const pads = kernel.map((taps, axis) => taps - 1 - item(padding, axis))
    return graph.node('Conv', [gradient, graph.transpose(mirrored, [1, 0, ...axes])], {
      kernel_shape: kernel,
      strides: stride,
      pads: [...pads, ...pads],
    })
  }
  const input = knownShape(x).slice(2)
  const output = knownShape(gradient).slice(2)
  const missing = input.map((size, axis) => {
    const covered =
      (item(output, axis) - 1) * item(stride, axis) - 2 * item(padding, axis) + item(kernel, axis)
    return size - covered
  })
  return graph.node('ConvTranspose', [gradient, weight], {
    kernel_shape: kernel,
    strides: stride,
    pads: [...padding, ...padding],
    output_padding: missing,
  })
}

/** Reverses every spatial axis of a kernel; a product with a permutation is twice as fast as Slice with steps of -1. */
function mirror(graph: GraphBuilder, weight: GraphValue, kernel: readonly number[]): GraphValue {
  const taps = elementCount(kernel)
  if (taps === 1) return weight
  const reversal = Array.from({ length: taps * taps }, (_, i) =>
    Math.floor(i / taps) + (i % taps) === taps - 1 ? 1 : 0,
  )
  const flat = graph.reshape(weight, [-1, taps])
  return graph.reshape(graph.matMul(flat, graph.floats(reversal, [taps, taps])), knownShape(weight))
}

/**
 * dW = dY X^T over columns of the input. The taps of the last axis are laid out once; each tap of the other axes is
 * then a selection of rows and one matrix product, which needs far less memory than full columns. Rows are selected
 * by Gather: ONNX Runtime runs it on all threads, Slice on one.
 * Large images are multiplied sample by sample and summed, which spares transposing them; small ones all at once.
 */
function weightGradient(
  graph: GraphBuilder,
  x: GraphValue,
  gradient: GraphValue,
  { kernel, stride, padding }: Window,
): GraphValue {
  const [batch = 1, inChannels = 1, ...input] = knownShape(x)
  const [, outChannels = 1, ...output] = knownShape(gradient)
  const bySample = elementCount(output) > outChannels
  const channelMajor = [1, 0, ...kernel.map((_, axis) => axis + 2)]
  const arranged = (value: GraphValue): GraphValue =>
    bySample ? value : graph.transpose(value, channelMajor)
  const last = kernel.length - 1
  const lastTaps = item(kernel, last)
  const lastOut = item(output, last)
  const padded = input.map((size, axis) => size + 2 * item(padding, axis))
  const leading = elementCount(padded.slice(0, last))
  const columnRows = inChannels * lastTaps

  const dy = graph.reshape(arranged(gradient), bySample ? [batch, outChannels, -1] : [outChannels, -1])
  const pads = [0, 0, ...padding]
  const source = graph.pad(arranged(x), pads, pads)
  const tapShape = bySample ? [batch, inChannels, 1] : [inChannels, 1, batch]
  const taps = Array.from({ length: lastTaps }, (_, tap) => {
    const end = tap + (lastOut - 1) * item(stride, last) + 1
    const whole = end - tap === item(padded, last) && item(stride, last) === 1
    const columns = whole
      ? source
      : graph.slice(source, { starts: [tap], ends: [end], axes: [last + 2], steps: [item(stride, last)] })
    return graph.reshape(columns, [...tapShape, leading, lastOut])
  })
  const columnShape = bySample ? [batch, columnRows] : [columnRows, batch]
  const columns = graph.reshape(graph.concat(taps, bySample ? 2 : 1), [...columnShape, leading, lastOut])

  const rowTaps = offsets(kernel.slice(0, last), padded)
  const rowStarts = offsets(output.slice(0, last), padded, stride)
  const parts = rowTaps.map((tap) => {
    const rows = rowStarts.map((start) => start + tap)
    const everyRow = rows.length === leading
    const selected = everyRow ? columns : graph.gather(columns, rows, 2)
    const product = bySample
      ? graph.sum(graph.matMulTransB(dy, graph.reshape(selected, [batch, columnRows, -1])), [0])
      : graph.node('Gemm', [dy, graph.reshape(selected, [columnRows, -1])], { transB: 1 })
    return graph.reshape(product, [outChannels, inChannels, 1, lastTaps])
  })
  return graph.reshape(graph.concat(parts, 2), [outChannels, inChannels, ...kernel])
}

/** Flat row indices of a grid of `counts` positions with `stride` in an array of the sizes `within`. */
function offsets(counts: readonly number[], within: readonly number[], stride?: readonly number[]): number[] {
  let list = [0]
  counts.forEach((count, axis) => {
    const size = item(within, axis)
    const step = stride?.[axis] ?? 1
    list = list.flatMap((base) => Array.from({ length: count }, (_, i) => base * size + i * step))
  })
  return list
}
