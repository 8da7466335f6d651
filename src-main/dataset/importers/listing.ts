/** Part of a data set that a video belongs to. */
export type DatasetPart = 'train' | 'val' | 'test'

/** One video of a source, with what the source says of it. */
export interface SourceVideo {
  /** The file, absolute, as it was found. */
  source: string
  /** Class as the source names it. */
  className: string
  /** Null where the source has no parts. */
  part: DatasetPart | null
}

/** A video that a list names and that is not there. */
export interface MissingVideo {
  /** As the list names it. */
  name: string
  className: string
  part: DatasetPart | null
}

/** What a source offers. */
export interface SourceListing {
  /** Folder that names of files are told relative to, absolute. */
  root: string
  videos: SourceVideo[]
  missing: MissingVideo[]
  /** What a person should know about how the source was understood, one sentence each. */
  notes: string[]
}

export interface ListingOptions {
  /** Which of the three official splits, for hmdb51 and ucf101. */
  split: 1 | 2 | 3
  /** Where the official lists are, if not within the source. */
  splits?: string | undefined
  /** File with the names of numbered classes, for csv. */
  labels?: string | undefined
  /** Chooses among the classes that a source has; an importer passes over videos of the others. */
  chooseClasses: (known: readonly string[]) => ReadonlySet<string>
  /** Told now and then how many files were seen. */
  onFiles?: ((count: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** Reads what a source offers; nothing is written. */
export type Importer = (source: string, options: ListingOptions) => Promise<SourceListing>

const partNames: ReadonlyMap<string, DatasetPart> = new Map([
  ...['train', 'training', 'trn'].map((name) => [name, 'train'] as const),
  ...['val', 'valid', 'validate', 'validation', 'dev'].map((name) => [name, 'val'] as const),
  ...['test', 'testing'].map((name) => [name, 'test'] as const),
])

/** The part that a word of a list or the name of a folder means, or null. */
export function partOf(word: string): DatasetPart | null {
  return partNames.get(word.trim().toLowerCase()) ?? null
}

/**
 * The one part that the name of a list ends with, such as `val.csv`, `kinetics_val_list.txt` and
 * `hmdb51_test_split_1_videos.txt`, or null.
 */
export function partInName(name: string): DatasetPart | null {
  const words = name.replace(/\.[^.]*$/, '').split(/[^a-z0-9]+/i)
  const last = words.findLast((word) => !/^(\d*|list|split|videos|rawframes)$/i.test(word))
  const parts = new Set(words.map(partOf).filter((part) => part !== null))
  return parts.size === 1 ? partOf(last ?? '') : null
}

/** `1 video`, `3 videos`. */
export function countOf(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? '' : 's'}`
}

/** The first names of a longer list: `a, b, c and 4 more`. */
export function someOf(names: readonly string[], most = 3): string {
  const more = names.length - most
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
