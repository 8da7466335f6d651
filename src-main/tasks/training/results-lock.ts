import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { FileLock } from '../../core/file-lock.ts'

/**
 * Does `work` while no other training writes into `folder`. Two that take turns at one `ar_model_latest.pth` would leave
 * checkpoints of neither. A training that was killed does not block the next one.
 *
 * @param onLine Told when the file system knows no locks, as some network shares do; the work is done all the same.
 * @throws KineoError (output) when another training runs there.
 */
export async function withResultsLock<T>(
  folder: string,
  onLine: ((line: string) => void) | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let lock: FileLock | null = null
  let lockable = true
  try {
    await mkdir(folder, { recursive: true })
  } catch {
    // Whoever writes there will say why it cannot.
    return await work()
  }
  try {
    lock = FileLock.tryAcquire(join(folder, '.kineo-train.lock'), 0)
  } catch {
    lockable = false
    onLine?.(`${folder} cannot be locked: make sure that no other training writes there.`)
  }
  if (lock === null && lockable) {
    throw new KineoError('output', 'Another training is writing into the results folder', {
      where: folder,
      remedy: 'Wait until it is done, or give this one a folder of its own with train.results_dir=FOLDER',
    })
  }
  try {
    return await work()
  } finally {
    lock?.release()
  }
}
