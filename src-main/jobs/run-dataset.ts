import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { isReadyFor } from '../project/index.ts'
import type { ClipRecord, Project, RunRecord } from '../project/index.ts'

export interface RunDataset {
  trainFolder: string
  valFolder: string
  /** Clips by the folder under which a task knows them. */
  clipsByFolder: Map<string, ClipRecord>
  trainClips: number
  valClips: number
}

/**
 * Lays out the clips that a run uses as a TAO dataset of links, `runs/<n>/dataset/{train,val}/<class>/<clip>`: exactly the
 * usable clips, in the split of the project, wherever their frames stand, and nothing that was left over on disk.
 *
 * @throws KineoError when no clip can be used, or the file system has no links.
 */
export async function linkRunDataset(project: Project, run: RunRecord): Promise<RunDataset> {
  const root = join(project.runFolder(run.id), 'dataset')
  await rm(root, { recursive: true, force: true })
  const { modelType } = run.settings
  const usable = project.clips
    .all()
    .filter((clip) => isReadyFor(clip, modelType))
    .filter((clip) => run.classNames.includes(clip.className))
  const clipsByFolder = new Map<string, ClipRecord>()
  for (const clip of usable) {
    if (clip.framesFolder === null) continue
    const folder = join(root, clip.split, clip.className)
    await mkdir(folder, { recursive: true })
    const plain = join(folder, clip.name)
    const link = clipsByFolder.has(plain) ? `${plain}~${clip.id}` : plain
    await linkFolder(clip.framesFolder, link)
    clipsByFolder.set(link, clip)
  }
  const clips = [...clipsByFolder.values()]
  const dataset = {
    trainFolder: join(root, 'train'),
    valFolder: join(root, 'val'),
    clipsByFolder,
    trainClips: clips.filter((clip) => clip.split === 'train').length,
    valClips: clips.filter((clip) => clip.split === 'val').length,
  }
  if (dataset.trainClips === 0 || dataset.valClips === 0) {
    throw new KineoError(
      'input',
      `There are no usable clips to ${dataset.trainClips === 0 ? 'train' : 'check the training'} with`,
      { where: project.record().sourceFolder, remedy: 'See on the first page what is wrong with each clip' },
    )
  }
  return dataset
}

/** On Windows a junction: it needs no special right. */
async function linkFolder(target: string, link: string): Promise<void> {
  try {
    await symlink(target, link, process.platform === 'win32' ? 'junction' : 'dir')
  } catch (error) {
    throw new KineoError('output', 'The disk of the project cannot hold links', {
      where: link,
      remedy: 'Set KINEO_HOME to a folder on a disk of the system, not on a memory stick',
      cause: error,
    })
  }
}
