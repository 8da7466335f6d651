import type { GraphBuilder } from '../../onnx/graph-builder.ts'
import { elementCount, type GraphValue } from '../../onnx/shape-inference.ts'
import type { AxisTransform } from './axis-transform.ts'

/**
 * The four transforms of a convolution with 3 taps an axis, for activations in [...spatial, N, C]. In this layout an
 * axis is transformed by one product with a constant banded matrix, batched over the axes before it.
 * Transformed values are point-major: [points, tiles x N, C], so that the convolution itself is one batched product.
 */
export class WinogradTransform {
  readonly #graph: GraphBuilder
  readonly #axes: readonly AxisTransform[]
  readonly #batch: number
  /** Products a tile over all axes. */
  readonly points: number
  /** Rows of a transformed value: tiles of all axes times N. */
  readonly rows: number

  constructor(graph: GraphBuilder, axes: readonly AxisTransform[], batch: number) {
    this.#graph = graph
    this.#axes = axes
    this.#batch = batch
    this.points = product(this.#axes, (axis) => axis.points)
    this.rows = batch * product(this.#axes, tilesOf)
  }

  /** x [...spatial, N, C] -> [points, rows, C] */
  input(x: GraphValue, channels: number): GraphValue {
    const graph = this.#graph
    let current = x
    let outer = 1
    this.#axes.forEach((axis, i) => {
      const { segments, tilesPerSegment, points, rowsPerSegment, inputSize } = axis
      const inner = product(this.#axes.slice(i + 1), (next) => next.inputSize) * this.#batch * channels
      const height = points * tilesPerSegment
      const flat = graph.reshape(current, [outer, inputSize, inner])
      if (segments === 1) {
        current = graph.matMul(graph.floats(axis.inputMatrix, [height, inputSize]), flat)
      } else {
        const matrix = graph.floats(axis.inputMatrix, [segments, height, rowsPerSegment])
        const near = graph.reshape(graph.gather(flat, axis.rows, 1), [outer, segments, rowsPerSegment, inner])
        current = graph.matMul(matrix, near)
      }
      outer *= segments * height
    })
    return this.#toPointMajor(current, channels)
  }

  /** [points, rows, C] -> [...output, N, C] */
  output(products: GraphValue, channels: number): GraphValue {
    const graph = this.#graph
    let current = this.#fromPointMajor(products, channels)
    let inner = this.#batch * channels
    for (const [i, axis] of [...this.#axes.entries()].reverse()) {
      const height = axis.points * axis.tilesPerSegment
      const outer = product(this.#axes.slice(0, i), (other) => other.points * tilesOf(other)) * axis.segments
      const matrix = graph.floats(axis.outputMatrix, [axis.outputsPerSegment, height])
      current = graph.matMul(matrix, graph.reshape(current, [outer, height, inner]))
      inner *= axis.outputSize
    }
    return current
  }

  /** Gradient of `output`: [...output, N, C] -> [points, rows, C] */
  outputAdjoint(gradient: GraphValue, channels: number): GraphValue {
    const graph = this.#graph
    let current = gradient
    let outer = 1
    this.#axes.forEach((axis, i) => {
      const height = axis.points * axis.tilesPerSegment
      const inner = product(this.#axes.slice(i + 1), (next) => next.outputSize) * this.#batch * channels
      const { outputsPerSegment, segments } = axis
      const transposed = transpose(axis.outputMatrix, outputsPerSegment, height)
      const flat = graph.reshape(current, [outer * segments, outputsPerSegment, inner])
      current = graph.matMul(graph.floats(transposed, [height, outputsPerSegment]), flat)
      outer *= segments * height
    })
    return this.#toPointMajor(current, channels)
  }

  /** Gradient of `input`: [points, rows, C] -> [...spatial, N, C] */
  inputAdjoint(gradient: GraphValue, channels: number): GraphValue {
    const graph = this.#graph
    const adjoints = this.#axes.map((axis) => ({ axis, ...axis.adjoint, allTiles: tilesOf(axis) }))
    const last = adjoints.at(-1)
    // Whole rows of tiles of the last axis move together unless its regions share tiles.
    const whole = last === undefined || last.regions === 1
    const chunk = (whole ? (last?.allTiles ?? 1) : 1) * this.#batch * channels
    let indices: { point: number; tile: number }[] = [{ point: 0, tile: 0 }]
    adjoints.forEach(({ axis, regions, tiles, tilesPerRegion, allTiles }, i) => {
      const moved = i === adjoints.length - 1 && whole
      indices = indices.flatMap(({ point, tile }) =>
        Array.from({ length: regions }, (_, region) =>
          Array.from({ length: axis.points }, (_, p) => {
            const nextPoint = point * axis.points + p
            if (moved) return [{ point: nextPoint, tile }]
            const near = tiles.slice(region * tilesPerRegion, (region + 1) * tilesPerRegion)
            return near.map((t) => ({ point: nextPoint, tile: tile * allTiles + t }))
          }),
        ).flat(2),
      )
    })
    const chunksPerPoint = (this.rows * channels) / chunk
    let current = gatherRows(
      graph,
      graph.reshape(gradient, [-1, chunk]),
      indices.map(({ point, tile }) => point * chunksPerPoint + tile),
    )
    let inner = this.#batch * channels
    for (const [i, { axis, regions, rowsPerRegion, tilesPerRegion, matrix }] of [
      ...adjoints.entries(),
    ].reverse()) {
      const width = axis.points * tilesPerRegion
      const outer = product(
        adjoints.slice(0, i),
        (other) => other.regions * other.axis.points * other.tilesPerRegion,
      )
      const shape = regions === 1 ? [outer, width, inner] : [outer, regions, width, inner]
      const matrixShape = regions === 1 ? [rowsPerRegion, width] : [regions, rowsPerRegion, width]
      current = graph.matMul(graph.floats(matrix, matrixShape), graph.reshape(current, shape))
      inner *= axis.inputSize
    }
    return current
  }

  /** Kernel [taps, C, O] -> [points, C, O] */
  kernel(weight: GraphValue, inChannels: number, outChannels: number): GraphValue {
    const matrix = this.#kernelMatrix()
    const taps = 3 ** this.#axes.length
    const flat = this.#graph.reshape(weight, [taps, inChannels * outChannels])
    const transformed = this.#graph.matMul(this.#graph.floats(matrix, [this.points, taps]), flat)
    return this.#graph.reshape(transformed, [this.points, inChannels, outChannels])
  }

  /** Gradient of `kernel`: [points, C, O] -> [taps, C, O] */
  kernelAdjoint(gradient: GraphValue, inChannels: number, outChannels: number): GraphValue {
    const taps = 3 ** this.#axes.length
    const matrix = transpose(this.#kernelMatrix(), this.points, taps)
    const flat = this.#graph.reshape(gradient, [this.points, inChannels * outChannels])
    const weight = this.#graph.matMul(this.#graph.floats(matrix, [taps, this.points]), flat)
    return this.#graph.reshape(weight, [taps, inChannels, outChannels])
  }

  /** [points][taps], the Kronecker product of the axes' matrices. */
  #kernelMatrix(): number[] {
    let rows: number[][] = [[1]]
    for (const { kernelMatrix } of this.#axes) {
      rows = rows.flatMap((row) => kernelMatrix.map((next) => row.flatMap((a) => next.map((b) => a * b))))
    }
    return rows.flat()
  }

  /** [segments, points, tiles] of each axis -> all points, then all tiles. */
  #toPointMajor(value: GraphValue, channels: number): GraphValue {
    const { dims, order } = this.#pointOrder(channels)
    const shape = [this.points, this.rows, channels]
    return this.#graph.reshape(permuteRows(this.#graph, value, dims, order), shape)
  }

  #fromPointMajor(value: GraphValue, channels: number): GraphValue {
    const { dims, order } = this.#pointOrder(channels)
    const from = order.map((axis) => dims[axis] ?? 1)
    const back = dims.map((_, axis) => order.indexOf(axis))
    return permuteRows(this.#graph, value, from, back)
  }

  #pointOrder(channels: number): { dims: number[]; order: number[] } {
    const dims = this.#axes.flatMap((axis) => [axis.segments, axis.points, axis.tilesPerSegment])
    dims.push(this.#batch * channels)
    const pointAxes = this.#axes.map((_, i) => 3 * i + 1)
    const tileAxes = this.#axes.flatMap((_, i) => [3 * i, 3 * i + 2])
    return { dims, order: [...pointAxes, ...tileAxes, dims.length - 1] }
  }
}

function tilesOf(axis: AxisTransform): number {
  return axis.segments * axis.tilesPerSegment
}

function product<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total * of(value), 1)
}

