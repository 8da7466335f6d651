import { rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { writeFileAtomic } from '../core/atomic-file.ts'
import { CancelledError, describeError, KineoError } from '../core/errors.ts'
import { RemainingTime } from '../core/progress.ts'
import {
  classFolders,
  comparable,
  countOf,
  divideIntoParts,
  ImportFolder,
  importers,
  limitPerClass,
  placeVideos,
  requireNoOtherPart,
  requireSameDivision,
  someOf,
  type Arrival,
  type DatasetPart,
  type MissingVideo,
  type PlacedVideo,
  type SourceKind,
  type SourceListing,
  type StandingVideo,
} from '../dataset/importers/index.ts'
import { suggestKey } from '../spec/suggest.ts'
import type { TaskHooks } from './hooks.ts'
import { requireApart } from './preprocess-plan.ts'

export interface ImportOptions {
  kind: SourceKind
  /** Folder of the data set; the table for csv. */
  source: string
  /** Folder that gets class-named folders of videos, below train/, val/ and test/; made when missing. */
  output: string
  /** Classes to take; each may be several with commas between. Without it all. */
  classes?: readonly string[] | undefined
  /** Which of the three official splits, for hmdb51 and ucf101; 1 by default. */
  split?: number | undefined
  /** Where the official lists are, if not in the source. */
  splits?: string | undefined
  /** File with the names of numbered classes, for csv. */
  labels?: string | undefined
  /** Hard links where they can be made, or copies. */
  mode: 'link' | 'copy'
  /** Share of each class to set aside as val/, for csv and folder without parts. */
  valFraction?: number | undefined
  /** Most videos of each class in each part. */
  limit?: number | undefined
  /** Looks and reports; writes nothing. */
  dryRun: boolean
}

/** Videos and classes of one part of a data set. */
export interface PartCount {
  /** Null where the source has no parts. */
  part: DatasetPart | null
  videos: number
  classes: number
}

/** A video that is there and could not be imported. */
export interface FailedImport {
  source: string
  place: string
  reason: string
}

export interface ImportReport {
  kind: SourceKind
  /** Absolute. */
  source: string
  output: string
  dryRun: boolean
  /** What was chosen, part by part. */
  parts: PartCount[]
  linked: number
  copied: number
  unchanged: number
  failed: FailedImport[]
  /** Videos that the lists name and that are not there. */
  missing: number
  /** File that names the missing ones, or null. */
  missingList: string | null
  /** Whether the dataset has videos to train with now: any, where it is not divided. */
  hasTraining: boolean
  /** Whether it has videos to validate with: val/, or test/. */
  hasValidation: boolean
  /** Every class of the dataset, those of earlier imports too, with the index that it gets when sorted by name. */
  labelMap: Record<string, number>
  notes: string[]
}

export interface ImportHooks extends TaskHooks {
  onFailed?: ((failed: FailedImport) => void) | undefined
}

const videosAtOnce = 4
const millisecondsBetweenReports = 250

/**
 * Brings a public data set, or a table or folder of one's own, into the form that `preprocess` and the app read: class-named
 * folders of videos, below train/, val/ and test/ where the source has such parts. The source is only read. Every video
 * appears whole or not at all; a second run adds what is missing and removes nothing.
 *
 * A listed video that is not there ends in a list, one that cannot be read in the report, and the rest goes on.
 *
 * @throws KineoError `usage` for options that cannot be, `input` when the source is not understood or contradicts what was
 *   imported before, `output` when the dataset cannot be written; CancelledError.
 */
export async function importDataset(options: ImportOptions, hooks: ImportHooks = {}): Promise<ImportReport> {
  checkOptions(options)
  const { kind, valFraction } = options
  const [source, output] = [resolve(options.source), resolve(options.output)]
  await requireSource(options)
  const folder = new ImportFolder(output)
  const listing = await importers[kind](source, {
    split: options.split === 2 || options.split === 3 ? options.split : 1,
    splits: options.splits,
    labels: options.labels,
    chooseClasses: (known) => chooseClasses(options.classes, known),
    onFiles: (done) => hooks.onProgress?.({ done, total: null, unit: 'files seen', remainingSeconds: null }),
    signal: hooks.signal,
  })
  const notes = [...listing.notes]
  if (listing.videos.length === 0) throw nothingThere(options, listing)
  await folder.requireOutside(listing.videos.map((video) => video.source))

  const names = [...new Set([...listing.videos, ...listing.missing].map(({ className }) => className))].sort()
  const folders = classFolders(names, (note) => notes.push(note))
  const standing = await folder.videos()
  const limited = limitPerClass(listing, options.limit)
  const videos =
    valFraction === undefined
      ? limited
      : await divideIntoParts(limited, listing.root, valFraction, folders, standing, notes, hooks.signal)
  requireSameDivision(videos, standing, output)
  const standingPlaces = new Set(standing.map((video) => comparable(placeOf(video))))
  const placed = await placeVideos(videos, folders, listing.root, async (place, file) => {
    if (!standingPlaces.has(comparable(place))) return 'nothing'
    return (await folder.holds(place, file)) ? 'this' : 'another'
  })
  const renamed = placed.filter((video) => {
    const usual = placeOf(standingAs(video, folders))
    return video.place !== usual && standingPlaces.has(comparable(usual))
  })
  if (renamed.length > 0) {
    const [first] = renamed.map(({ place }) => place)
    notes.push(
      `${countOf(renamed.length, 'video')} named after the folder, too, such as ${first}: another video has the name`,
    )
  }
  await requireNoOtherPart(placed, standing, folder)

  notes.push(...untrainedNotes([...standing, ...placed.map((video) => standingAs(video, folders))]))
  for (const note of notes) hooks.onLine?.(note)
  const plan = { options, placed, listing, folders, standing, notes }
  if (options.dryRun) return report(plan, new Map(), [], null)
  await folder.requireRoom(placed, options.mode)
  const { arrivals, failed } = await bringAll(placed, folder, options.mode, hooks)
  return report(plan, arrivals, failed, await writeMissing(listing.missing, output, kind))
}

function checkOptions(options: ImportOptions): void {
  const { kind, split, splits, labels, valFraction, limit } = options
  const wrong = (what: string, remedy?: string): never => {
    throw new KineoError('usage', what, remedy === undefined ? {} : { remedy })
  }
  const hasSplits = kind === 'hmdb51' || kind === 'ucf101'
  if (split !== undefined && !hasSplits) wrong(`--split is for hmdb51 and ucf101, not ${kind}`)
  if (split !== undefined && ![1, 2, 3].includes(split)) wrong('--split must be 1, 2 or 3')
  if (splits !== undefined && !hasSplits && kind !== 'kinetics')
    wrong(`--splits is for hmdb51, ucf101 and kinetics, not ${kind}`)
  if (labels !== undefined && kind !== 'csv') wrong(`--labels is for csv, not ${kind}`)
  if (valFraction !== undefined && kind !== 'csv' && kind !== 'folder') {
    wrong(`--val is for csv and folder: ${kind} comes with lists of its own`, 'Leave out --val')
  }
  if (valFraction !== undefined && !(valFraction > 0 && valFraction < 1))
    wrong('--val must be above 0 and below 1')
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1))
    wrong('--limit must be a whole number, 1 or more')
}

