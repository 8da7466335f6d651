/**
 * Images of 32-bit floats with a border on every side, so that patches may hang over the edge and SIMD code may read a
 * vector past it. A plane is the address of its memory; its stride (floats a row, a multiple of 4) comes from its level.
 */

/** Border in pixels: a patch that lies wholly outside, one more pixel to interpolate, and a vector. */
export const border: i32 = 24

/** Floats a row of a plane for images of this width. */
export function strideFor(width: i32): i32 {
  return (width + 2 * border + 3) & ~3
}

/** A zeroed plane for images of `height` rows. */
export function allocatePlane(stride: i32, height: i32): usize {
  const bytes = planeBytes(stride, height)
  const plane = heap.alloc(bytes)
  memory.fill(plane, 0, bytes)
  return plane
}

/** Bytes of a whole plane, with its border and one vector to read past the end. */
export function planeBytes(stride: i32, height: i32): usize {
  return ((<usize>(stride * (height + 2 * border))) << 2) + 16
}

/** Address of the pixel at column `x` and row `y`, both from `-border`. */
export function pixel(plane: usize, stride: i32, x: i32, y: i32): usize {
  return plane + ((<usize>((y + border) * stride + x + border)) << 2)
}

/** Repeats the outermost pixels over the border. */
export function replicateBorder(plane: usize, stride: i32, width: i32, height: i32): void {
  for (let y = 0; y < height; y++) {
    const left = load<f32>(pixel(plane, stride, 0, y))
    const right = load<f32>(pixel(plane, stride, width - 1, y))
    for (let x = 1; x <= border; x++) store<f32>(pixel(plane, stride, -x, y), left)
    for (let x = width; x < stride - border; x++) store<f32>(pixel(plane, stride, x, y), right)
  }
  const rowBytes = (<usize>stride) << 2
  const top = pixel(plane, stride, -border, 0)
  const bottom = pixel(plane, stride, -border, height - 1)
  for (let y = 1; y <= border; y++) {
    memory.copy(top - <usize>y * rowBytes, top, rowBytes)
    memory.copy(bottom + <usize>y * rowBytes, bottom, rowBytes)
  }
}

/** Sum of the four lanes, always in the same order. */
export function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  )
}
