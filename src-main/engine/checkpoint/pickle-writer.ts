/**
 * Writes Python pickles (protocol 2) of plain values and torch tensors, with no opcode that the strict reader of
 * PyTorch 1.13 (`torch.load(weights_only=True)`) would refuse. That reader knows no BINFLOAT, so a fraction is written
 * as a float64 tensor without dimensions, which torch's optimizers and schedulers compute with like a number.
 */

/** A tensor whose elements lie in the zip entry `data/<storageKey>`, dense and in row-major order. */
export class PickledTensor {
  readonly storageKey: string
  readonly storageType: 'FloatStorage' | 'LongStorage' | 'DoubleStorage'
  readonly shape: readonly number[]

  constructor(storageKey: string, storageType: PickledTensor['storageType'], shape: readonly number[]) {
    this.storageKey = storageKey
    this.storageType = storageType
    this.shape = shape
  }
}

/** A `collections.OrderedDict`. */
export class OrderedEntries {
  readonly entries: readonly (readonly [string, Picklable])[]

  constructor(entries: readonly (readonly [string, Picklable])[]) {
    this.entries = entries
  }
}

/** Numbers are whole; a Map becomes a dict with its keys as they are, an object one with text keys. */
export type Picklable =
  | null
  | boolean
  | number
  | string
  | PickledTensor
  | OrderedEntries
  | Picklable[]
  | Map<number, Picklable>
  | { [key: string]: Picklable }

/** @returns The bytes of the pickle of `value`. */
export function writePickle(value: Picklable): Uint8Array {
  const pickle = new PickleBytes()
  pickle.bytes(0x80, 2)
  writeValue(pickle, value)
  pickle.opcode('.')
  return pickle.result()
}

function writeValue(pickle: PickleBytes, value: Picklable): void {
  if (value === null) pickle.opcode('N')
  else if (typeof value === 'boolean') pickle.bytes(value ? 0x88 : 0x89)
  else if (typeof value === 'number') writeInteger(pickle, value)
  else if (typeof value === 'string') pickle.text(value)
  else if (value instanceof PickledTensor) writeTensor(pickle, value)
  else if (value instanceof OrderedEntries) {
    writeEmptyOrderedDict(pickle)
    writeItems(pickle, value.entries)
  } else if (Array.isArray(value)) {
    pickle.opcode('](')
    for (const item of value) writeValue(pickle, item)
    pickle.opcode('e')
  } else {
    pickle.opcode('}')
    writeItems(pickle, value instanceof Map ? [...value] : Object.entries(value))
  }
}

function writeItems(pickle: PickleBytes, entries: readonly (readonly [string | number, Picklable])[]): void {
  pickle.opcode('(')
  for (const [key, item] of entries) {
    writeValue(pickle, key)
    writeValue(pickle, item)
  }
  pickle.opcode('u')
}

function writeInteger(pickle: PickleBytes, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`)
  if (value === (value | 0)) {
    pickle.opcode('J')
    pickle.int32(value)
  } else {
    // LONG1: little-endian two's complement.
    pickle.bytes(0x8a, 8)
    pickle.int32(value | 0)
    pickle.int32(Math.floor(value / 2 ** 32))
  }
}

function writeEmptyOrderedDict(pickle: PickleBytes): void {
  pickle.global('collections', 'OrderedDict')
  pickle.opcode(')R')
}

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`. */
function writeTensor(pickle: PickleBytes, tensor: PickledTensor): void {
  const strides: number[] = []
  let count = 1
  for (const size of [...tensor.shape].reverse()) {
    strides.unshift(count)
    count *= size
  }
  pickle.global('torch._utils', '_rebuild_tensor_v2')
  pickle.opcode('((')
  pickle.text('storage')
  pickle.global('torch', tensor.storageType)
  pickle.text(tensor.storageKey)
  pickle.text('cpu')
  writeInteger(pickle, count)
  pickle.opcode('tQ')
  writeInteger(pickle, 0)
  for (const numbers of [tensor.shape, strides]) {
    pickle.opcode('(')
    for (const value of numbers) writeInteger(pickle, value)
    pickle.opcode('t')
  }
  pickle.bytes(0x89)
  writeEmptyOrderedDict(pickle)
  pickle.opcode('tR')
}

/** A byte buffer that grows. */
class PickleBytes {
  #buffer = Buffer.alloc(1 << 16)
  #length = 0

  result(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  bytes(...values: number[]): void {
    this.#reserve(values.length)
    for (const value of values) this.#buffer[this.#length++] = value
  }

  /** Opcodes by their printable characters. */
  opcode(characters: string): void {
    this.#reserve(characters.length)
    this.#length += this.#buffer.write(characters, this.#length, 'latin1')
  }

  int32(value: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeInt32LE(value, this.#length)
  }

  text(value: string): void {
    const encoded = Buffer.from(value, 'utf8')
    this.opcode('X')
    this.int32(encoded.length)
    this.#reserve(encoded.length)
    this.#length += encoded.copy(this.#buffer, this.#length)
  }

  global(module: string, name: string): void {
    this.opcode(`c${module}\n${name}\n`)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return
    const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + count))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}
