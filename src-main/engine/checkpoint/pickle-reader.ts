/**
 * Reads Python pickles as data. It knows the opcodes that torch.save writes and runs no code: a global is looked up by
 * `resolve` alone, and only what that returns can be called. Every length is checked against the bytes that are there,
 * an opcode adds at most one value, and the opcodes are counted, so memory stays in proportion to the pickle. Values
 * that hold one another in any depth cost nothing: nobody follows them.
 */

/** The largest networks need a tenth of a million. */
const mostOpcodes = 2_000_000

/** Opcodes of other pickles, for the message. */
const refusedOpcodes: ReadonlyMap<number, string> = new Map([
  [0x69, 'INST'],
  [0x6f, 'OBJ'],
  [0x50, 'PERSID'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x92, 'NEWOBJ_EX'],
  [0x91, 'FROZENSET'],
  [0x96, 'BYTEARRAY8'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
  [0x49, 'INT'],
  [0x4c, 'LONG'],
  [0x46, 'FLOAT'],
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x8b, 'LONG4'],
  [0x67, 'GET'],
  [0x70, 'PUT'],
  [0x6c, 'LIST'],
  [0x64, 'DICT'],
  [0x31, 'POP_MARK'],
  [0x32, 'DUP'],
])

/** A Python name that the pickle may call; `call` gets the positional arguments. */
export class PickleCallable {
  readonly name: string
  readonly call: (args: readonly unknown[]) => unknown

  constructor(name: string, call: (args: readonly unknown[]) => unknown) {
    this.name = name
    this.call = call
  }
}

/** Stands for an instance of a class whose content nobody needs; whatever is put into it is dropped. */
export class InertObject {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A value whose further state the pickle may set without effect. */
export abstract class InertState {}

/** The pickle is broken or asks for something that is not allowed. */
export class PickleError extends Error {}

export interface PickleHooks {
  /** The value for a global; throws a PickleError to refuse it. */
  resolve: (module: string, name: string) => unknown
  /** The value for a persistent id (torch: a storage). */
  persistent: (id: unknown) => unknown
}

/**
 * Reads one pickle, which starts at `start` of `bytes`.
 *
 * Lists and tuples become arrays, dicts Maps, sets Sets, ints numbers (bigint past 2^53), bytes Uint8Array.
 *
 * @returns The value and the offset behind the pickle.
 * @throws PickleError for anything unexpected.
 */
export function readPickle(
  bytes: Uint8Array,
  hooks: PickleHooks,
  start = 0,
): { value: unknown; end: number } {
  const machine = new PickleMachine(bytes, hooks, start)
  const value = machine.run()
  return { value, end: machine.position }
}

class PickleMachine {
  position: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #hooks: PickleHooks
  readonly #memo = new Map<number, unknown>()
  readonly #outerStacks: unknown[][] = []
  #stack: unknown[] = []

  constructor(bytes: Uint8Array, hooks: PickleHooks, start: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#hooks = hooks
    this.position = start
  }

  run(): unknown {
    for (let done = 0; done < mostOpcodes; done++) {
      const opcode = this.#byte()
      if (opcode === 0x2e /* STOP */) return this.#pop()
      this.#execute(opcode)
    }
    throw new PickleError('its list of tensors is too long')
  }

