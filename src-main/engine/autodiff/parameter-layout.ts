/**
 * How a weight is kept through training. `torch`: as torch has it. `taps-in-out`: a convolution's
 * [out, in, ...kernel] as [taps, in, out], with the taps in row-major order, the form that matrix products over
 * [...spatial, N, C] activations take without a transpose.
 */
export type ParameterLayout = 'torch' | 'taps-in-out'

/** Shape in which a parameter of torch's `shape` is kept. */
export function storedShape(layout: ParameterLayout, shape: readonly number[]): readonly number[] {
  if (layout === 'torch') return shape
  const [out = 1, input = 1, ...kernel] = shape
  return [kernel.reduce((product, size) => product * size, 1), input, out]
}

/** Copies a parameter from torch's layout into `target`, in its stored layout. */
export function storeParameter(
  layout: ParameterLayout,
  shape: readonly number[],
  source: Float32Array,
  target: Float32Array,
): void {
  if (layout === 'torch') target.set(source)
  else {
    const [taps = 1, input = 1, out = 1] = storedShape(layout, shape)
    transposeOuter(source, target, out, input, taps)
  }
}

/** Copies a parameter from its stored layout into `target`, in torch's. */
export function loadParameter(
  layout: ParameterLayout,
  shape: readonly number[],
  source: Float32Array,
  target: Float32Array,
): void {
  if (layout === 'torch') target.set(source)
  else {
    const [taps = 1, input = 1, out = 1] = storedShape(layout, shape)
    transposeOuter(source, target, taps, input, out)
  }
}

/** [a, b, c] -> [c, b, a] */
function transposeOuter(source: Float32Array, target: Float32Array, a: number, b: number, c: number): void {
  let from = 0
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++) target[(k * b + j) * a + i] = source[from++] as number
}
