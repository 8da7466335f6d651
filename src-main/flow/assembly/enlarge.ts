import { pixel } from './plane'

/** Columns (or rows) of a bilinear enlargement: where each looks and how much its right (lower) neighbour counts. */
export function prepareColumns(sourceWidth: i32, width: i32, columns: usize, weights: usize): void {
  const scale = <f32>sourceWidth / <f32>width
  for (let x = 0; x < width; x++) {
    const at = max<f32>(0, min<f32>((<f32>x + 0.5) * scale - 0.5, <f32>(sourceWidth - 1)))
    const left = min(<i32>at, max(sourceWidth - 2, 0))
    store<i32>(columns + ((<usize>x) << 2), left)
    store<f32>(weights + ((<usize>x) << 2), at - <f32>left)
  }
}

/**
 * Enlarges a plane bilinearly, pixel centres as in OpenCV's resize, and multiplies its values by `factor`.
 *
 * @param target Address of the first pixel of the result; `rowFloats` floats lie between its rows.
 * @param row Scratch memory for one row of the source and a vector more.
 */
export function enlarge(
  source: usize,
  sourceStride: i32,
  sourceWidth: i32,
  sourceHeight: i32,
  target: usize,
  rowFloats: i32,
  width: i32,
  height: i32,
  columns: usize,
  weights: usize,
  row: usize,
  factor: f32,
): void {
  const scale = <f32>sourceHeight / <f32>height
  const rowBytes = (<usize>sourceStride) << 2
  for (let y = 0; y < height; y++) {
    const at = max<f32>(0, min<f32>((<f32>y + 0.5) * scale - 0.5, <f32>(sourceHeight - 1)))
    const top = min(<i32>at, max(sourceHeight - 2, 0))
    const lowerWeight = f32x4.splat((at - <f32>top) * factor)
    const upperWeight = f32x4.splat((<f32>1 - (at - <f32>top)) * factor)
    const upper = pixel(source, sourceStride, 0, top)
    // One column more than the source has: its weight is 0, but it must be a number.
    for (let x = 0; x <= sourceWidth; x += 4) {
      const offset = (<usize>x) << 2
      const mixed = f32x4.add(
        f32x4.mul(upperWeight, v128.load(upper + offset)),
        f32x4.mul(lowerWeight, v128.load(upper + rowBytes + offset)),
      )
      v128.store(row + offset, mixed)
    }
    const out = target + ((<usize>(y * rowFloats)) << 2)
    for (let x = 0; x < width; x++) {
      const offset = (<usize>x) << 2
      const left = row + ((<usize>load<i32>(columns + offset)) << 2)
      const a = load<f32>(left)
      store<f32>(out + offset, a + load<f32>(weights + offset) * (load<f32>(left, 4) - a))
    }
  }
}
