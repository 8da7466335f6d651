/** Flow as pictures: one byte a pixel, 128 is no motion. */
export interface GrayFlow {
  u: Uint8Array
  v: Uint8Array
}

/**
 * RGB to gray by BT.601 in 14-bit fixed point, bit for bit as OpenCV's cvtColor.
 *
 * @param rgb Red, green, blue of each pixel.
 */
export function rgbToGray(rgb: Uint8Array): Uint8Array {
  const gray = new Uint8Array(rgb.length / 3)
  for (let i = 0, at = 0; i < gray.length; i++, at += 3) {
    const weighted = (rgb[at] ?? 0) * 4899 + (rgb[at + 1] ?? 0) * 9617 + (rgb[at + 2] ?? 0) * 1868
    gray[i] = (weighted + 8192) >> 14
  }
  return gray
}

/**
 * Maps flow to gray as the preprocessing tool of TAO does (`max_rad` in convert_of.py of NVIDIA-AI-IOT's
 * tao_toolkit_recipes): each frame is scaled by its own longest motion r, at least 1 pixel, and a component x becomes
 * `trunc(x / r * 127.999 + 128)`, in single precision as there. assembly/gray-mapping.ts does the same with SIMD.
 */
export function flowToGray(u: Float32Array, v: Float32Array): GrayFlow {
  const { fround } = Math
  let longestSquared = 0
  for (let i = 0; i < u.length; i++) {
    const [x, y] = [u[i] ?? 0, v[i] ?? 0]
    const squared = fround(fround(x * x) + fround(y * y))
    if (squared > longestSquared) longestSquared = squared
  }
  const longest = Math.max(1, fround(Math.sqrt(longestSquared)))
  const map = (component: Float32Array): Uint8Array => {
    const gray = new Uint8Array(component.length)
    const factor = fround(127.999)
    for (let i = 0; i < gray.length; i++) {
      gray[i] = fround(fround(fround((component[i] ?? 0) / longest) * factor) + 128)
    }
    return gray
  }
  return { u: map(u), v: map(v) }
}
