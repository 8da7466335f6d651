/**
 * Variational refinement: small corrections (du, dv) to the flow of a level that minimise
 *
 *   delta * psi(brightness constancy) + gamma * psi(gradient constancy) + alpha * psi(smoothness),  psi(s) = sqrt(s + e^2)
 *
 * after Brox et al., High Accuracy Optical Flow Estimation Based on a Theory for Warping (ECCV 2004), with the constraint
 * normalisation of Zimmer et al., Optic Flow in Harmony (IJCV 2011), as in the paper of DIS (section 2.3) and in OpenCV.
 * The nonlinear weights are frozen for a while (`iterations`), and the linear system that remains is solved by
 * successive over-relaxation (`relaxations`).
 */
import { Level } from './level'
import { allocatePlane, pixel, planeBytes, replicateBorder } from './plane'
import { Checkerboard, relax } from './relaxation'

const alpha: f32 = 10
const delta: f32 = 2.5
const gamma: f32 = 5
const epsilonSquared: f32 = 1e-6
const zetaSquared: f32 = 0.01

/** Scratch memory for levels up to the one it was made for. */
export class Refinement {
  readonly board: Checkerboard
  /** Mean of the earlier and the warped later frame; warped minus earlier. */
  readonly mean: usize
  readonly difference: usize
  /** First and second derivatives of the mean, first derivatives of the difference. */
  readonly ix: usize
  readonly iy: usize
  readonly ixx: usize
  readonly ixy: usize
  readonly iyy: usize
  readonly ixz: usize
  readonly iyz: usize
  readonly du: usize
  readonly dv: usize

  constructor(
    largest: Level,
    readonly iterations: i32,
    readonly relaxations: i32,
  ) {
    const stride = largest.stride
    const height = largest.height
    this.board = new Checkerboard(largest)
    this.mean = allocatePlane(stride, height)
    this.difference = allocatePlane(stride, height)
    this.ix = allocatePlane(stride, height)
    this.iy = allocatePlane(stride, height)
    this.ixx = allocatePlane(stride, height)
    this.ixy = allocatePlane(stride, height)
    this.iyy = allocatePlane(stride, height)
    this.ixz = allocatePlane(stride, height)
    this.iyz = allocatePlane(stride, height)
    this.du = allocatePlane(stride, height)
    this.dv = allocatePlane(stride, height)
  }
}

/** Refines the flow of a level in place. */
export function refine(level: Level, work: Refinement): void {
  const stride = level.stride
  const width = level.width
  const height = level.height
  const bytes = planeBytes(stride, height)
  warp(level, work)
  differentiate(level, work)
  memory.fill(work.du, 0, bytes)
  memory.fill(work.dv, 0, bytes)
  replicateBorder(level.u, stride, width, height)
  replicateBorder(level.v, stride, width, height)
  work.board.clear(width, height)
  for (let i = 0; i < work.iterations; i++) {
    for (let y = 0; y < height; y++) {
      weighSmoothness(level, work, y)
      weighData(level, work, y)
      work.board.placeRow(y)
    }
    relax(work.board, work.relaxations)
    work.board.readCorrections(work.du, work.dv, stride)
    replicateBorder(work.du, stride, width, height)
    replicateBorder(work.dv, stride, width, height)
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += 4) {
      const at = pixel(0, stride, x, y)
      v128.store(level.u + at, f32x4.add(v128.load(level.u + at), v128.load(work.du + at)))
      v128.store(level.v + at, f32x4.add(v128.load(level.v + at), v128.load(work.dv + at)))
    }
  }
}

/** Looks up the later frame where the flow points to. */
function warp(level: Level, work: Refinement): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const lastX = <f32>(level.width - 1)
  const lastY = <f32>(level.height - 1)
  for (let y = 0; y < level.height; y++) {
    for (let x = 0; x < level.width; x++) {
      const at = pixel(0, stride, x, y)
      const sourceX = max<f32>(0, min<f32>(<f32>x + load<f32>(level.u + at), lastX))
      const sourceY = max<f32>(0, min<f32>(<f32>y + load<f32>(level.v + at), lastY))
      const left = <i32>sourceX
      const top = <i32>sourceY
      const weightX = sourceX - <f32>left
      const corner = pixel(level.later, stride, left, top)
      const a = load<f32>(corner)
      const b = load<f32>(corner + rowBytes)
      const upper = a + weightX * (load<f32>(corner, 4) - a)
      const lower = b + weightX * (load<f32>(corner + rowBytes, 4) - b)
      const warped = upper + (sourceY - <f32>top) * (lower - upper)
      const earlier = load<f32>(level.earlier + at)
      store<f32>(work.difference + at, warped - earlier)
      store<f32>(work.mean + at, <f32>0.5 * (warped + earlier))
    }
  }
  replicateBorder(work.difference, stride, level.width, level.height)
  replicateBorder(work.mean, stride, level.width, level.height)
}

