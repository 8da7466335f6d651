import { cookToom, oneByOne, singleOutput, stridedByPhase, type FastConvolution } from './cook-toom.ts'

/**
 * The transforms of one spatial axis as matrices over the whole axis, so that neither slices nor padding are needed:
 * every tile is a band of the matrix. Where the axis divides evenly, its tiles are grouped into segments that read
 * only the rows near them, which saves most of the products with zeros.
 */
export interface AxisTransform {
  inputSize: number
  outputSize: number
  /** Products a tile. */
  points: number
  segments: number
  tilesPerSegment: number
  /** Input rows of all segments, one segment after the other. */
  rows: number[]
  rowsPerSegment: number
  /** [segments][points x tiles][rows], flat: input values to points. */
  inputMatrix: number[]
  outputsPerSegment: number
  /** [outputs][points x tiles], flat, the same for every segment: points to output values. */
  outputMatrix: number[]
  /** [points][3] */
  kernelMatrix: number[][]
  adjoint: InputAdjoint
}

/** Gradients at the points back to the input; input rows are grouped into regions that need only the tiles near. */
export interface InputAdjoint {
  regions: number
  rowsPerRegion: number
  /** Tiles of all regions, one region after the other; a tile at a border is read by both. */
  tiles: number[]
  tilesPerRegion: number
  /** [regions][rows][points x tiles], flat. */
  matrix: number[]
}

/** How an axis is cut up. */
export interface AxisCut {
  /** Outputs a tile, 1, 2 or 4: larger tiles need fewer products and more room for the transformed weights. */
  tile: number
  /** Groups of tiles in the transform of the input; must divide the number of tiles. */
  segments: number
  /** Groups of rows in its adjoint; must divide the size. */
  regions: number
}

const padding = 1

/** Rows of activations whose products take as long as writing and reading one transformed kernel; measured. */
const kernelRows = 48

/** A combination of tiles must save so much to be taken before one tile for all axes. */
const worthwhile = 0.92

/** Transforms for all axes, with the tiles that make the least work for so many samples. */
export function chooseAxes(
  spatial: readonly number[],
  stride: readonly number[],
  batch: number,
): AxisTransform[] {
  const ways = spatial.map((size, axis) => {
    const step = stride[axis] ?? 1
    return [1, 2, 4].map((tile) => ({ tile, axis: axisTransform(size, step, chooseCut(size, step, tile)) }))
  })
  const combinations = ways.reduce<(typeof ways)[number][]>(
    (heads, next) => heads.flatMap((head) => next.map((way) => [...head, way])),
    [[]],
  )
  const choices = combinations.map((combination) => {
    const axes = combination.map((way) => way.axis)
    const points = axes.reduce((product, axis) => product * axis.points, 1)
    const tiles = axes.reduce((product, axis) => product * axis.segments * axis.tilesPerSegment, 1)
    const uniform = combination.every((way) => way.tile > 1 && way.tile === combination[0]?.tile)
    return { axes, work: points * (tiles * batch + kernelRows) * (uniform ? worthwhile : 1) }
  })
  return choices.reduce((best, next) => (next.work < best.work ? next : best)).axes
}

/** Short axes stay whole; long ones are grouped so that the matrices hold few zeros. */
function chooseCut(inputSize: number, stride: number, tile: number): AxisCut {
  const tiles = inputSize / stride / tile
  if (!Number.isInteger(tiles) || inputSize < 16) return { tile, segments: 1, regions: 1 }
  const pairs = tiles > 8 && tiles % 2 === 0
  return { tile, segments: pairs ? tiles / 2 : tiles, regions: pairs && stride === 1 ? 2 : 1 }
}

/** @throws Error when the cut does not divide the axis. */
export function axisTransform(inputSize: number, stride: number, cut: AxisCut): AxisTransform {
  const outputSize = Math.ceil(inputSize / stride)
  const single = outputSize === 1
  const fast = single ? singleOutput(inputSize) : fastConvolution(cut.tile, stride)
  const tile = single ? 1 : cut.tile
  const tiles = Math.ceil(outputSize / tile)
  const segments = single ? 1 : cut.segments
  const tilesPerSegment = tiles / segments
  if (!Number.isInteger(tilesPerSegment) || !Number.isInteger(inputSize / cut.regions)) {
    throw new Error(`an axis of ${inputSize} cannot be cut into ${segments} and ${cut.regions}`)
  }
  const points = fast.input.length
  /** First input row under a tile; may lie before the axis. */
  const start = (index: number): number => index * tile * stride - padding

  const firstRows = Array.from({ length: segments }, (_, s) => start(s * tilesPerSegment))
  const reach = (tilesPerSegment - 1) * tile * stride + fast.window
  const rowsPerSegment = Math.min(inputSize, segments === 1 ? inputSize : reach)
  const rowStarts = firstRows.map((row) => Math.min(Math.max(0, row), inputSize - rowsPerSegment))
  const inputMatrix = rowStarts.flatMap((rowStart, segment) =>
    fast.input.flatMap((weights) =>
      range(tilesPerSegment).flatMap((q) => {
        const first = start(segment * tilesPerSegment + q)
        return range(rowsPerSegment).map((r) => weights[rowStart + r - first] ?? 0)
      }),
    ),
  )
  const outputsPerSegment = segments === 1 ? outputSize : tilesPerSegment * tile
  const outputMatrix = range(outputsPerSegment).flatMap((row) =>
    range(points).flatMap((point) =>
      range(tilesPerSegment).map((q) => fast.output[row - q * tile]?.[point] ?? 0),
    ),
  )
  return {
    inputSize,
    outputSize,
    points,
    segments,
    tilesPerSegment,
    rows: rowStarts.flatMap((rowStart) => range(rowsPerSegment).map((r) => rowStart + r)),
    rowsPerSegment,
    inputMatrix,
    outputsPerSegment,
    outputMatrix,
    kernelMatrix: fast.kernel,
    adjoint: inputAdjoint(fast, inputSize, tiles, single ? 1 : cut.regions, start),
  }
}

function fastConvolution(tile: number, stride: number): FastConvolution {
  if (tile === 1) return oneByOne()
  return stride === 1 ? cookToom(tile, 3) : stridedByPhase(tile)
}

function inputAdjoint(
  fast: FastConvolution,
  inputSize: number,
  tiles: number,
  regions: number,
  start: (tile: number) => number,
): InputAdjoint {
  const rowsPerRegion = inputSize / regions
  const touching = range(regions).map((region) => {
    const [low, high] = [region * rowsPerRegion, (region + 1) * rowsPerRegion]
    return range(tiles).filter((tile) => start(tile) < high && start(tile) + fast.window > low)
  })
  const tilesPerRegion = Math.max(...touching.map((list) => list.length))
  const firstTiles = touching.map((list) => Math.min(list[0] ?? 0, tiles - tilesPerRegion))
  const matrix = firstTiles.flatMap((firstTile, region) =>
    range(rowsPerRegion).flatMap((r) =>
      fast.input.flatMap((weights) =>
        range(tilesPerRegion).map((t) => weights[region * rowsPerRegion + r - start(firstTile + t)] ?? 0),
      ),
    ),
  )
  const tileList = firstTiles.flatMap((firstTile) => range(tilesPerRegion).map((t) => firstTile + t))
  return { regions, rowsPerRegion, tiles: tileList, tilesPerRegion, matrix }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
