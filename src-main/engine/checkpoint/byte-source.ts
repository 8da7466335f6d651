import { open } from 'node:fs/promises'
import { decryptBytes, isEncrypted } from '../../core/encryption.ts'
import { KineoError } from '../../core/errors.ts'

/** Random access to the bytes of a file, or of one that was decrypted in memory. */
export interface ByteSource {
  readonly size: number
  /**
   * The bytes from `offset` on, in a buffer of their own (so that it may be viewed as any type of number).
   * Fewer than `length` when the file ends before.
   */
  read: (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>
}

export interface ReadOptions {
  /** For files that were written with one; ignored by others. */
  encryptionKey?: string | undefined
}

/**
 * Opens a file, decrypting it in memory when Kineo encrypted it.
 *
 * @param use Gets the bytes; they can be read until the returned promise settles.
 * @throws KineoError (input) when the file cannot be opened, or is encrypted and `options.encryptionKey` does not fit.
 */
export async function withBytes<T>(
  path: string,
  options: ReadOptions,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw cannotOpen(path, error)
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw cannotOpen(path, undefined)
    const read: ByteSource['read'] = async (offset, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, stats.size - offset)))
      let done = 0
      while (done < bytes.length) {
        // Node reads at most 2^31 - 1 bytes at once.
        const wanted = Math.min(2 ** 30, bytes.length - done)
        const { bytesRead } = await file.read(bytes, done, wanted, offset + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done === bytes.length ? bytes : bytes.slice(0, done)
    }
    const source: ByteSource = { size: stats.size, read }
    if (!isEncrypted(await read(0, 16))) return await use(source)
    const plain = await decryptBytes(await read(0, stats.size), options.encryptionKey, path)
    return await use({
      size: plain.length,
      read: (offset, length) => Promise.resolve(plain.slice(offset, offset + length)),
    })
  } finally {
    await file.close()
  }
}

function cannotOpen(path: string, cause: unknown): KineoError {
  return new KineoError('input', 'Cannot open the file of weights', {
    where: path,
    remedy: 'Check that the file exists and may be read',
    cause,
  })
}