/**
 * Difference of the two neighbours of each of four pixels, `bytes` away on either side. Not halved, as in OpenCV: that
 * damps the corrections, and measured on known motion it does no harm.
 */
function neighbourDifference(at: usize, bytes: usize): v128 {
  return f32x4.sub(v128.load(at + bytes), v128.load(at - bytes))
}

function differentiate(level: Level, work: Refinement): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  for (let y = 0; y < level.height; y++) {
    for (let x = 0; x < level.width; x += 4) {
      const at = pixel(0, stride, x, y)
      v128.store(work.ix + at, neighbourDifference(work.mean + at, 4))
      v128.store(work.iy + at, neighbourDifference(work.mean + at, rowBytes))
      v128.store(work.ixz + at, neighbourDifference(work.difference + at, 4))
      v128.store(work.iyz + at, neighbourDifference(work.difference + at, rowBytes))
    }
  }
  replicateBorder(work.ix, stride, level.width, level.height)
  replicateBorder(work.iy, stride, level.width, level.height)
  for (let y = 0; y < level.height; y++) {
    for (let x = 0; x < level.width; x += 4) {
      const at = pixel(0, stride, x, y)
      v128.store(work.ixx + at, neighbourDifference(work.ix + at, 4))
      v128.store(work.ixy + at, neighbourDifference(work.ix + at, rowBytes))
      v128.store(work.iyy + at, neighbourDifference(work.iy + at, rowBytes))
    }
  }
}

/** Weights of the edges to the right and lower neighbours of a row; none leads out of the image. */
function weighSmoothness(level: Level, work: Refinement, y: i32): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const board = work.board
  const scale = f32x4.splat(alpha)
  const epsilon = f32x4.splat(epsilonSquared)
  board.startRow()
  for (let x = 0; x < level.width; x += 4) {
    const at = pixel(0, stride, x, y)
    const u = f32x4.add(v128.load(level.u + at), v128.load(work.du + at))
    const v = f32x4.add(v128.load(level.v + at), v128.load(work.dv + at))
    const right = at + 4
    const below = at + rowBytes
    const ux = f32x4.sub(f32x4.add(v128.load(level.u + right), v128.load(work.du + right)), u)
    const uy = f32x4.sub(f32x4.add(v128.load(level.u + below), v128.load(work.du + below)), u)
    const vx = f32x4.sub(f32x4.add(v128.load(level.v + right), v128.load(work.dv + right)), v)
    const vy = f32x4.sub(f32x4.add(v128.load(level.v + below), v128.load(work.dv + below)), v)
    const squares = f32x4.add(
      f32x4.add(f32x4.mul(ux, ux), f32x4.mul(uy, uy)),
      f32x4.add(f32x4.mul(vx, vx), f32x4.mul(vy, vy)),
    )
    const weight = f32x4.div(scale, f32x4.sqrt(f32x4.add(squares, epsilon)))
    const offset = (<usize>x) << 2
    v128.store(board.rowRight + offset, weight)
    v128.store(board.rowDown + offset, weight)
  }
  board.closeEdges(y)
}

