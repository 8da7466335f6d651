import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { outputError } from './system-error.ts'

/** Suffix of a file that is still being written; such a file may be deleted at any time. */
export const partialSuffix = '.partial'

/** A fresh name beside `path` for a file or folder that is not whole yet. */
export function partialPath(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}${partialSuffix}`
}

/**
 * Writes a whole file or nothing: a reader sees the old content or the new one, also after a power cut.
 * Makes missing folders.
 *
 * @param data The content, or its parts in order, which are written as they come.
 * @throws KineoError `output` when the disk is full or the file may not be written.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw outputError(error, path)
  })
  const partial = partialPath(path)
  try {
    const file = await open(partial, 'wx')
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw outputError(error, path)
  }
}

/** Writes JSON with two-space indent and a final line end, atomically. */
export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}
