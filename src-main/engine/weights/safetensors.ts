import { z } from 'zod'
import { KineoError } from '../../core/errors.ts'
import type { ByteSource } from '../checkpoint/byte-source.ts'
import { withoutWrappers } from '../checkpoint/parameter-order.ts'
import type { TensorMap } from '../tensor.ts'
import { tensorFromBytes, type NumberFormat } from './number-formats.ts'

/** The format's own limit for its list of tensors. */
const largestHeader = 100 * 2 ** 20

const formats: Readonly<Record<string, NumberFormat>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'uint8',
}

const natural = z.int().min(0)
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(natural).max(8),
  data_offsets: z.tuple([natural, natural]),
})

/** Whether a file of `size` bytes begins as a safetensors file: the length of the header, then its brace. */
export function isSafetensors(start: Uint8Array, size: number): boolean {
  if (start.length < 9 || start[8] !== 0x7b) return false
  return Buffer.from(start).readBigUInt64LE(0) <= BigInt(Math.max(0, size - 8))
}

/**
 * Reads a safetensors file (Hugging Face, version 0.4): the length of the header as uint64, the header as JSON, then the
 * tensors. Every place is checked to lie in the file, and no byte belongs to two tensors.
 * @throws KineoError (input) when the file is damaged or holds other types of numbers.
 */
export async function readSafetensors(source: ByteSource, path: string): Promise<TensorMap> {
  const refuse = (reason: string): KineoError =>
    new KineoError('input', `Cannot read the safetensors file: ${reason}`, {
      where: path,
      remedy: 'Copy or download the file again, or save it again with safetensors.torch.save_file',
    })
  const headerLength = Number(Buffer.from(await source.read(0, 8)).readBigUInt64LE(0))
  if (headerLength > largestHeader || headerLength > source.size - 8) throw refuse('its header is cut off')
  const header = parseHeader(await source.read(8, headerLength))
  if (header === undefined) throw refuse('its header is broken')
  const dataStart = 8 + headerLength
  const dataSize = source.size - dataStart

  const entries = Object.entries(header).flatMap(([name, value]) => {
    if (name === '__metadata__') return []
    const parsed = entrySchema.safeParse(value)
    if (!parsed.success) throw refuse(`the entry of ${name} is broken`)
    const { dtype, shape, data_offsets: offsets } = parsed.data
    return [{ name, dtype, shape, start: offsets[0], end: offsets[1] }]
  })
  let end = 0
  for (const entry of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start < end) throw refuse(`${entry.name} shares bytes with another tensor`)
    if (entry.end < entry.start || entry.end > dataSize) throw refuse(`${entry.name} lies outside the file`)
    end = entry.end
  }

  const tensors: TensorMap = new Map()
  for (const { name, dtype, shape, start, end } of entries) {
    const format = Object.hasOwn(formats, dtype) ? formats[dtype] : undefined
    if (format === undefined) throw refuse(`${name} has numbers of type ${dtype}, which are not known`)
    const tensor = tensorFromBytes(format, shape, await source.read(dataStart + start, end - start))
    if (tensor === undefined)
      throw refuse(`${name} has ${end - start} bytes, which is not its shape [${shape.join(', ')}]`)
    tensors.set(withoutWrappers(name), tensor)
  }
  if (tensors.size === 0) throw refuse('it holds no weights')
  return tensors
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(new TextDecoder().decode(bytes)))
    return parsed.data
  } catch {
    return undefined
  }
}
