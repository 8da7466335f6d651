import { bfloat16ToNumber, halfToNumber } from '../checkpoint/tensor-decoder.ts'
import type { Tensor } from '../tensor.ts'

/** Element types of the files that are no pickles. */
export type NumberFormat =
  'float64' | 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'int16' | 'int8' | 'uint8'

export const bytesPerElement: Record<NumberFormat, number> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
}

/**
 * A tensor from little-endian bytes: floats of any width become float32, whole numbers int64.
 * @returns undefined when the bytes are not as many as the shape says.
 */
export function tensorFromBytes(
  format: NumberFormat,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor | undefined {
  const count = shape.reduce((product, size) => product * size, 1)
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return undefined
  if (count * bytesPerElement[format] !== bytes.length) return undefined
  // A copy starts at a multiple of 8, as the typed arrays want it.
  const { buffer } = Uint8Array.from(bytes)
  switch (format) {
    case 'float32':
      return { dtype: 'float32', shape, data: new Float32Array(buffer) }
    case 'float64':
      return { dtype: 'float32', shape, data: Float32Array.from(new Float64Array(buffer)) }
    case 'float16':
      return { dtype: 'float32', shape, data: Float32Array.from(new Uint16Array(buffer), halfToNumber) }
    case 'bfloat16':
      return { dtype: 'float32', shape, data: Float32Array.from(new Uint16Array(buffer), bfloat16ToNumber) }
    case 'int64':
      return { dtype: 'int64', shape, data: new BigInt64Array(buffer) }
    default:
      return { dtype: 'int64', shape, data: BigInt64Array.from(smallIntegers(format, buffer), BigInt) }
  }
}

function smallIntegers(
  format: 'int32' | 'int16' | 'int8' | 'uint8',
  buffer: ArrayBuffer,
): Int32Array | Int16Array | Int8Array | Uint8Array {
  if (format === 'int32') return new Int32Array(buffer)
  if (format === 'int16') return new Int16Array(buffer)
  return format === 'int8' ? new Int8Array(buffer) : new Uint8Array(buffer)
}
