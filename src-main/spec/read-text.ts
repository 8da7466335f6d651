import { open } from 'node:fs/promises'
import { KineoError } from '../core/errors.ts'

/**
 * More than a thousand classes with long names need; small enough that the oddest YAML of this size is judged within
 * seconds and without filling the memory.
 */
export const largestSpecBytes = 256 * 1024

/**
 * Reads the text of a spec.
 * @throws KineoError `spec` when the file is not there, is no file, is too large or is not UTF-8.
 */
export async function readSpecText(path: string): Promise<string> {
  return decode(await readBytes(path), path)
}

async function readBytes(path: string): Promise<Buffer> {
  // One byte past the limit tells a large file, also where a pipe or a device has no length to ask for.
  const buffer = Buffer.alloc(largestSpecBytes + 1)
  let filled = 0
  try {
    await using file = await open(path, 'r')
    for (;;) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, null)
      filled += bytesRead
      if (bytesRead === 0 || filled === buffer.length) break
    }
  } catch (error) {
    const isFolder = error instanceof Error && 'code' in error && error.code === 'EISDIR'
    throw new KineoError(
      'spec',
      isFolder ? 'The experiment spec is a folder' : 'Cannot read the experiment spec',
      {
        where: path,
        remedy: isFolder ? 'Give the YAML file in it' : 'Check the path after -e',
        cause: error,
      },
    )
  }
  if (filled > largestSpecBytes) {
    throw new KineoError('spec', `The experiment spec is larger than ${largestSpecBytes / 1024} KiB`, {
      where: path,
      remedy: 'Check that this is the spec and not another file',
    })
  }
  return buffer.subarray(0, filled)
}

function decode(bytes: Buffer, path: string): string {
  const [first, second] = bytes
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  let text: string | undefined
  try {
    // Takes the byte order mark of UTF-8 off.
    if (!isUtf16) text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  if (text === undefined || text.includes('\0')) {
    throw new KineoError(
      'spec',
      `The experiment spec is not ${isUtf16 ? 'UTF-8 but UTF-16' : 'UTF-8 text'}`,
      {
        where: path,
        remedy: 'Save it as UTF-8 in your editor',
      },
    )
  }
  return text
}