async function requireSource({ kind, source, splits, labels, output }: ImportOptions): Promise<void> {
  for (const path of [source, splits, labels]) {
    if (path === undefined) continue
    await stat(path).catch((cause: unknown) => {
      throw new KineoError('input', 'There is no such file or folder', { where: path, cause })
    })
  }
  const isFolder = (await stat(source)).isDirectory()
  if (kind === 'csv' && isFolder) {
    throw new KineoError('input', 'This is a folder, not a table', {
      where: source,
      remedy: 'Name the csv file itself, or import the folder with kineo import folder',
    })
  }
  if (kind !== 'csv' && !isFolder) {
    throw new KineoError('input', 'This is a file, not a folder', {
      where: source,
      remedy: `Name the folder of ${kind === 'folder' ? 'the class folders' : 'the unpacked data set'}`,
    })
  }
  if ((await stat(output).catch(() => null))?.isDirectory() === false) {
    throw new KineoError('output', 'The dataset would have the place of a file', {
      where: output,
      remedy: 'Choose another --out',
    })
  }
  if (isFolder) await requireApart(source, output)
}

/**
 * The classes that were asked for, found among those that there are: a name may have underscores for spaces and other
 * case.
 */
function chooseClasses(asked: readonly string[] | undefined, known: readonly string[]): Set<string> {
  if (asked === undefined) return new Set(known)
  const plain = (name: string): string =>
    comparable(name)
      .replaceAll(/[\s_-]+/g, ' ')
      .trim()
  const find = (name: string): string | undefined =>
    known.find((each) => each === name) ?? known.find((each) => plain(each) === plain(name))
  const chosen = new Set<string>()
  // A class may have a comma in its name.
  const names = asked.flatMap((each) => (find(each) === undefined ? each.split(',') : [each]))
  for (const name of names.map((each) => each.trim()).filter((each) => each !== '')) {
    const found = find(name)
    if (found === undefined) {
      const near = suggestKey(name, [...known])
      throw new KineoError('usage', `There is no class "${name}" in the source`, {
        remedy: near === undefined ? `There are ${someOf(known, 12)}` : `Did you mean ${near}?`,
      })
    }
    chosen.add(found)
  }
  if (chosen.size === 0) throw new KineoError('usage', '--classes names no class')
  return chosen
}

