import { createHash } from 'node:crypto'
import { basename, dirname, extname, relative, sep } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import type { SourceVideo } from './listing.ts'
import { comparable } from './source-tree.ts'

/** Bytes that a file system grants to one name. */
const longestName = 255

/** A video with its place within the dataset, such as `train/wave/anna 01.mp4`. */
export interface PlacedVideo extends SourceVideo {
  place: string
}

/**
 * Folder names of classes. A name that could lead out of the dataset, be hidden, or not be a folder's name on this
 * machine is made safe.
 *
 * @param onNote Told of every class whose folder is not named as the class.
 * @throws KineoError `input` when two classes would share a folder, at least where case makes no difference.
 */
export function classFolders(
  classNames: readonly string[],
  onNote: (note: string) => void,
): Map<string, string> {
  const folders = new Map<string, string>()
  const owners = new Map<string, string>()
  for (const className of classNames) {
    const folder = safeFolderName(className)
    const owner = owners.get(comparable(folder))
    if (owner !== undefined) {
      throw new KineoError('input', 'Two classes would share a folder', {
        where: `"${owner}" and "${className}"`,
        remedy: 'Give them one name if they are one class, or names that differ in more than case',
      })
    }
    owners.set(comparable(folder), className)
    folders.set(className, folder)
    if (folder !== className) onNote(`The folder of class "${className}" is called "${folder}"`)
  }
  return folders
}

function safeFolderName(className: string): string {
  let safe = className.replaceAll(/[/\\\p{Cc}]/gu, '_').replace(/^\.+/, (dots) => '_'.repeat(dots.length))
  if (process.platform === 'win32') {
    safe = safe.replaceAll(/[<>:"|?*]/g, '_').replace(/[. ]+$/, '_')
    if (/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(safe)) safe = `_${safe}`
  }
  if (safe.trim() === '') safe = '_'
  return Buffer.byteLength(safe) <= longestName ? safe : `${cut(safe, longestName - 9)}_${hashOf(className)}`
}

/** What stands at a place of the dataset before an import: nothing, the video that is to go there, or another one. */
export type Standing = 'nothing' | 'this' | 'another'

/**
 * Gives every video a place `<part>/<class folder>/<name>`, or without the part where there is none. Videos of one place,
 * and those whose place another one has, get the name of their folder behind their own, or where this is not enough a hash
 * of their path within the source: each name depends on its own video only, so that further videos change no place.
 *
 * @param root Folder of the source, so that the source may be moved.
 */
export async function placeVideos(
  videos: readonly SourceVideo[],
  folders: ReadonlyMap<string, string>,
  root: string,
  standingAt: (place: string, source: string) => Promise<Standing>,
): Promise<PlacedVideo[]> {
  const place = (video: SourceVideo, choice: number): string =>
    [video.part, folders.get(video.className) ?? video.className, possibleNames(video.source, root)[choice]]
      .filter((each) => each !== null)
      .join('/')
  const placed = videos.map((video) => ({ ...video, place: place(video, 0) }))
  for (const choice of [1, 2]) {
    for (const sharing of Map.groupBy(placed, (video) => comparable(video.place)).values()) {
      for (const video of sharing) {
        const standing = await standingAt(video.place, video.source)
        const keeps = standing === 'nothing' ? sharing.length === 1 : standing === 'this'
        if (!keeps) video.place = place(video, choice)
      }
    }
  }
  return placed
}

/** The names that `placeVideos` may give to a video, the usual one first. */
export function possibleNames(source: string, root: string): [string, string, string] {
  const path = relative(root, source).replaceAll(sep, '/')
  return [basename(source), named(source, basename(dirname(source))), named(source, hashOf(path))]
}

/** `clip.mp4` and `day 1` make `clip_day 1.mp4`. */
function named(source: string, suffix: string): string {
  const extension = extname(source)
  const stem = basename(source, extension)
  const room = longestName - Buffer.byteLength(extension)
  const end = `_${cut(suffix, 60)}`
  return cut(stem, room - Buffer.byteLength(end)) + end + extension
}

/** The first characters of a text, at most so many bytes of them. */
function cut(text: string, bytes: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break
    kept += character
  }
  return kept
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
