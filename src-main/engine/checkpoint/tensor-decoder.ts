import type { Tensor } from '../tensor.ts'
import { PickleError } from './pickle-reader.ts'
import type { ElementType, StorageReference, StoredTensor } from './torch-pickle.ts'

type Elements = Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>

/** Reads the bytes of a storage into a buffer of their own. */
export type ReadStorage = (storage: StorageReference) => Promise<Uint8Array<ArrayBuffer>>

/**
 * Turns stored tensors into dense ones: floats of any width become float32, whole numbers int64. A storage is read
 * when its first tensor is asked for; a tensor that is its storage's only content takes the memory over, without a copy.
 */
export class TensorDecoder {
  readonly #readStorage: ReadStorage
  readonly #storages = new Map<string, { bytes: Uint8Array<ArrayBuffer>; handedOut: boolean }>()
  #elementsLeft: number

  /** @param mostElements Elements of all tensors together; tensors that share a storage could add up to any size. */
  constructor(readStorage: ReadStorage, mostElements: number) {
    this.#readStorage = readStorage
    this.#elementsLeft = mostElements
  }

  /** @throws PickleError when the storage is too short or the tensors are larger together than the file allows. */
  async decode(tensor: StoredTensor): Promise<Tensor> {
    this.#elementsLeft -= tensor.count
    if (this.#elementsLeft < 0) throw new PickleError('its tensors are larger than the file')
    const source = await this.#load(tensor.storage)
    const whole = isDense(tensor) && tensor.offset === 0 && tensor.count === tensor.storage.count
    const { elements } = tensor.storage
    let data: Elements
    if (whole && !source.handedOut && elements.name === 'FloatStorage') {
      source.handedOut = true
      data = new Float32Array(source.bytes.buffer)
    } else if (whole && !source.handedOut && elements.name === 'LongStorage') {
      source.handedOut = true
      data = new BigInt64Array(source.bytes.buffer)
    } else {
      data = gather(tensor, source.bytes)
    }
    return { dtype: data instanceof Float32Array ? 'float32' : 'int64', shape: tensor.shape, data }
  }

  /** The only element of a tensor, in full precision. */
  async decodeNumber(tensor: StoredTensor): Promise<number> {
    const { bytes } = await this.#load(tensor.storage)
    const { elements } = tensor.storage
    return isFloat(elements)
      ? floatReader(elements.name, bytes)(tensor.offset)
      : Number(integerReader(elements.name, bytes)(tensor.offset))
  }

  async #load(storage: StorageReference): Promise<{ bytes: Uint8Array<ArrayBuffer>; handedOut: boolean }> {
    let loaded = this.#storages.get(storage.key)
    if (loaded === undefined) {
      loaded = { bytes: await this.#readStorage(storage), handedOut: false }
      this.#storages.set(storage.key, loaded)
    }
    const wanted = storage.count * storage.elements.bytes
    if (loaded.bytes.byteLength !== wanted)
      throw new PickleError(
        `storage ${storage.key} has ${loaded.bytes.byteLength} bytes instead of ${wanted}`,
      )
    return loaded
  }
}

function isDense(tensor: StoredTensor): boolean {
  let step = 1
  for (let axis = tensor.shape.length - 1; axis >= 0; axis--) {
    const size = tensor.shape[axis] ?? 0
    if (size !== 1 && tensor.strides[axis] !== step) return false
    step *= size
  }
  return true
}

/** Copies the elements in row-major order. */
function gather(tensor: StoredTensor, bytes: Uint8Array<ArrayBuffer>): Elements {
  const positions = elementPositions(tensor)
  const { name } = tensor.storage.elements
  if (isFloat(tensor.storage.elements)) {
    const read = floatReader(name, bytes)
    const data = new Float32Array(tensor.count)
    for (let i = 0; i < data.length; i++) data[i] = read(positions(i))
    return data
  }
  const read = integerReader(name, bytes)
  const data = new BigInt64Array(tensor.count)
  for (let i = 0; i < data.length; i++) data[i] = read(positions(i))
  return data
}

function elementPositions(tensor: StoredTensor): (index: number) => number {
  const { offset, shape, strides } = tensor
  if (isDense(tensor)) return (index) => offset + index
  return (index) => {
    let position = offset
    let rest = index
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1
      position += (rest % size) * (strides[axis] ?? 0)
      rest = Math.floor(rest / size)
    }
    return position
  }
}

function isFloat(elements: ElementType): boolean {
  return /Float|Double|Half/.test(elements.name)
}

function floatReader(name: string, { buffer }: Uint8Array<ArrayBuffer>): (position: number) => number {
  switch (name) {
    case 'FloatStorage': {
      const values = new Float32Array(buffer)
      return (position) => values[position] ?? 0
    }
    case 'DoubleStorage': {
      const values = new Float64Array(buffer)
      return (position) => values[position] ?? 0
    }
    case 'BFloat16Storage': {
      const values = new Uint16Array(buffer)
      return (position) => bfloat16ToNumber(values[position] ?? 0)
    }
    default: {
      const values = new Uint16Array(buffer)
      return (position) => halfToNumber(values[position] ?? 0)
    }
  }
}

function integerReader(name: string, { buffer }: Uint8Array<ArrayBuffer>): (position: number) => bigint {
  if (name === 'LongStorage') {
    const values = new BigInt64Array(buffer)
    return (position) => values[position] ?? 0n
  }
  const values =
    name === 'IntStorage'
      ? new Int32Array(buffer)
      : name === 'ShortStorage'
        ? new Int16Array(buffer)
        : name === 'CharStorage'
          ? new Int8Array(buffer)
          : new Uint8Array(buffer)
  return (position) => BigInt(values[position] ?? 0)
}

const bfloat16Bits = new Uint32Array(1)
const bfloat16Value = new Float32Array(bfloat16Bits.buffer)

/** The upper half of a float32. */
export function bfloat16ToNumber(bits: number): number {
  bfloat16Bits[0] = bits << 16
  return bfloat16Value[0] ?? 0
}

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
