import { resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { someOf, type DatasetPart, type Importer, type SourceListing } from './listing.ts'
import { readSourceTree, VideoIndex, type SourceTree, type TreeFile } from './source-tree.ts'
import { readLines } from './text-file.ts'

interface ListedVideo {
  className: string
  name: string
  part: DatasetPart
}

/**
 * UCF101: `UCF-101/<Class>/v_<Class>_g01_c01.avi` and the official lists `ucfTrainTestlist/trainlist0N.txt` and
 * `testlist0N.txt`, anywhere below. Clips of one group (`g01`) show one person and place; the lists keep them together.
 *
 * @throws KineoError `input` when the lists are missing or wrong.
 */
export const listUcf101: Importer = async (source, options) => {
  const root = resolve(source)
  const tree = await readSourceTree(root, options)
  const splits = options.splits === undefined ? tree : await readSourceTree(resolve(options.splits), options)
  const listed: ListedVideo[] = []
  const classIndex = await readClassIndex(splits)
  for (const part of ['train', 'test'] as const) {
    const list = requireList(splits, options.splits ?? source, `${part}list0${options.split}.txt`)
    listed.push(...(await readList(list, part, classIndex)))
  }

  const classNames = [...new Set(listed.map(({ className }) => className))].sort()
  const chosen = options.chooseClasses(classNames)
  const index = new VideoIndex(tree.videos, classNames)
  const listing: SourceListing = { root, videos: [], missing: [], notes: [...tree.notes] }
  for (const { className, name, part } of listed) {
    if (!chosen.has(className)) continue
    const video = index.find(name, className)
    if (video) listing.videos.push({ source: video.path, className, part })
    else listing.missing.push({ name: `${className}/${name}`, className, part })
  }
  if (listing.videos.length === 0 && tree.archives.length > 0) {
    throw new KineoError('input', 'The videos are still packed', {
      where: someOf(tree.archives.map(({ path }) => path)),
      remedy:
        'Unpack UCF101.rar into the folder where it is (unrar x, 7-Zip or The Unarchiver), then import again',
    })
  }
  return listing
}

function requireList(tree: SourceTree, where: string, name: string): TreeFile {
  const file = tree.lists.find((list) => list.name.toLowerCase() === name)
  if (file) return file
  const packed = tree.archives.map(({ path }) => path)
  throw new KineoError('input', `The list ${name} is missing`, {
    where,
    remedy:
      packed.length > 0
        ? `Unpack it first; packed are ${someOf(packed)}`
        : 'Unpack UCF101TrainTestSplits-RecognitionTask.zip here, or name the folder of the lists with --splits',
  })
}

/** Class to number after `classInd.txt` (`1 ApplyEyeMakeup`), or null without the file. */
async function readClassIndex(tree: SourceTree): Promise<Map<string, number> | null> {
  const file = tree.lists.find(({ name }) => name.toLowerCase() === 'classind.txt')
  if (!file) return null
  const index = new Map<string, number>()
  for (const { number, text } of await readLines(file.path)) {
    const [, id, className] = /^(\d+)\s+(.+)$/.exec(text) ?? []
    if (className === undefined) throw wrongLine(file, number, 'a number and a class')
    index.set(className, Number(id))
  }
  return index
}

/** Lines such as `Archery/v_Archery_g01_c01.avi`, with the number of the class behind it in the lists for training. */
async function readList(
  list: TreeFile,
  part: DatasetPart,
  classIndex: ReadonlyMap<string, number> | null,
): Promise<ListedVideo[]> {
  return (await readLines(list.path)).map(({ number, text }) => {
    const [, className, name, id] = /^([^\\/]+)[\\/](.+?)(?:\s+(\d+))?$/.exec(text) ?? []
    if (className === undefined || name === undefined) {
      throw wrongLine(list, number, 'a class, a slash and a video')
    }
    const known = classIndex?.get(className)
    if (classIndex !== null && (known === undefined || (id !== undefined && Number(id) !== known))) {
      throw wrongLine(list, number, 'a class as classInd.txt numbers it')
    }
    return { className, name, part }
  })
}

function wrongLine(file: TreeFile, number: number, wanted: string): KineoError {
  return new KineoError('input', `This line of a list is not ${wanted}`, {
    where: `${file.path}, line ${number}`,
    remedy: 'Unpack UCF101TrainTestSplits-RecognitionTask.zip again',
  })
}
