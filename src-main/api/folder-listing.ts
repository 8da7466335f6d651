import { readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { isVideoFile } from '../core/video-file.ts'
import type { FolderListing } from './contract/index.ts'
import { describeSourceFolder, requireReadable } from './source-folder.ts'

/**
 * What the folder chooser shows of a folder: its sub-folders, without hidden ones.
 *
 * @param path Null for the person's home folder.
 * @throws KineoError when it cannot be read.
 */
export async function listFolder(path: string | null): Promise<FolderListing> {
  const folder = resolve(path ?? homedir())
  await requireReadable(folder)
  const entries = await readdir(folder, { withFileTypes: true })
  const folders: FolderListing['folders'] = []
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const entryPath = join(folder, entry.name)
    const isFolder =
      entry.isDirectory() ||
      (entry.isSymbolicLink() && ((await stat(entryPath).catch(() => null))?.isDirectory() ?? false))
    if (isFolder) folders.push({ name: entry.name, path: entryPath })
  }
  folders.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  const parent = dirname(folder)
  return {
    path: folder,
    parent: parent === folder ? null : parent,
    folders,
    videoCount: entries.filter((entry) => isVideoFile(entry.name)).length,
    verdict: await describeSourceFolder(folder),
  }
}
