/**
 * Inverse search of patches (Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016, section 2.1), with
 * mean-normalised patches and the spatial propagation that OpenCV added: a patch first tries what its neighbours found.
 */
import { Level } from './level'
import { pixel, sumLanes } from './plane'

/** Side of a patch in pixels. */
export const patchSize: i32 = 8
const patchArea: f32 = 64
/** Determinants below belong to patches without texture, which then hardly move. */
const smallestDeterminant: f32 = 1e-3
/** A step below this length (squared, in pixels) ends a search. */
const negligibleStep: f32 = 1e-4

/** Flow of each patch, and per patch what the steepest descent needs of the earlier frame. */
export class Patches {
  readonly u: usize
  readonly v: usize
  /** Inverse of the 2x2 Hessian. */
  readonly inverse11: usize
  readonly inverse12: usize
  readonly inverse22: usize
  /** Sums of the gradient over the patch. */
  readonly sumX: usize
  readonly sumY: usize
  /** Patches in a row and in a column at the level that is being searched. */
  columns: i32 = 0
  rows: i32 = 0

  constructor(
    largest: Level,
    readonly stride: i32,
  ) {
    const count = patchesAlong(largest.width, stride) * patchesAlong(largest.height, stride)
    const bytes = (<usize>count) << 2
    this.u = heap.alloc(bytes)
    this.v = heap.alloc(bytes)
    this.inverse11 = heap.alloc(bytes)
    this.inverse12 = heap.alloc(bytes)
    this.inverse22 = heap.alloc(bytes)
    this.sumX = heap.alloc(bytes)
    this.sumY = heap.alloc(bytes)
  }
}

function patchesAlong(length: i32, stride: i32): i32 {
  return 1 + (length - patchSize) / stride
}

/** What `comparePatch` found besides the error: the projections of the difference on the gradient. */
let descentX: f32 = 0
let descentY: f32 = 0

/**
 * Squared difference, without the difference of the means, between the patch at (x, y) of the earlier frame and the
 * one shifted by (u, v) in the later frame.
 */
function comparePatch(level: Level, x: i32, y: i32, u: f32, v: f32, sumX: f32, sumY: f32): f32 {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const atX = max<f32>(<f32>-patchSize, min<f32>(<f32>x + u, <f32>level.width))
  const atY = max<f32>(<f32>-patchSize, min<f32>(<f32>y + v, <f32>level.height))
  const left = Mathf.floor(atX)
  const top = Mathf.floor(atY)
  const weightX = f32x4.splat(atX - left)
  const weightY = f32x4.splat(atY - top)
  let later = pixel(level.later, stride, <i32>left, <i32>top)
  let earlier = pixel(level.earlier, stride, x, y)
  let gradientX = pixel(level.gradientX, stride, x, y)
  let gradientY = pixel(level.gradientY, stride, x, y)

  // A patch row is two vectors, a and b.
  let a = v128.load(later)
  let b = v128.load(later, 16)
  let upperA = f32x4.add(a, f32x4.mul(weightX, f32x4.sub(v128.load(later, 4), a)))
  let upperB = f32x4.add(b, f32x4.mul(weightX, f32x4.sub(v128.load(later, 20), b)))
  let sum = f32x4.splat(0)
  let sumOfSquares = f32x4.splat(0)
  let alongX = f32x4.splat(0)
  let alongY = f32x4.splat(0)
  for (let i = 0; i < patchSize; i++) {
    later += rowBytes
    a = v128.load(later)
    b = v128.load(later, 16)
    const lowerA = f32x4.add(a, f32x4.mul(weightX, f32x4.sub(v128.load(later, 4), a)))
    const lowerB = f32x4.add(b, f32x4.mul(weightX, f32x4.sub(v128.load(later, 20), b)))
    const shiftedA = f32x4.add(upperA, f32x4.mul(weightY, f32x4.sub(lowerA, upperA)))
    const shiftedB = f32x4.add(upperB, f32x4.mul(weightY, f32x4.sub(lowerB, upperB)))
    const differenceA = f32x4.sub(shiftedA, v128.load(earlier))
    const differenceB = f32x4.sub(shiftedB, v128.load(earlier, 16))
    sum = f32x4.add(sum, f32x4.add(differenceA, differenceB))
    sumOfSquares = f32x4.add(
      sumOfSquares,
      f32x4.add(f32x4.mul(differenceA, differenceA), f32x4.mul(differenceB, differenceB)),
    )
    alongX = f32x4.add(
      alongX,
      f32x4.add(
        f32x4.mul(differenceA, v128.load(gradientX)),
        f32x4.mul(differenceB, v128.load(gradientX, 16)),
      ),
    )
    alongY = f32x4.add(
      alongY,
      f32x4.add(
        f32x4.mul(differenceA, v128.load(gradientY)),
        f32x4.mul(differenceB, v128.load(gradientY, 16)),
      ),
    )
    upperA = lowerA
    upperB = lowerB
    earlier += rowBytes
    gradientX += rowBytes
    gradientY += rowBytes
  }
  const total = sumLanes(sum)
  const mean = total / patchArea
  descentX = sumLanes(alongX) - mean * sumX
  descentY = sumLanes(alongY) - mean * sumY
  return sumLanes(sumOfSquares) - mean * total
}