function nothingThere({ source, kind, splits }: ImportOptions, { missing }: SourceListing): KineoError {
  if (missing.length === 0) {
    return new KineoError('input', 'There are no videos to import', { where: source })
  }
  const names = someOf(missing.map(({ name }) => name))
  return new KineoError('input', `None of the ${countOf(missing.length, 'listed video')} is there`, {
    where: `${source} (${names})`,
    remedy:
      kind === 'csv'
        ? 'Paths are relative to the folder of the table: put the table where they fit'
        : `Name the folder that holds the unpacked videos${splits === undefined ? '' : ', and the lists with --splits'}`,
  })
}

async function bringAll(
  placed: readonly PlacedVideo[],
  folder: ImportFolder,
  mode: ImportOptions['mode'],
  hooks: ImportHooks,
): Promise<{ arrivals: Map<Arrival, number>; failed: FailedImport[] }> {
  const arrivals = new Map<Arrival, number>()
  const failed: FailedImport[] = []
  const remaining = new RemainingTime()
  let done = 0
  let lastReport = -Infinity
  const progress = (): void => {
    const now = performance.now()
    if (done < placed.length && now - lastReport < millisecondsBetweenReports) return
    lastReport = now
    const remainingSeconds = remaining.update(done, placed.length)
    hooks.onProgress?.({ done, total: placed.length, unit: 'videos', remainingSeconds })
  }
  const bringOne = async ({ source, place }: PlacedVideo): Promise<void> => {
    let reason: string | null = null
    try {
      const arrival = await folder.bring(source, place, mode)
      if (arrival === 'occupied') reason = 'Another video has its place; move that away and import again'
      else arrivals.set(arrival, (arrivals.get(arrival) ?? 0) + 1)
    } catch (error) {
      if (!(error instanceof KineoError) || error.code !== 'input') throw outputError(error, folder.path)
      reason = error.message
    }
    if (reason !== null) {
      failed.push({ source, place, reason })
      hooks.onFailed?.({ source, place, reason })
    }
    done++
    progress()
  }
  progress()
  const queue = placed.values()
  let failure: { error: unknown } | undefined
  const lane = async (): Promise<void> => {
    for (const video of queue) {
      if (hooks.signal?.aborted || failure) return
      await bringOne(video).catch((error: unknown) => (failure ??= { error }))
    }
  }
  // Every lane comes to its end before the folder is closed, so that no file is half written.
  await Promise.all(Array.from({ length: videosAtOnce }, lane))
  await folder.close()
  if (failure) throw failure.error
  if (hooks.signal?.aborted && done < placed.length) {
    throw new CancelledError(
      `Stopped with ${done} of ${countOf(placed.length, 'video')} done; start again to go on from there`,
    )
  }
  failed.sort((a, b) => (a.place < b.place ? -1 : 1))
  return { arrivals, failed }
}

