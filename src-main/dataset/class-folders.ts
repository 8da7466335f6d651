import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isVideoFile } from '../core/video-file.ts'

/** Part of a dataset that a folder is for. */
export type Part = 'train' | 'val' | 'test'

/** A folder named after a class. */
export interface ClassFolder {
  className: string
  /** Absolute. */
  path: string
  /** Null where the classes are not below train/ and the like. */
  part: Part | null
  /** Names of what is in it, sorted, without hidden entries. */
  files: readonly string[]
  folders: readonly string[]
}

/** A folder as people sort videos and clips: class folders, perhaps below train/, val/ and test/. */
export interface SortedFolder {
  /** Class folders by part (train, val, test) and name. */
  classes: ClassFolder[]
  /** Names of the files of the folder itself. */
  files: readonly string[]
  /** Name of its folder for training, or null where the classes are in the folder itself. */
  trainName: string | null
  /** Names of folders beside the one for training that are no part; empty without one. */
  beside: readonly string[]
  /** Pipes, sockets and the like, which cannot be read as files; absolute. */
  others: readonly string[]
  /** Folders that cannot be read, absolute; they count as empty. */
  unreadable: readonly string[]
}

/** Names of the folder beside train/ that is for validation; the first that holds a class is taken. */
const validationNames = ['val', 'valid', 'validation', 'test']

/** Stops a look at a folder that holds thousands of others. */
export class FolderBudget {
  #left: number

  /** @param folders Most folders to look into; all further ones count as empty. */
  constructor(folders: number) {
    this.#left = folders
  }

  /** Takes one folder from the budget; false when it is spent. */
  take(): boolean {
    return this.#left-- > 0
  }
}

/** Names of the entries of one folder, sorted, without hidden ones; links are followed. */
export interface FolderEntries {
  folders: string[]
  /** A link to nothing counts as a file, which is found out later. */
  files: string[]
  others: string[]
}

/** @throws errors of the file system when the folder cannot be read. */
export async function listFolder(folder: string, budget?: FolderBudget): Promise<FolderEntries> {
  const entries: FolderEntries = { folders: [], files: [], others: [] }
  if (budget?.take() === false) return entries
  const found = await readdir(folder, { withFileTypes: true })
  for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => null) : entry
    if (target?.isDirectory()) entries.folders.push(entry.name)
    else if (target?.isFile() ?? true) entries.files.push(entry.name)
    else entries.others.push(entry.name)
  }
  return entries
}

/**
 * Reads a folder of class folders. train/ above counts as a part when a class is in it, and no video, which would make it
 * a class itself; then so does the first of val/, valid/, validation/ and test/ that holds a class, and test/ besides.
 * Names of parts are known in any case. This is the one rule for preprocess and the app.
 *
 * @param isClass Whether a folder holds what the caller looks for.
 * @throws errors of the file system when the folder itself cannot be read.
 */
export async function readClassFolders(
  folder: string,
  isClass: (candidate: ClassFolder) => boolean | Promise<boolean>,
  budget?: FolderBudget,
): Promise<SortedFolder> {
  const others: string[] = []
  const unreadable: string[] = []
  const enter = async (path: string): Promise<FolderEntries> => {
    const entries = await listFolder(path, budget).catch(() => null)
    if (entries === null) unreadable.push(path)
    others.push(...(entries?.others ?? []).map((name) => join(path, name)))
    return entries ?? { folders: [], files: [], others: [] }
  }
  const classesIn = async (
    path: string,
    names: readonly string[],
    part: Part | null,
  ): Promise<ClassFolder[]> => {
    const classes: ClassFolder[] = []
    for (const className of names) {
      const { files, folders } = await enter(join(path, className))
      const candidate = { className, path: join(path, className), part, files, folders }
      if (await isClass(candidate)) classes.push(candidate)
    }
    return classes
  }

  const top = await listFolder(folder, budget)
  others.push(...top.others.map((name) => join(folder, name)))
  const sorted = { files: top.files, others, unreadable }
  const named = (wanted: string): string | undefined =>
    top.folders.find((name) => name.toLowerCase() === wanted)
  const partIn = async (name: string | undefined, part: Part): Promise<ClassFolder[]> => {
    if (name === undefined) return []
    const { files, folders } = await enter(join(folder, name))
    if (part === 'train' && files.some((file) => isVideoFile(file))) return []
    return classesIn(join(folder, name), folders, part)
  }
  const trainName = named('train')
  const train = await partIn(trainName, 'train')
  if (trainName === undefined || train.length === 0) {
    return { classes: await classesIn(folder, top.folders, null), trainName: null, beside: [], ...sorted }
  }
  const parts = [trainName]
  const classes = [...train]
  for (const name of validationNames.map(named)) {
    const val = await partIn(name, 'val')
    if (name === undefined || val.length === 0) continue
    const test = named('test')
    classes.push(...val, ...(test === name ? [] : await partIn(test, 'test')))
    parts.push(name, ...(test === undefined ? [] : [test]))
    break
  }
  return { classes, trainName, beside: top.folders.filter((name) => !parts.includes(name)), ...sorted }
}