/** Transposes a flat [rows][columns]. */
function transpose(matrix: readonly number[], rows: number, columns: number): number[] {
  return Array.from(
    { length: rows * columns },
    (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)] ?? 0,
  )
}

/**
 * Transpose that leaves the last axes in place, as a selection of rows: ONNX Runtime's Gather uses all threads, its
 * Transpose hardly.
 */
function permuteRows(
  graph: GraphBuilder,
  value: GraphValue,
  dims: readonly number[],
  order: readonly number[],
): GraphValue {
  let fixed = dims.length
  while (fixed > 0 && order[fixed - 1] === fixed - 1) fixed--
  const inner = elementCount(dims.slice(fixed))
  const strides = dims.slice(0, fixed).map((_, axis) => elementCount(dims.slice(axis + 1, fixed)))
  let indices = [0]
  for (const axis of order.slice(0, fixed)) {
    const stride = strides[axis] ?? 1
    const size = dims[axis] ?? 1
    indices = indices.flatMap((base) => Array.from({ length: size }, (_, i) => base + i * stride))
  }
  return gatherRows(graph, graph.reshape(value, [indices.length, inner]), indices)
}

function gatherRows(graph: GraphBuilder, value: GraphValue, indices: readonly number[]): GraphValue {
  if (value.shape[0] === indices.length && indices.every((index, i) => index === i)) return value
  return graph.gather(value, indices, 0)
}
