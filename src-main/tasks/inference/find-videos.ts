import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { listVideos, type ModelType, type VideoSample } from '../../dataset/index.ts'
import { isVideoFile } from '../../core/video-file.ts'

/** What there is to name. */
export interface FoundVideos {
  /** Videos in TAO's layout, as folders of frames. */
  prepared: VideoSample[]
  /** Absolute paths of video files. */
  files: string[]
}

const streamFolders = ['rgb', 'u', 'v']

/**
 * Finds the videos that `inference.inference_dataset_dir` means: a video file; or a folder of video files, of prepared
 * videos (TAO's class-level folder), or of folders that hold these (a whole tree). Sorted by path; entries that begin with
 * a dot are left out.
 *
 * @throws KineoError (input) when there are none, or a prepared one cannot be used.
 */
export async function findVideos(
  path: string,
  modelType: ModelType,
  onNote?: (note: string) => void,
): Promise<FoundVideos> {
  const root = resolve(path)
  const kind = await stat(root).catch((error: unknown) => {
    throw new KineoError('input', 'inference.inference_dataset_dir is missing', {
      where: root,
      remedy: 'Give a folder of videos, or a video file',
      cause: error,
    })
  })
  if (!kind.isDirectory()) {
    if (isVideoFile(root)) return { prepared: [], files: [root] }
    throw new KineoError('input', 'inference.inference_dataset_dir is neither a folder nor a video', {
      where: root,
    })
  }
  const top = await entriesOf(root)
  if (top.folders.some((name) => streamFolders.includes(name))) {
    throw new KineoError('input', 'inference.inference_dataset_dir is one video itself', {
      where: root,
      remedy: `Give the folder that holds it: ${dirname(root)}`,
    })
  }
  const files = top.videos.map((name) => join(root, name))
  const inner = await Promise.all(
    top.folders.map(async (name) => ({ folder: join(root, name), ...(await entriesOf(join(root, name))) })),
  )
  const prepared: VideoSample[] = []
  if (inner.some(({ folders }) => folders.some((name) => streamFolders.includes(name)))) {
    prepared.push(...(await listVideos(root, modelType, onNote)))
  } else {
    for (const { folder, folders, videos } of inner) {
      files.push(...videos.map((name) => join(folder, name)))
      if (await holdPrepared(folder, folders)) {
        prepared.push(...(await listVideos(folder, modelType, onNote)))
      }
    }
  }
  if (prepared.length + files.length > 0) return { prepared, files }
  throw new KineoError('input', 'There are no videos', {
    where: root,
    remedy:
      'Give a folder whose sub-folders are prepared videos (with rgb, u and v inside), a tree of such folders, or video files',
  })
}

async function holdPrepared(folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const { folders } = await entriesOf(join(folder, name))
    if (folders.some((inside) => streamFolders.includes(inside))) return true
  }
  return false
}

/** Names of the folders and the video files in a folder, sorted; links count as what they point to. */
async function entriesOf(folder: string): Promise<{ folders: string[]; videos: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new KineoError('input', 'A folder cannot be read', { where: folder, cause: error })
  })
  const folders: string[] = []
  const videos: string[] = []
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const isFolder = entry.isSymbolicLink()
      ? ((await stat(join(folder, entry.name)).catch(() => null))?.isDirectory() ?? false)
      : entry.isDirectory()
    if (isFolder) folders.push(entry.name)
    else if (isVideoFile(entry.name)) videos.push(entry.name)
  }
  return { folders: folders.sort(), videos: videos.sort() }
}
