import { basename, extname, resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { countOf, partOf, someOf, type DatasetPart, type Importer } from './listing.ts'
import { readSourceTree, type TreeFile } from './source-tree.ts'

/** Class and place of a video, as its folders or its name give them. */
interface Placed {
  file: TreeFile
  className: string
  part: DatasetPart | null
}

/**
 * A folder of class-named folders of videos, the same under train/, val/ and test/, or one folder of videos named
 * `<class>_<number>`. Videos in sub-folders of a class folder belong to the class.
 *
 * @throws KineoError `input` when the classes cannot be told.
 */
export const listClassFolders: Importer = async (source, options) => {
  const root = resolve(source)
  const tree = await readSourceTree(root, options)
  const notes = [...tree.notes]
  if (tree.videos.length === 0) {
    const packed = tree.archives.map(({ path }) => path)
    throw new KineoError('input', 'There are no videos in this folder', {
      where: source,
      remedy:
        packed.length > 0
          ? `Unpack them first; packed are ${someOf(packed)}`
          : 'Make one folder for each action, named after it, and put its videos inside',
    })
  }
  const placed = byPart(tree.videos, notes) ?? byClass(tree.videos, source, notes)
  const chosen = options.chooseClasses([...new Set(placed.map(({ className }) => className))].sort())
  const videos = placed
    .filter(({ className }) => chosen.has(className))
    .map(({ file, className, part }) => ({ source: file.path, className, part }))
  return { root, videos, missing: [], notes }
}

/** Videos below train/ and its like, or null when there are none below a train/ that is no class itself. */
function byPart(videos: readonly TreeFile[], notes: string[]): Placed[] | null {
  const isTrain = ({ folders }: TreeFile): boolean => partOf(folders[0] ?? '') === 'train'
  const training = videos.filter(isTrain)
  if (training.length === 0 || training.some(({ folders }) => folders.length === 1)) return null
  const placed: Placed[] = []
  const others: string[] = []
  for (const file of videos) {
    const [top = '', className] = file.folders
    const part = partOf(top)
    if (part !== null && className !== undefined) placed.push({ file, className, part })
    else others.push(file.path)
  }
  if (others.length > 0) {
    notes.push(
      `${countOf(others.length, 'video')} outside of the class folders of train/, val/ and test/ left out`,
    )
  }
  return placed
}

function byClass(videos: readonly TreeFile[], source: string, notes: string[]): Placed[] {
  const inClass = videos.filter(({ folders }) => folders.length > 0)
  if (inClass.length === 0) return byName(videos, source, notes)
  const loose = videos.length - inClass.length
  if (loose > 0)
    notes.push(`${countOf(loose, 'video')} beside the class folders left out: they have no class`)
  const placed = inClass.map((file) => ({ file, className: file.folders[0] ?? '', part: null }))
  const deep = placed.filter(({ file }) => file.folders.length > 1)
  const first = placed[0]
  if (
    first &&
    deep.length === placed.length &&
    new Set(placed.map(({ className }) => className)).size === 1
  ) {
    throw new KineoError('input', `All videos lie in sub-folders of one folder, "${first.className}"`, {
      where: source,
      remedy: `If its sub-folders are the classes, import ${first.className} itself`,
    })
  }
  if (deep.length > 0) {
    notes.push(`${countOf(deep.length, 'video')} in sub-folders of a class folder taken as that class`)
  }
  return placed
}

/** Classes by names such as `wave_03.mp4` and `wave_s12.mp4`, when all names have that form. */
function byName(videos: readonly TreeFile[], source: string, notes: string[]): Placed[] {
  const placed = videos.map((file) => {
    const stem = basename(file.name, extname(file.name))
    const className = /^(.*[^\d _-])[ _-]+[a-z]?\d+$/i.exec(stem)?.[1] ?? ''
    return { file, className, part: null }
  })
  const counts = new Map<string, number>()
  for (const { className } of placed) counts.set(className, (counts.get(className) ?? 0) + 1)
  const unclear = counts.has('') || counts.size < 2 || [...counts.values()].some((count) => count < 2)
  if (unclear) {
    throw new KineoError('input', 'The videos are not sorted into classes', {
      where: source,
      remedy:
        'Make one folder for each action, named after it, and put its videos inside; ' +
        'or name every video after its action and a number, such as wave_01.mp4',
    })
  }
  notes.push(`Classes by the names of the files: ${[...counts.keys()].sort().join(', ')}`)
  return placed
}
