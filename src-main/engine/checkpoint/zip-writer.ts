import { crc32 } from 'node:zlib'
import { KineoError } from '../../core/errors.ts'

export interface ZipEntry {
  name: string
  data: Uint8Array
}

/** torch maps storages into memory, so it starts each at a multiple of this many bytes. */
const alignment = 64
const localHeaderBytes = 30
const centralHeaderBytes = 46
/** Zip without the zip64 extension. */
const largestFile = 0xffff_ffff
const mostEntries = 0xffff
/** 1 January 1980, the first date that zip knows: equal content gives equal files. */
const dosDate = 0x0021
const utf8Names = 0x0800
const versionNeeded = 20
/** `FB`, the extra field by which torch pads. */
const paddingField = 0x4246

/**
 * A zip file in parts, its entries stored and aligned as torch.save does. Data is not copied; it must not change before
 * the last part was taken.
 *
 * @param path Where it will stand, for the message.
 * @throws KineoError (output) for more than 4 GiB.
 */
export function storedZip(path: string, entries: readonly ZipEntry[]): Iterable<Uint8Array> {
  const upperBound = entries.reduce(
    (sum, { name, data }) => sum + data.byteLength + 2 * alignment + 80 + 2 * Buffer.byteLength(name),
    0,
  )
  if (upperBound > largestFile || entries.length > mostEntries)
    throw new KineoError('output', 'The checkpoint would be larger than 4 GiB', { where: path })
  return zipParts(entries)
}

function* zipParts(entries: readonly ZipEntry[]): Generator<Uint8Array> {
  const central: Uint8Array[] = []
  let offset = 0
  for (const { name, data } of entries) {
    const crc = crc32(data)
    const encodedName = Buffer.from(name, 'utf8')
    const header = localHeader(encodedName, data.byteLength, crc, offset)
    central.push(centralHeader(encodedName, data.byteLength, crc, offset))
    yield header
    yield data
    offset += header.length + data.byteLength
  }
  const directory = Buffer.concat(central)
  yield directory
  yield endOfDirectory(entries.length, directory.length, offset)
}

function localHeader(name: Buffer, size: number, crc: number, offset: number): Buffer {
  const unpadded = offset + localHeaderBytes + name.length + 4
  const padding = (alignment - (unpadded % alignment)) % alignment
  const header = Buffer.alloc(localHeaderBytes + name.length + 4 + padding)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(versionNeeded, 4)
  header.writeUInt16LE(utf8Names, 6)
  header.writeUInt16LE(dosDate, 12)
  header.writeUInt32LE(crc, 14)
  header.writeUInt32LE(size, 18)
  header.writeUInt32LE(size, 22)
  header.writeUInt16LE(name.length, 26)
  header.writeUInt16LE(4 + padding, 28)
  name.copy(header, localHeaderBytes)
  const extra = localHeaderBytes + name.length
  header.writeUInt16LE(paddingField, extra)
  header.writeUInt16LE(padding, extra + 2)
  header.fill('Z', extra + 4)
  return header
}

function centralHeader(name: Buffer, size: number, crc: number, offset: number): Buffer {
  const header = Buffer.alloc(centralHeaderBytes + name.length)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(versionNeeded, 4)
  header.writeUInt16LE(versionNeeded, 6)
  header.writeUInt16LE(utf8Names, 8)
  header.writeUInt16LE(dosDate, 14)
  header.writeUInt32LE(crc, 16)
  header.writeUInt32LE(size, 20)
  header.writeUInt32LE(size, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt32LE(offset, 42)
  name.copy(header, centralHeaderBytes)
  return header
}

function endOfDirectory(count: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(offset, 16)
  return end
}