  #execute(opcode: number): void {
    switch (opcode) {
      case 0x80: /* PROTO */ {
        const protocol = this.#byte()
        if (protocol > 5) throw new PickleError(`pickle protocol ${protocol} is not known`)
        return
      }
      case 0x95 /* FRAME */:
        this.#skip(8)
        return
      case 0x4e /* NONE */:
        this.#push(null)
        return
      case 0x88 /* NEWTRUE */:
        this.#push(true)
        return
      case 0x89 /* NEWFALSE */:
        this.#push(false)
        return
      case 0x4a /* BININT */:
        this.#push(this.#view.getInt32(this.#skip(4), true))
        return
      case 0x4b /* BININT1 */:
        this.#push(this.#byte())
        return
      case 0x4d /* BININT2 */:
        this.#push(this.#view.getUint16(this.#skip(2), true))
        return
      case 0x8a /* LONG1 */:
        this.#push(integerOf(this.#take(this.#byte())))
        return
      case 0x47 /* BINFLOAT */:
        this.#push(this.#view.getFloat64(this.#skip(8), false))
        return
      case 0x58 /* BINUNICODE */:
        this.#push(textOf(this.#take(this.#uint32())))
        return
      case 0x8c /* SHORT_BINUNICODE */:
        this.#push(textOf(this.#take(this.#byte())))
        return
      case 0x8d /* BINUNICODE8 */:
        this.#push(textOf(this.#take(this.#length64())))
        return
      case 0x54 /* BINSTRING */:
        this.#push(textOf(this.#take(this.#uint32())))
        return
      case 0x55 /* SHORT_BINSTRING */:
        this.#push(textOf(this.#take(this.#byte())))
        return
      case 0x42 /* BINBYTES */:
        this.#push(this.#take(this.#uint32()))
        return
      case 0x43 /* SHORT_BINBYTES */:
        this.#push(this.#take(this.#byte()))
        return
      case 0x8e /* BINBYTES8 */:
        this.#push(this.#take(this.#length64()))
        return
      case 0x28 /* MARK */:
        this.#outerStacks.push(this.#stack)
        this.#stack = []
        return
      case 0x30 /* POP */:
        this.#pop()
        return
      case 0x29 /* EMPTY_TUPLE */:
      case 0x5d /* EMPTY_LIST */:
        this.#push([])
        return
      case 0x74 /* TUPLE */:
        this.#push(this.#popToMark())
        return
      case 0x85 /* TUPLE1 */:
      case 0x86 /* TUPLE2 */:
      case 0x87 /* TUPLE3 */: {
        const count = opcode - 0x84
        if (this.#stack.length < count) throw new PickleError('a value is missing')
        this.#push(this.#stack.splice(-count))
        return
      }
      case 0x61 /* APPEND */:
        this.#appendAll([this.#pop()])
        return
      case 0x65 /* APPENDS */:
        this.#appendAll(this.#popToMark())
        return
      case 0x7d /* EMPTY_DICT */:
        this.#push(new Map())
        return
      case 0x73 /* SETITEM */: {
        const value = this.#pop()
        this.#setAll([this.#pop(), value])
        return
      }
      case 0x75 /* SETITEMS */:
        this.#setAll(this.#popToMark())
        return
      case 0x8f /* EMPTY_SET */:
        this.#push(new Set())
        return
      case 0x90 /* ADDITEMS */: {
        const items = this.#popToMark()
        const target = this.#top()
        if (!(target instanceof Set)) throw new PickleError('items are added to something that is no set')
        for (const item of items) target.add(item)
        return
      }
      case 0x63 /* GLOBAL */: {
        const module = this.#line()
        this.#push(this.#hooks.resolve(module, this.#line()))
        return
      }
      case 0x93 /* STACK_GLOBAL */: {
        const name = this.#pop()
        const module = this.#pop()
        if (typeof module !== 'string' || typeof name !== 'string')
          throw new PickleError('a global has no name')
        this.#push(this.#hooks.resolve(module, name))
        return
      }
      case 0x52 /* REDUCE */:
      case 0x81 /* NEWOBJ */: {
        const args = this.#pop()
        const target = this.#pop()
        if (!Array.isArray(args)) throw new PickleError('a call has no arguments')
        if (!(target instanceof PickleCallable))
          throw new PickleError('something is called that cannot be called')
        this.#push(target.call(args))
        return
      }
      case 0x62 /* BUILD */: {
        // Attributes of an OrderedDict (torch's _metadata), of a parameter (whether it wants a gradient) or of an inert
        // object; nothing here needs them.
        this.#pop()
        const target = this.#top()
        if (!(target instanceof Map) && !(target instanceof InertObject) && !(target instanceof InertState))
          throw new PickleError('attributes are set on something that has none')
        return
      }
      case 0x51 /* BINPERSID */:
        this.#push(this.#hooks.persistent(this.#pop()))
        return
      case 0x68 /* BINGET */:
        this.#recall(this.#byte())
        return
      case 0x6a /* LONG_BINGET */:
        this.#recall(this.#uint32())
        return
      case 0x71 /* BINPUT */:
        this.#memo.set(this.#byte(), this.#top())
        return
      case 0x72 /* LONG_BINPUT */:
        this.#memo.set(this.#uint32(), this.#top())
        return
      case 0x94 /* MEMOIZE */:
        this.#memo.set(this.#memo.size, this.#top())
        return
      default:
        throw new PickleError(
          `pickle opcode ${refusedOpcodes.get(opcode) ?? ''} (0x${opcode.toString(16)}) is not allowed`,
        )
    }
  }

  #appendAll(items: unknown[]): void {
    const target = this.#top()
    if (target instanceof InertObject) return
    if (!Array.isArray(target)) throw new PickleError('items are appended to something that is no list')
    for (const item of items) target.push(item)
  }

  #setAll(items: unknown[]): void {
    const target = this.#top()
    if (items.length % 2 !== 0) throw new PickleError('a key has no value')
    if (target instanceof InertObject) return
    if (!(target instanceof Map)) throw new PickleError('items are set on something that is no dict')
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1])
  }

  #push(value: unknown): void {
    this.#stack.push(value)
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a value is missing')
    return this.#stack.pop()
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a value is missing')
    return this.#stack[this.#stack.length - 1]
  }

  #popToMark(): unknown[] {
    const items = this.#stack
    const outer = this.#outerStacks.pop()
    if (outer === undefined) throw new PickleError('a mark is missing')
    this.#stack = outer
    return items
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw new PickleError('a value is recalled that was never stored')
    this.#push(this.#memo.get(index))
  }

  /** Moves over `count` bytes and returns where they start. */
  #skip(count: number): number {
    const start = this.position
    if (count > this.#bytes.length - start) throw new PickleError('it ends too early')
    this.position = start + count
    return start
  }

  #take(count: number): Uint8Array {
    const start = this.#skip(count)
    return this.#bytes.subarray(start, start + count)
  }

  #byte(): number {
    return this.#view.getUint8(this.#skip(1))
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  #length64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true))
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position)
    if (end < 0 || end - this.position > 1000) throw new PickleError('a name does not end')
    const line = textOf(this.#bytes.subarray(this.position, end))
    this.position = end + 1
    return line
  }
}

const utf8 = new TextDecoder('utf-8')

function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}

/** Little-endian two's complement of any length (at most 255 bytes). */
function integerOf(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0
  let value = 0n
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte)
  value = BigInt.asIntN(bytes.length * 8, value)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