/** Data terms of a row, with the pull of the present flow's smoothness, as coefficients for the relaxation. */
function weighData(level: Level, work: Refinement, y: i32): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const board = work.board
  const one = f32x4.splat(1)
  const zeta = f32x4.splat(zetaSquared)
  const epsilon = f32x4.splat(epsilonSquared)
  const omega = f32x4.splat(Checkerboard.omega)
  for (let x = 0; x < level.width; x += 4) {
    const at = pixel(0, stride, x, y)
    const offset = (<usize>x) << 2
    const du = v128.load(work.du + at)
    const dv = v128.load(work.dv + at)

    // Brightness constancy.
    const ix = v128.load(work.ix + at)
    const iy = v128.load(work.iy + at)
    const iz = v128.load(work.difference + at)
    const norm = f32x4.add(f32x4.add(f32x4.mul(ix, ix), f32x4.mul(iy, iy)), zeta)
    const residual = f32x4.add(iz, f32x4.add(f32x4.mul(ix, du), f32x4.mul(iy, dv)))
    const brightness = f32x4.div(
      f32x4.splat(delta),
      f32x4.mul(f32x4.sqrt(f32x4.add(f32x4.div(f32x4.mul(residual, residual), norm), epsilon)), norm),
    )
    let a11 = f32x4.add(f32x4.mul(brightness, f32x4.mul(ix, ix)), zeta)
    let a12 = f32x4.mul(brightness, f32x4.mul(ix, iy))
    let a22 = f32x4.add(f32x4.mul(brightness, f32x4.mul(iy, iy)), zeta)
    let b1 = f32x4.neg(f32x4.mul(brightness, f32x4.mul(iz, ix)))
    let b2 = f32x4.neg(f32x4.mul(brightness, f32x4.mul(iz, iy)))

    // Gradient constancy, in x and in y.
    const ixx = v128.load(work.ixx + at)
    const ixy = v128.load(work.ixy + at)
    const iyy = v128.load(work.iyy + at)
    const ixz = v128.load(work.ixz + at)
    const iyz = v128.load(work.iyz + at)
    const crossed = f32x4.add(f32x4.mul(ixy, ixy), zeta)
    const inverseX = f32x4.div(one, f32x4.add(f32x4.mul(ixx, ixx), crossed))
    const inverseY = f32x4.div(one, f32x4.add(f32x4.mul(iyy, iyy), crossed))
    const residualX = f32x4.add(ixz, f32x4.add(f32x4.mul(ixx, du), f32x4.mul(ixy, dv)))
    const residualY = f32x4.add(iyz, f32x4.add(f32x4.mul(ixy, du), f32x4.mul(iyy, dv)))
    const squares = f32x4.add(
      f32x4.mul(f32x4.mul(residualX, residualX), inverseX),
      f32x4.mul(f32x4.mul(residualY, residualY), inverseY),
    )
    const gradient = f32x4.div(f32x4.splat(gamma), f32x4.sqrt(f32x4.add(squares, epsilon)))
    const alongX = f32x4.mul(gradient, inverseX)
    const alongY = f32x4.mul(gradient, inverseY)
    const xIxx = f32x4.mul(alongX, ixx)
    const xIxy = f32x4.mul(alongX, ixy)
    const yIxy = f32x4.mul(alongY, ixy)
    const yIyy = f32x4.mul(alongY, iyy)
    a11 = f32x4.add(a11, f32x4.add(f32x4.mul(xIxx, ixx), f32x4.mul(yIxy, ixy)))
    a12 = f32x4.add(a12, f32x4.add(f32x4.mul(xIxx, ixy), f32x4.mul(yIxy, iyy)))
    a22 = f32x4.add(a22, f32x4.add(f32x4.mul(xIxy, ixy), f32x4.mul(yIyy, iyy)))
    b1 = f32x4.sub(b1, f32x4.add(f32x4.mul(xIxx, ixz), f32x4.mul(yIxy, iyz)))
    b2 = f32x4.sub(b2, f32x4.add(f32x4.mul(xIxy, ixz), f32x4.mul(yIyy, iyz)))

    // Smoothness of the flow as it is; that of the corrections is left to the relaxation.
    const right = v128.load(board.rowRight + offset)
    const left = v128.load(board.rowRight + offset - 4)
    const down = v128.load(board.rowDown + offset)
    const up = v128.load(board.rowUp + offset)
    const atU = level.u + at
    const atV = level.v + at
    const u = v128.load(atU)
    const v = v128.load(atV)
    b1 = f32x4.add(b1, f32x4.mul(right, f32x4.sub(v128.load(atU + 4), u)))
    b1 = f32x4.add(b1, f32x4.mul(left, f32x4.sub(v128.load(atU - 4), u)))
    b1 = f32x4.add(b1, f32x4.mul(down, f32x4.sub(v128.load(atU + rowBytes), u)))
    b1 = f32x4.add(b1, f32x4.mul(up, f32x4.sub(v128.load(atU - rowBytes), u)))
    b2 = f32x4.add(b2, f32x4.mul(right, f32x4.sub(v128.load(atV + 4), v)))
    b2 = f32x4.add(b2, f32x4.mul(left, f32x4.sub(v128.load(atV - 4), v)))
    b2 = f32x4.add(b2, f32x4.mul(down, f32x4.sub(v128.load(atV + rowBytes), v)))
    b2 = f32x4.add(b2, f32x4.mul(up, f32x4.sub(v128.load(atV - rowBytes), v)))
    const edges = f32x4.add(f32x4.add(right, left), f32x4.add(down, up))
    v128.store(board.rowB1 + offset, b1)
    v128.store(board.rowB2 + offset, b2)
    v128.store(board.rowA12 + offset, a12)
    v128.store(board.rowInverse11 + offset, f32x4.div(omega, f32x4.add(a11, edges)))
    v128.store(board.rowInverse22 + offset, f32x4.div(omega, f32x4.add(a22, edges)))
  }
}