/** A full disk or a folder that may not be written concerns all videos. */
function outputError(error: unknown, output: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT'
  return new KineoError('output', full ? 'The disk is full' : 'The dataset cannot be written', {
    where: output,
    remedy: full ? 'Make room and start again: whole videos are kept' : describeError(error),
    cause: error,
  })
}

/** Names the missing videos in a file of the dataset; an older list of the same kind goes when none is missing. */
async function writeMissing(
  missing: readonly MissingVideo[],
  output: string,
  kind: SourceKind,
): Promise<string | null> {
  const path = join(output, `missing-${kind}.txt`)
  if (missing.length === 0) {
    await rm(path, { force: true })
    return null
  }
  const lines = missing.map(({ part, className, name }) => `${part ?? '-'}\t${className}\t${name}`)
  await writeFileAtomic(path, `${lines.join('\n')}\n`)
  return path
}

function placeOf({ part, folder, name }: StandingVideo): string {
  return part === null ? `${folder}/${name}` : `${part}/${folder}/${name}`
}

function standingAs(
  { part, className, source }: PlacedVideo,
  folders: ReadonlyMap<string, string>,
): StandingVideo {
  return { part, folder: folders.get(className) ?? className, name: basename(source) }
}

/** What cannot be learned: classes, or a whole dataset, without a video in train/. */
function untrainedNotes(videos: readonly StandingVideo[]): string[] {
  if (videos.some(({ part }) => part === null)) return []
  const trained = new Set(videos.flatMap(({ part, folder }) => (part === 'train' ? [folder] : [])))
  if (trained.size === 0) return ['The dataset has no train/ yet: import the videos for training, too']
  const untrained = [...new Set(videos.map(({ folder }) => folder))]
    .filter((name) => !trained.has(name))
    .sort()
  return untrained.length === 0 ? [] : [`Classes without a video for training: ${someOf(untrained, 5)}`]
}

interface Plan {
  options: ImportOptions
  placed: readonly PlacedVideo[]
  listing: SourceListing
  folders: ReadonlyMap<string, string>
  standing: readonly StandingVideo[]
  notes: string[]
}

function report(
  { options, placed, listing, folders, standing, notes }: Plan,
  arrivals: ReadonlyMap<Arrival, number>,
  failed: FailedImport[],
  missingList: string | null,
): ImportReport {
  const parts = ([null, 'train', 'val', 'test'] as const).flatMap((part): PartCount[] => {
    const ofPart = placed.filter((video) => video.part === part)
    const classes = new Set(ofPart.map(({ className }) => className)).size
    return ofPart.length === 0 ? [] : [{ part, videos: ofPart.length, classes }]
  })
  const names = new Set(standing.map(({ folder }) => folder))
  for (const { className } of placed) names.add(folders.get(className) ?? className)
  const all = [...standing, ...placed]
  return {
    kind: options.kind,
    source: resolve(options.source),
    output: resolve(options.output),
    dryRun: options.dryRun,
    parts,
    linked: arrivals.get('linked') ?? 0,
    copied: arrivals.get('copied') ?? 0,
    unchanged: arrivals.get('unchanged') ?? 0,
    failed,
    missing: listing.missing.length,
    missingList,
    hasValidation: all.some(({ part }) => part === 'val' || part === 'test'),
    hasTraining: all.some(({ part }) => part === null || part === 'train'),
    labelMap: Object.fromEntries([...names].sort().map((name, index) => [name, index])),
    notes,
  }
}
