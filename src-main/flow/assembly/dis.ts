/**
 * Dense optical flow by DIS (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016),
 * from coarse to fine: search of patches, densification, variational refinement. Compiled to one WebAssembly module that
 * imports nothing; one instance serves one video. Only single-precision operations with defined rounding are used, so
 * the same frames give the same bits on every machine.
 */
import { densify } from './densify'
import { longestMotion, mapToGray } from './gray-mapping'
import { enlarge, prepareColumns } from './enlarge'
import { computeGradient, halve, Level, readGray } from './level'
import { Patches, patchSize, searchPatches } from './patch-search'
import { allocatePlane, pixel, planeBytes } from './plane'
import { refine, Refinement } from './refine'

let levels: Level[] = []
/** Index of the finest level at which flow is computed; it is enlarged from there. */
let finest: i32 = 0
let iterations: i32 = 0
let patches!: Patches
let refinement!: Refinement
let weightSum: usize = 0
let row: usize = 0
let columns: usize = 0
let weights: usize = 0
let gray: usize = 0
let flowU: usize = 0
let flowV: usize = 0
let grayU: usize = 0
let grayV: usize = 0
let pixels: i32 = 0
let frames: i32 = 0

/**
 * Prepares for frames of `width` x `height`, both at least 8. To be called once.
 *
 * @param finestLevel 0 = full size, 1 = half, ...
 * @param patchStride Distance between patches in pixels.
 * @param searchIterations Steps of each patch search, over both passes.
 * @param refinements Rounds of variational refinement.
 * @param relaxations Relaxations a round.
 */
export function create(
  width: i32,
  height: i32,
  finestLevel: i32,
  patchStride: i32,
  searchIterations: i32,
  refinements: i32,
  relaxations: i32,
): void {
  // As in the paper and in OpenCV: at the coarsest level four patches fit side by side, and one fits the short way.
  const byLength = <i32>(Math.log2(<f64>max(width, height) / <f64>(4 * patchSize)) + 0.5)
  const byBreadth = <i32>Math.log2(<f64>min(width, height) / <f64>patchSize)
  const coarsest = max(0, min(byLength, byBreadth))
  finest = min(finestLevel, coarsest)
  iterations = searchIterations
  for (let i = 0; i <= coarsest; i++) {
    levels.push(new Level(width >> i, height >> i, i >= finest))
  }
  for (let i = finest; i < coarsest; i++) {
    const level = levels[i]
    prepareColumns(levels[i + 1].width, level.width, level.sourceColumn, level.sourceWeight)
  }
  const largest = levels[finest]
  patches = new Patches(largest, patchStride)
  refinement = new Refinement(largest, refinements, relaxations)
  weightSum = allocatePlane(largest.stride, largest.height)
  row = heap.alloc((<usize>(largest.width + 8)) << 2)
  columns = heap.alloc((<usize>width) << 2)
  weights = heap.alloc((<usize>width) << 2)
  prepareColumns(largest.width, width, columns, weights)
  pixels = width * height
  gray = heap.alloc(<usize>pixels)
  grayU = heap.alloc(<usize>pixels)
  grayV = heap.alloc(<usize>pixels)
  flowU = heap.alloc((<usize>pixels) << 2)
  flowV = heap.alloc((<usize>pixels) << 2)
}

/** Address of `width * height` bytes of gray: the next frame goes here. */
export function grayAddress(): usize {
  return gray
}

/** Address of the horizontal flow, `width * height` floats. */
export function uAddress(): usize {
  return flowU
}

/** Address of the vertical flow, `width * height` floats. */
export function vAddress(): usize {
  return flowV
}

/** Address of the horizontal flow as gray, a byte a pixel. */
export function grayUAddress(): usize {
  return grayU
}

/** Address of the vertical flow as gray, a byte a pixel. */
export function grayVAddress(): usize {
  return grayV
}

/** Maps the flow to gray, as ../gray.ts describes. */
export function mapFlow(): void {
  const longest = longestMotion(flowU, flowV, pixels)
  mapToGray(flowU, pixels, longest, grayU)
  mapToGray(flowV, pixels, longest, grayV)
}

/** Forgets the frames seen so far. */
export function reset(): void {
  frames = 0
}

/**
 * Takes the next frame.
 *
 * @returns Whether there is flow now, from the frame before to this one: not after the first.
 */
export function next(): bool {
  for (let i = 0; i < levels.length; i++) levels[i].advance()
  readGray(levels[0], gray)
  for (let i = 1; i < levels.length; i++) halve(levels[i - 1], levels[i])
  frames++
  if (frames < 2) return false

  for (let i = levels.length - 1; i >= finest; i--) {
    const level = levels[i]
    if (i == levels.length - 1) startAtRest(level)
    else startFromCoarser(levels[i + 1], level)
    computeGradient(level)
    searchPatches(level, patches, iterations)
    densify(level, patches, weightSum)
    if (refinement.iterations > 0) refine(level, refinement)
  }
  const factor = <f32>(1 << finest)
  const full = levels[0]
  const last = levels[finest]
  enlargePlane(last, last.u, flowU, full.width, full.width, full.height, columns, weights, factor)
  enlargePlane(last, last.v, flowV, full.width, full.width, full.height, columns, weights, factor)
  return true
}

function startAtRest(level: Level): void {
  const bytes = planeBytes(level.stride, level.height)
  memory.fill(level.u, 0, bytes)
  memory.fill(level.v, 0, bytes)
}

function startFromCoarser(coarser: Level, level: Level): void {
  const stride = level.stride
  const targetU = pixel(level.u, stride, 0, 0)
  const targetV = pixel(level.v, stride, 0, 0)
  const at = level.sourceColumn
  const weight = level.sourceWeight
  enlargePlane(coarser, coarser.u, targetU, stride, level.width, level.height, at, weight, 2)
  enlargePlane(coarser, coarser.v, targetV, stride, level.width, level.height, at, weight, 2)
}

function enlargePlane(
  from: Level,
  source: usize,
  target: usize,
  rowFloats: i32,
  width: i32,
  height: i32,
  sourceColumn: usize,
  sourceWeight: usize,
  factor: f32,
): void {
  enlarge(
    source,
    from.stride,
    from.width,
    from.height,
    target,
    rowFloats,
    width,
    height,
    sourceColumn,
    sourceWeight,
    row,
    factor,
  )
}
