import { stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { parseDelimited } from './delimited-text.ts'
import {
  countOf,
  partInName,
  partOf,
  someOf,
  type DatasetPart,
  type Importer,
  type ListingOptions,
  type SourceListing,
} from './listing.ts'
import { readSourceTree, type TreeFile } from './source-tree.ts'
import { readTextFile } from './text-file.ts'

/** One clip of an official table. */
interface ListedClip {
  id: string
  /** Seconds, whole. */
  start: number
  end: number
  className: string
  part: DatasetPart
}

/**
 * Kinetics 400, 600 and 700: the official tables (`label, youtube_id, time_start, time_end, split[, is_cc]`) and clips
 * named `<youtube_id>_<start>_<end>` or `<youtube_id>` alone, in whatever folders: flat, by class with spaces or
 * underscores, or under train/, val/ and test/ as the CVD Foundation packs them. Its replacements of broken clips go
 * before these. Many clips are gone from the internet, so missing ones are no error.
 *
 * @throws KineoError `input` when there is no table, or a table is wrong.
 */
export const listKinetics: Importer = async (source, options) => {
  const root = resolve(source)
  const tree = await readSourceTree(root, options)
  const notes = [...tree.notes]
  const tables = await findTables(options, tree.lists)
  const clips = await readTables(tables, options.splits ?? source, notes)

  const chosen = options.chooseClasses([...new Set(clips.map(({ className }) => className))].sort())
  const files = indexClips(tree.videos)
  const timesListed = new Map<string, number>()
  for (const { id } of clips) timesListed.set(id, (timesListed.get(id) ?? 0) + 1)
  const listing: SourceListing = { root, videos: [], missing: [], notes }
  for (const { id, start, end, className, part } of clips) {
    if (!chosen.has(className)) continue
    // A file without times is the whole of its id, so it can stand for one segment only.
    const whole = timesListed.get(id) === 1 ? files.get(id) : undefined
    const file = choose(files.get(clipKey(id, start, end)) ?? whole ?? [], part)
    if (file) listing.videos.push({ source: file.path, className, part })
    else listing.missing.push({ name: `${id}_${padded(start)}_${padded(end)}`, className, part })
  }
  if (listing.videos.length === 0 && tree.archives.length > 0) {
    throw new KineoError('input', 'The clips are still packed', {
      where: someOf(tree.archives.map(({ path }) => path)),
      remedy: 'Unpack the archives (tar xf), then import again',
    })
  }
  return listing
}

/** Tables in the source, or in what --splits names: a folder, or one table. */
async function findTables(options: ListingOptions, inSource: readonly TreeFile[]): Promise<string[]> {
  const { splits } = options
  const isTable = ({ name }: TreeFile): boolean => extname(name).toLowerCase() === '.csv'
  if (splits === undefined) return inSource.filter(isTable).map(({ path }) => path)
  const info = await stat(splits).catch((cause: unknown) => {
    throw new KineoError('input', 'There is no such file or folder', { where: splits, cause })
  })
  if (!info.isDirectory()) return [resolve(splits)]
  return (await readSourceTree(resolve(splits), options)).lists.filter(isTable).map(({ path }) => path)
}

async function readTables(paths: readonly string[], where: string, notes: string[]): Promise<ListedClip[]> {
  const clips = new Map<string, ListedClip>()
  let tables = 0
  let unlabelled = 0
  let contradictions = 0
  for (const path of paths) {
    const [head, ...rows] = parseDelimited(await readTextFile(path), ',', path)
    const names = (head?.cells ?? []).map((cell) => cell.trim().toLowerCase())
    const [idAt, startAt, endAt] = ['youtube_id', 'time_start', 'time_end'].map((name) => names.indexOf(name))
    if (idAt === undefined || idAt < 0) continue
    tables++
    const [labelAt, splitAt] = [names.indexOf('label'), names.indexOf('split')]
    for (const { line, cells } of rows) {
      const cell = (at: number | undefined): string => (at === undefined ? '' : (cells[at] ?? '').trim())
      const wrong = (what: string): KineoError =>
        new KineoError('input', what, {
          where: `${path}, line ${line}`,
          remedy: 'Download the annotations again',
        })
      const [id, start, end] = [cell(idAt), Number(cell(startAt)), Number(cell(endAt))]
      if (id === '' || cell(startAt) === '' || !Number.isFinite(start) || !Number.isFinite(end)) {
        throw wrong('This row has no youtube_id, time_start and time_end')
      }
      const part = splitAt < 0 || cell(splitAt) === '' ? partInName(tableName(path)) : partOf(cell(splitAt))
      if (part === null) throw wrong(`The split "${cell(splitAt)}" is not train, val or test`)
      const className = cell(labelAt)
      if (className === '') {
        unlabelled++
        continue
      }
      const clip = { id, start: Math.floor(start), end: Math.floor(end), className, part }
      const key = clipKey(id, clip.start, clip.end)
      const known = clips.get(key)
      if (!known) clips.set(key, clip)
      else if (known.className !== className || known.part !== part) contradictions++
    }
  }
  if (tables === 0) {
    throw new KineoError(
      'input',
      'There is no table with the columns label, youtube_id, time_start, time_end',
      {
        where,
        remedy:
          'Put train.csv, val.csv and test.csv of Kinetics beside the clips, or name their folder with --splits; ' +
          'for class folders without tables: kineo import folder',
      },
    )
  }
  if (unlabelled > 0) notes.push(`${countOf(unlabelled, 'clip')} without a label left out`)
  if (contradictions > 0) {
    notes.push(
      `${countOf(contradictions, 'row')} left out that give a clip another class or split than a row before`,
    )
  }
  return [...clips.values()]
}

/** Name of a table, or of its folder where the table is only called after the release. */
function tableName(path: string): string {
  return partInName(basename(path)) === null ? basename(dirname(path)) : basename(path)
}

/** Clips by id, start and end, and those that are named by an id alone by that. */
function indexClips(videos: readonly TreeFile[]): Map<string, TreeFile[]> {
  const index = new Map<string, TreeFile[]>()
  for (const video of videos) {
    const stem = basename(video.name, extname(video.name))
    const [, id, start, end] = /^(.+)_(\d+)_(\d+)$/.exec(stem) ?? []
    // An id may itself look like an id with times.
    const keys = id === undefined ? [stem] : [clipKey(id, Number(start), Number(end)), stem]
    for (const key of keys) {
      const same = index.get(key)
      if (same) same.push(video)
      else index.set(key, [video])
    }
  }
  return index
}

/** A replacement of a broken clip first, then one in the folder of the part, then the first. */
function choose(files: readonly TreeFile[], part: DatasetPart): TreeFile | undefined {
  return (
    files.find(({ folders }) => folders.some((name) => name.toLowerCase().startsWith('replacement'))) ??
    files.find(({ folders }) => folders.some((name) => partOf(name) === part)) ??
    files[0]
  )
}

function clipKey(id: string, start: number, end: number): string {
  return `${id} ${start} ${end}`
}

function padded(seconds: number): string {
  return String(seconds).padStart(6, '0')
}
