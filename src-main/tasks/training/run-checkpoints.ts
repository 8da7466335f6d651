import { existsSync } from 'node:fs'
import { copyFile, link, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { partialPath } from '../../core/atomic-file.ts'

/** TAO's name for a checkpoint: `model_epoch_004.pth`. @param epoch From 0. */
export function checkpointPath(folder: string, epoch: number): string {
  return join(folder, `model_epoch_${String(epoch).padStart(3, '0')}.pth`)
}

/** The newest checkpoint of a run. */
export function latestCheckpointPath(folder: string): string {
  return join(folder, 'ar_model_latest.pth')
}

/** The checkpoint of the best validation, with `train.save_best`. */
export function bestCheckpointPath(folder: string): string {
  return join(folder, 'ar_model_best.pth')
}

/** The checkpoint from which a run in `folder` goes on by itself, or null. */
export function findLatestCheckpoint(folder: string): string | null {
  const path = latestCheckpointPath(folder)
  return existsSync(path) ? path : null
}

/**
 * Points `ar_model_latest.pth` at a checkpoint in the same folder: as TAO a relative symbolic link, where the file
 * system has none a hard link, else a copy. A reader finds the old one or the new one at any time.
 */
export async function pointLatestAt(checkpoint: string): Promise<void> {
  const latest = latestCheckpointPath(dirname(checkpoint))
  const partial = partialPath(latest)
  try {
    await symlink(basename(checkpoint), partial)
      .catch(() => link(checkpoint, partial))
      .catch(() => copyFile(checkpoint, partial))
    await rename(partial, latest)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
