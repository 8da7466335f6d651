import { createHash } from 'node:crypto'
import { basename, dirname, extname, relative, sep } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import type { DatasetPart, SourceVideo } from './listing.ts'
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

/**
 * Gives every video a place `<part>/<class folder>/<name>`, or without the part where there is none. Videos of one place
 * get the name of their folder behind their own, or where this is not enough a hash of their path within the source:
 * each name depends on its own video only, so that further videos change no place.
 *
 * @param root Folder of the source, so that the source may be moved.
 * @param holds Whether a place of the dataset is taken by this very video, which then keeps it.
 */
export async function placeVideos(
  videos: readonly SourceVideo[],
  folders: ReadonlyMap<string, string>,
  root: string,
  holds: (place: string, source: string) => Promise<boolean>,
): Promise<PlacedVideo[]> {
  const placed = videos.map((video) => ({ ...video, place: placeOf(video, folders, basename(video.source)) }))
  await rename(placed, async (video) =>
    (await holds(video.place, video.source))
      ? video.place
      : placeOf(video, folders, named(video.source, basename(dirname(video.source)))),
  )
  await rename(placed, async (video) =>
    (await holds(video.place, video.source))
      ? video.place
      : placeOf(
          video,
          folders,
          named(video.source, hashOf(relative(root, video.source).replaceAll(sep, '/'))),
        ),
  )
  return placed
}

/** Gives another place to those that share one; of these one may keep it. */
async function rename(
  placed: readonly PlacedVideo[],
  otherPlace: (video: PlacedVideo) => Promise<string>,
): Promise<void> {
  const sharing = new Map<string, PlacedVideo[]>()
  for (const video of placed) {
    const key = comparable(video.place)
    const same = sharing.get(key)
    if (same) same.push(video)
    else sharing.set(key, [video])
  }
  for (const videos of sharing.values()) {
    if (videos.length < 2) continue
    for (const video of videos) video.place = await otherPlace(video)
  }
}

function placeOf(
  { part, className }: { part: DatasetPart | null; className: string },
  folders: ReadonlyMap<string, string>,
  name: string,
): string {
  return [part, folders.get(className) ?? className, name].filter((each) => each !== null).join('/')
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
