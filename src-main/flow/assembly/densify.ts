/** From patches to pixels (Kroeger et al. 2016, section 2.2). */
import { Level } from './level'
import { Patches, patchSize } from './patch-search'
import { pixel, planeBytes } from './plane'

/**
 * Flow of every pixel: the mean over the patches that cover it, each weighted by how well it fits there,
 * `1 / max(1, |difference|)`.
 *
 * @param weightSum A plane of at least this level's size, for scratch.
 */
export function densify(level: Level, patches: Patches, weightSum: usize): void {
  const stride = level.stride
  const bytes = planeBytes(stride, level.height)
  memory.fill(level.u, 0, bytes)
  memory.fill(level.v, 0, bytes)
  memory.fill(weightSum, 0, bytes)
  for (let row = 0; row < patches.rows; row++) {
    for (let column = 0; column < patches.columns; column++) {
      const at = (<usize>(row * patches.columns + column)) << 2
      const u = load<f32>(patches.u + at)
      const v = load<f32>(patches.v + at)
      spreadPatch(level, column * patches.stride, row * patches.stride, u, v, weightSum)
    }
  }

  const width = level.width
  const covered = (patches.columns - 1) * patches.stride + patchSize
  const coveredRows = (patches.rows - 1) * patches.stride + patchSize
  const one = f32x4.splat(1)
  const tiny = f32x4.splat(1e-6)
  for (let y = 0; y < coveredRows; y++) {
    for (let x = 0; x < covered; x += 4) {
      const scale = f32x4.div(one, f32x4.max(v128.load(pixel(weightSum, stride, x, y)), tiny))
      const u = pixel(level.u, stride, x, y)
      const v = pixel(level.v, stride, x, y)
      v128.store(u, f32x4.mul(v128.load(u), scale))
      v128.store(v, f32x4.mul(v128.load(v), scale))
    }
    // Columns and rows that no patch reaches take the nearest value.
    const lastU = load<f32>(pixel(level.u, stride, covered - 1, y))
    const lastV = load<f32>(pixel(level.v, stride, covered - 1, y))
    for (let x = covered; x < width; x++) {
      store<f32>(pixel(level.u, stride, x, y), lastU)
      store<f32>(pixel(level.v, stride, x, y), lastV)
    }
  }
  const rowBytes = (<usize>width) << 2
  for (let y = coveredRows; y < level.height; y++) {
    memory.copy(pixel(level.u, stride, 0, y), pixel(level.u, stride, 0, coveredRows - 1), rowBytes)
    memory.copy(pixel(level.v, stride, 0, y), pixel(level.v, stride, 0, coveredRows - 1), rowBytes)
  }
}

function spreadPatch(level: Level, x: i32, y: i32, u: f32, v: f32, weightSum: usize): void {
  const stride = level.stride
  const rowBytes = (<usize>stride) << 2
  const atX = max<f32>(<f32>-patchSize, min<f32>(<f32>x + u, <f32>level.width))
  const atY = max<f32>(<f32>-patchSize, min<f32>(<f32>y + v, <f32>level.height))
  const left = Mathf.floor(atX)
  const top = Mathf.floor(atY)
  const weightX = f32x4.splat(atX - left)
  const weightY = f32x4.splat(atY - top)
  const one = f32x4.splat(1)
  const wideU = f32x4.splat(u)
  const wideV = f32x4.splat(v)
  for (let half = 0; half < patchSize; half += 4) {
    let later = pixel(level.later, stride, <i32>left + half, <i32>top)
    let earlier = pixel(level.earlier, stride, x + half, y)
    let sumU = pixel(level.u, stride, x + half, y)
    let sumV = pixel(level.v, stride, x + half, y)
    let sumWeight = pixel(weightSum, stride, x + half, y)
    let a = v128.load(later)
    let upper = f32x4.add(a, f32x4.mul(weightX, f32x4.sub(v128.load(later, 4), a)))
    for (let i = 0; i < patchSize; i++) {
      later += rowBytes
      a = v128.load(later)
      const lower = f32x4.add(a, f32x4.mul(weightX, f32x4.sub(v128.load(later, 4), a)))
      const shifted = f32x4.add(upper, f32x4.mul(weightY, f32x4.sub(lower, upper)))
      const difference = f32x4.abs(f32x4.sub(shifted, v128.load(earlier)))
      const weight = f32x4.div(one, f32x4.max(one, difference))
      v128.store(sumU, f32x4.add(v128.load(sumU), f32x4.mul(weight, wideU)))
      v128.store(sumV, f32x4.add(v128.load(sumV), f32x4.mul(weight, wideV)))
      v128.store(sumWeight, f32x4.add(v128.load(sumWeight), weight))
      upper = lower
      earlier += rowBytes
      sumU += rowBytes
      sumV += rowBytes
      sumWeight += rowBytes
    }
  }
}
