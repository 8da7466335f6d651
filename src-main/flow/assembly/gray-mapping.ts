/** The gray mapping of flow-to-gray in ../gray.ts, four pixels at a time; the same bits. */

/** Longest motion of a frame in pixels, at least 1. */
export function longestMotion(u: usize, v: usize, count: i32): f32 {
  let squares = f32x4.splat(0)
  const whole = count & ~3
  for (let i = 0; i < whole; i += 4) {
    const offset = (<usize>i) << 2
    const x = v128.load(u + offset)
    const y = v128.load(v + offset)
    squares = f32x4.max(squares, f32x4.add(f32x4.mul(x, x), f32x4.mul(y, y)))
  }
  let longest = max<f32>(
    max<f32>(f32x4.extract_lane(squares, 0), f32x4.extract_lane(squares, 1)),
    max<f32>(f32x4.extract_lane(squares, 2), f32x4.extract_lane(squares, 3)),
  )
  for (let i = whole; i < count; i++) {
    const x = load<f32>(u + ((<usize>i) << 2))
    const y = load<f32>(v + ((<usize>i) << 2))
    longest = max<f32>(longest, x * x + y * y)
  }
  return max<f32>(1, Mathf.sqrt(longest))
}

/** Writes `trunc(x / longest * 127.999 + 128)` of each value as a byte. */
export function mapToGray(flow: usize, count: i32, longest: f32, gray: usize): void {
  const divisor = f32x4.splat(longest)
  const factor = f32x4.splat(127.999)
  const still = f32x4.splat(128)
  const whole = count & ~3
  for (let i = 0; i < whole; i += 4) {
    const value = v128.load(flow + ((<usize>i) << 2))
    const mapped = f32x4.add(f32x4.mul(f32x4.div(value, divisor), factor), still)
    const wide = i32x4.trunc_sat_f32x4_s(mapped)
    const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(wide, wide), i16x8.splat(0))
    store<i32>(gray + i, i32x4.extract_lane(bytes, 0))
  }
  for (let i = whole; i < count; i++) {
    const value = load<f32>(flow + ((<usize>i) << 2))
    store<u8>(gray + i, <u8>((value / longest) * <f32>127.999 + <f32>128))
  }
}
