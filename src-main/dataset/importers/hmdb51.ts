import { resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { countOf, someOf, type DatasetPart, type Importer, type SourceListing } from './listing.ts'
import { comparable, readSourceTree, VideoIndex, type SourceTree, type TreeFile } from './source-tree.ts'
import { readLines } from './text-file.ts'

const splitFileName = /^(.+)_test_split([123])\.txt$/i
const partOfFlag: ReadonlyMap<string, DatasetPart | null> = new Map([
  ['0', null],
  ['1', 'train'],
  ['2', 'test'],
])

/**
 * HMDB51 as its archives unpack: `<class>/*.avi` (or `<class>/<class>/*.avi`), and the official lists
 * `<class>_test_split{1,2,3}.txt` anywhere below, with `<video> <0|1|2>` on each line: 1 is for training, 2 for testing, 0
 * not in this split.
 *
 * @throws KineoError `input` when the lists are missing or wrong, or videos are still packed.
 */
export const listHmdb51: Importer = async (source, options) => {
  const root = resolve(source)
  const tree = await readSourceTree(root, options)
  const splits = options.splits === undefined ? tree : await readSourceTree(resolve(options.splits), options)
  const lists = splitFiles(splits, options.split)
  if (lists.size === 0) throw missingLists(options.splits ?? source, splits, options.split)

  const chosen = options.chooseClasses([...lists.keys()])
  const index = new VideoIndex(tree.videos, lists.keys())
  const listing: SourceListing = { root, videos: [], missing: [], notes: [...tree.notes] }
  const packed: string[] = []
  let unused = 0
  for (const [className, list] of lists) {
    if (!chosen.has(className)) continue
    let found = 0
    for (const { number, text } of await readLines(list.path)) {
      const [, name, flag] = /^(.+?)\s+(\S+)$/.exec(text) ?? []
      const part = partOfFlag.get(flag ?? '')
      if (name === undefined || part === undefined) {
        throw new KineoError('input', 'This line of a split file is not a video and 0, 1 or 2', {
          where: `${list.path}, line ${number}`,
          remedy: 'Unpack test_train_splits.rar again',
        })
      }
      if (part === null) {
        unused++
        continue
      }
      const video = index.find(name, className)
      if (video) listing.videos.push({ source: video.path, className, part })
      else listing.missing.push({ name: `${className}/${name}`, className, part })
      if (video) found++
    }
    const archive = tree.archives.find(({ name }) => comparable(name).split('.')[0] === comparable(className))
    if (found === 0 && archive) packed.push(archive.path)
  }
  if (packed.length > 0) throw stillPacked(packed)
  if (listing.videos.length === 0 && tree.archives.length > 0) {
    throw stillPacked(tree.archives.map(({ path }) => path))
  }
  if (unused > 0) listing.notes.push(`${countOf(unused, 'video')} not in split ${options.split} left out`)
  return listing
}

function splitFiles(tree: SourceTree, split: number): Map<string, TreeFile> {
  const found = new Map<string, TreeFile>()
  for (const file of tree.lists) {
    const [, className, number] = splitFileName.exec(file.name) ?? []
    if (className !== undefined && Number(number) === split && !found.has(className))
      found.set(className, file)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function missingLists(where: string, tree: SourceTree, split: number): KineoError {
  const packed = tree.archives.map(({ path }) => path)
  return new KineoError('input', `There are no split files such as brush_hair_test_split${split}.txt`, {
    where,
    remedy:
      packed.length > 0
        ? `Unpack them first; packed are ${someOf(packed)}`
        : 'Unpack test_train_splits.rar of HMDB51 here, or name the folder of the split files with --splits',
  })
}

function stillPacked(archives: readonly string[]): KineoError {
  return new KineoError('input', 'Videos are still packed', {
    where: someOf(archives, 5),
    remedy:
      'Unpack each archive into the folder where it is (unrar x, 7-Zip or The Unarchiver), then import again; ' +
      'or name the classes that are there with --classes',
  })
}
