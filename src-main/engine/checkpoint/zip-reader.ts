import { crc32, inflateRawSync } from 'node:zlib'
import type { ByteSource } from './byte-source.ts'

/** The zip file is broken, or uses something that PyTorch files never use. */
export class ZipError extends Error {}

interface Entry {
  method: number
  crc: number
  compressedSize: number
  size: number
  headerOffset: number
}

const stored = 0
const deflated = 8
const unset32 = 0xffff_ffff
const unset16 = 0xffff
/** A thousand tensors take a tenth of a megabyte. */
const largestDirectory = 16 * 2 ** 20
/** Deflate cannot shrink further than this, so a larger promise is a trap. */
const largestDeflateRatio = 1040
/** What the entries may unpack to beyond the size of the file; torch itself stores them unpacked. */
const largestGain = 2 ** 30

/** Random access to the entries of a zip file; knows zip64. Reads only what is asked for. */
export class ZipReader {
  readonly #source: ByteSource
  readonly #entries: ReadonlyMap<string, Entry>

  private constructor(source: ByteSource, entries: ReadonlyMap<string, Entry>) {
    this.#source = source
    this.#entries = entries
  }

  /**
   * Reads the directory.
   *
   * @throws ZipError when it is broken, cut off, or its entries overlap.
   */
  static async open(source: ByteSource): Promise<ZipReader> {
    const directory = await findDirectory(source)
    if (directory.size > largestDirectory) throw new ZipError('the list of its entries is too large')
    const bytes = await readRange(source, directory.offset, directory.size)
    const entries = parseDirectory(bytes, directory.count)
    let storedBytes = 0
    let wholeBytes = 0
    for (const entry of entries.values()) {
      storedBytes += entry.compressedSize
      wholeBytes += entry.size
    }
    if (storedBytes > source.size) throw new ZipError('its entries overlap or it is cut off')
    if (wholeBytes > source.size + largestGain) throw new ZipError('its entries are too large')
    return new ZipReader(source, entries)
  }

  /** Names in the order of the directory. */
  names(): string[] {
    return [...this.#entries.keys()]
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** Bytes of the entry when unpacked, or undefined when there is none of that name. */
  sizeOf(name: string): number | undefined {
    return this.#entries.get(name)?.size
  }

  /**
   * The content of an entry, in a buffer of its own (so that it may be viewed as any type of number).
   *
   * @throws ZipError when it is missing, cut off, or its check sum differs.
   */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new ZipError(`the entry ${name} is missing`)
    const header = await readRange(this.#source, entry.headerOffset, 30)
    const view = viewOf(header)
    if (view.getUint32(0, true) !== 0x04034b50) throw new ZipError(`the entry ${name} is broken`)
    const start = entry.headerOffset + 30 + view.getUint16(26, true) + view.getUint16(28, true)
    const raw = await readRange(this.#source, start, entry.compressedSize)
    const data = entry.method === stored ? raw : inflate(raw, entry, name)
    if (data.byteLength !== entry.size || crc32(data) !== entry.crc)
      throw new ZipError(`the entry ${name} is damaged (wrong check sum)`)
    return data
  }
}

function inflate(raw: Uint8Array, entry: Entry, name: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(inflateRawSync(raw, { maxOutputLength: Math.max(1, entry.size) }))
  } catch (error) {
    throw new ZipError(`the entry ${name} is damaged`, { cause: error })
  }
}

async function readRange(
  source: ByteSource,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (offset < 0 || length < 0 || offset + length > source.size) throw new ZipError('it is cut off')
  const bytes = await source.read(offset, length)
  if (bytes.length < length) throw new ZipError('it is cut off')
  return bytes
}

interface Directory {
  offset: number
  size: number
  count: number
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  // The end record has 22 bytes and a comment of at most 65535; the zip64 locator stands in the 20 bytes before.
  const tailSize = Math.min(source.size, 22 + 65535 + 20)
  const tail = viewOf(await readRange(source, source.size - tailSize, tailSize))
  for (let at = tailSize - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) !== 0x06054b50) continue
    const directory = {
      count: tail.getUint16(at + 10, true),
      size: tail.getUint32(at + 12, true),
      offset: tail.getUint32(at + 16, true),
    }
    const large = directory.count === unset16 || directory.size === unset32 || directory.offset === unset32
    if (!large) return directory
    if (at < 20 || tail.getUint32(at - 20, true) !== 0x07064b50) return directory
    const recordOffset = safeNumber(tail.getBigUint64(at - 20 + 8, true))
    const record = viewOf(await readRange(source, recordOffset, 56))
    if (record.getUint32(0, true) !== 0x06064b50) throw new ZipError('its end record is broken')
    return {
      count: safeNumber(record.getBigUint64(32, true)),
      size: safeNumber(record.getBigUint64(40, true)),
      offset: safeNumber(record.getBigUint64(48, true)),
    }
  }
  throw new ZipError('it is cut off (its end record is missing)')
}

function parseDirectory(bytes: Uint8Array, count: number): Map<string, Entry> {
  const view = viewOf(bytes)
  const entries = new Map<string, Entry>()
  const decoder = new TextDecoder('utf-8')
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw new ZipError('the list of its entries is broken')
    const flags = view.getUint16(at + 8, true)
    const nameLength = view.getUint16(at + 28, true)
    const extraLength = view.getUint16(at + 30, true)
    const commentLength = view.getUint16(at + 32, true)
    const end = at + 46 + nameLength + extraLength + commentLength
    if (end > bytes.length) throw new ZipError('the list of its entries is broken')
    const name = decoder.decode(bytes.subarray(at + 46, at + 46 + nameLength))
    const entry: Entry = {
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      compressedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      headerOffset: view.getUint32(at + 42, true),
    }
    readZip64Extra(viewOf(bytes.subarray(at + 46 + nameLength, end - commentLength)), entry)
    if ((flags & 1) !== 0) throw new ZipError(`the entry ${name} is encrypted`)
    if (entry.method !== stored && entry.method !== deflated)
      throw new ZipError(`the entry ${name} is packed in an unknown way (method ${entry.method})`)
    const honest =
      entry.method === stored
        ? entry.size === entry.compressedSize
        : entry.size <= (entry.compressedSize + 1) * largestDeflateRatio
    if (!honest) throw new ZipError(`the entry ${name} has an impossible size`)
    if (entries.has(name)) throw new ZipError(`the entry ${name} is there twice`)
    entries.set(name, entry)
    at = end
  }
  return entries
}

/** Extra field 1 holds, in this order, those of size, packed size and offset that do not fit 32 bits. */
function readZip64Extra(extra: DataView, entry: Entry): void {
  let at = 0
  while (at + 4 <= extra.byteLength) {
    const id = extra.getUint16(at, true)
    const end = at + 4 + extra.getUint16(at + 2, true)
    if (end > extra.byteLength) return
    if (id === 1) {
      at += 4
      for (const key of ['size', 'compressedSize', 'headerOffset'] as const) {
        if (entry[key] !== unset32) continue
        if (at + 8 > end) throw new ZipError('the list of its entries is broken')
        entry[key] = safeNumber(extra.getBigUint64(at, true))
        at += 8
      }
      return
    }
    at = end
  }
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipError('it is cut off')
  return Number(value)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