/** Hessian of every patch, and the flow of the coarser level at its middle as a start. */
function preparePatches(level: Level, patches: Patches): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const middle = patchSize / 2
  for (let row = 0; row < patches.rows; row++) {
    for (let column = 0; column < patches.columns; column++) {
      const x = column * patches.stride
      const y = row * patches.stride
      let gradientX = pixel(level.gradientX, stride, x, y)
      let gradientY = pixel(level.gradientY, stride, x, y)
      let xx = f32x4.splat(0)
      let xy = f32x4.splat(0)
      let yy = f32x4.splat(0)
      let totalX = f32x4.splat(0)
      let totalY = f32x4.splat(0)
      for (let i = 0; i < patchSize; i++) {
        for (let half = 0; half < 2; half++) {
          const gx = v128.load(gradientX + (half << 4))
          const gy = v128.load(gradientY + (half << 4))
          xx = f32x4.add(xx, f32x4.mul(gx, gx))
          xy = f32x4.add(xy, f32x4.mul(gx, gy))
          yy = f32x4.add(yy, f32x4.mul(gy, gy))
          totalX = f32x4.add(totalX, gx)
          totalY = f32x4.add(totalY, gy)
        }
        gradientX += rowBytes
        gradientY += rowBytes
      }
      const sumX = sumLanes(totalX)
      const sumY = sumLanes(totalY)
      const h11 = sumLanes(xx) - (sumX * sumX) / patchArea
      const h12 = sumLanes(xy) - (sumX * sumY) / patchArea
      const h22 = sumLanes(yy) - (sumY * sumY) / patchArea
      let determinant = h11 * h22 - h12 * h12
      if (Mathf.abs(determinant) < smallestDeterminant) determinant = smallestDeterminant
      const at = (<usize>(row * patches.columns + column)) << 2
      store<f32>(patches.inverse11 + at, h22 / determinant)
      store<f32>(patches.inverse12 + at, -h12 / determinant)
      store<f32>(patches.inverse22 + at, h11 / determinant)
      store<f32>(patches.sumX + at, sumX)
      store<f32>(patches.sumY + at, sumY)
      store<f32>(patches.u + at, load<f32>(pixel(level.u, stride, x + middle, y + middle)))
      store<f32>(patches.v + at, load<f32>(pixel(level.v, stride, x + middle, y + middle)))
    }
  }
}

/**
 * Improves the flow of one patch: takes the best of its own and of the two neighbours already visited, then descends.
 *
 * @param behind Distance in patches to the neighbour visited before in this row, or 0 without one.
 * @param behindRow The same for the neighbour in the row visited before.
 */
function searchPatch(
  level: Level,
  patches: Patches,
  column: i32,
  row: i32,
  behind: i32,
  behindRow: i32,
  iterations: i32,
): void {
  const x = column * patches.stride
  const y = row * patches.stride
  const index = row * patches.columns + column
  const at = (<usize>index) << 2
  const sumX = load<f32>(patches.sumX + at)
  const sumY = load<f32>(patches.sumY + at)
  let u = load<f32>(patches.u + at)
  let v = load<f32>(patches.v + at)
  let error = comparePatch(level, x, y, u, v, sumX, sumY)
  let slopeX = descentX
  let slopeY = descentY
  for (let side = 0; side < 2; side++) {
    const distance = side == 0 ? behind : behindRow
    if (distance == 0) continue
    const neighbour = (<usize>(index - distance)) << 2
    const candidateU = load<f32>(patches.u + neighbour)
    const candidateV = load<f32>(patches.v + neighbour)
    const candidateError = comparePatch(level, x, y, candidateU, candidateV, sumX, sumY)
    if (candidateError < error) {
      error = candidateError
      u = candidateU
      v = candidateV
      slopeX = descentX
      slopeY = descentY
    }
  }
  const startU = u
  const startV = v
  const inverse11 = load<f32>(patches.inverse11 + at)
  const inverse12 = load<f32>(patches.inverse12 + at)
  const inverse22 = load<f32>(patches.inverse22 + at)
  for (let i = 0; i < iterations; i++) {
    const stepU = inverse11 * slopeX + inverse12 * slopeY
    const stepV = inverse12 * slopeX + inverse22 * slopeY
    const nextError = comparePatch(level, x, y, u - stepU, v - stepV, sumX, sumY)
    if (!(nextError < error)) break
    error = nextError
    u -= stepU
    v -= stepV
    slopeX = descentX
    slopeY = descentY
    if (stepU * stepU + stepV * stepV < negligibleStep) break
  }
  // A search that left its patch lost its way.
  const farU = u - startU
  const farV = v - startV
  const lost = farU * farU + farV * farV > <f32>(patchSize * patchSize)
  store<f32>(patches.u + at, lost ? startU : u)
  store<f32>(patches.v + at, lost ? startV : v)
}

/** Finds the flow of every patch of a level: once from the top left, once back from the bottom right. */
export function searchPatches(level: Level, patches: Patches, iterations: i32): void {
  patches.columns = patchesAlong(level.width, patches.stride)
  patches.rows = patchesAlong(level.height, patches.stride)
  preparePatches(level, patches)
  const half = iterations / 2
  const columns = patches.columns
  const rows = patches.rows
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      searchPatch(level, patches, column, row, column > 0 ? 1 : 0, row > 0 ? columns : 0, half)
    }
  }
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const behind = column < columns - 1 ? -1 : 0
      searchPatch(level, patches, column, row, behind, row < rows - 1 ? -columns : 0, half)
    }
  }
}
