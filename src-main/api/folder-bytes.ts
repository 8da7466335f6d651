import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

/** Bytes of all files under a folder, or null when there is no such folder. Links are not followed. */
export async function folderBytes(folder: string, signal: AbortSignal): Promise<number | null> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => null)
  if (entries === null) return null
  let bytes = 0
  for (const entry of entries) {
    if (signal.aborted) return bytes
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += (await folderBytes(path, signal)) ?? 0
    else if (entry.isFile()) bytes += (await stat(path).catch(() => null))?.size ?? 0
  }
  await setImmediate()
  return bytes
}
