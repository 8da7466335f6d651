import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { throwIfCancelled } from '../core/errors.ts'
import { Random } from '../core/random.ts'

/** A video whose side is to be decided. */
export interface SplittableVideo {
  /** The file, absolute. */
  source: string
  className: string | null
  /** Null while undecided. */
  split: 'train' | 'val' | null
}

/** Videos that show the same scene, and so stay on one side. */
type Group = SplittableVideo[]

/**
 * Decides the side of every undecided video, in place: of each class about `fraction` for validation. Files with the
 * same content, and files of one class with the same name up to the extension, stay on one side, because they show the
 * same scene. Every class with two such groups or more gets at least one validation video and keeps at least one for
 * training.
 *
 * @param fraction Share of each class, above 0 and below 1.
 * @param scenes `content` for files; `names` for folders, whose whole names tell them apart.
 * @returns What a person should know, one sentence each.
 */
export async function setAside(
  videos: readonly SplittableVideo[],
  fraction: number,
  seed: number,
  { scenes = 'content', signal }: { scenes?: 'content' | 'names'; signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  const notes: string[] = []
  const groups =
    scenes === 'content'
      ? await groupByScene(videos, signal)
      : new Map(videos.map((video): [SplittableVideo, Group] => [video, [video]]))
  for (const group of new Set(groups.values())) {
    const known = group.find(({ split }) => split !== null)
    if (known) for (const video of group) video.split ??= known.split
  }
  const classNames = [...new Set(videos.map(({ className }) => className))]
  for (const [classIndex, className] of classNames.entries()) {
    const ofClass = videos.filter((video) => video.className === className)
    const open = [...new Set(ofClass.filter(({ split }) => split === null).map((video) => groups.get(video)))]
    const wanted = ofClass.length * fraction
    let aside = ofClass.filter(({ split }) => split === 'val').length
    const trained = ofClass.some(({ split }) => split === 'train')
    new Random(seed, classIndex).shuffle(open)
    if (open.length < 2 && aside === 0) {
      notes.push(`Class ${className} has no validation clip: all its files show the same scene`)
    }
    for (const group of trained ? open : open.slice(0, -1)) {
      // Half of a group too many is nearer than half of it too few.
      const size = group?.filter((video) => video.className === className).length ?? 0
      if (aside > 0 && aside + size / 2 > wanted) continue
      for (const video of group ?? []) video.split = 'val'
      aside += size
    }
  }
  for (const video of videos) video.split ??= 'train'
  return notes
}

async function groupByScene(
  videos: readonly SplittableVideo[],
  signal: AbortSignal | undefined,
): Promise<Map<SplittableVideo, Group>> {
  const groups = new Map<SplittableVideo, Group>(videos.map((video) => [video, [video]]))
  const first = new Map<string, SplittableVideo>()
  const sizes = new Map<SplittableVideo, number | undefined>()
  for (const video of videos) sizes.set(video, (await stat(video.source).catch(() => undefined))?.size)
  const twinSizes = repeated([...sizes.values()])
  for (const video of videos) {
    const stem = basename(video.source, extname(video.source))
    const keys = [`stem ${video.className} ${stem.toLowerCase()}`]
    // Only files of one size can hold the same; reading all of a large collection would take long.
    if (twinSizes.has(sizes.get(video))) {
      // An unreadable file shows nothing that another could share.
      const hash = await contentHash(video.source, signal).catch((error: unknown) => {
        throwIfCancelled(signal)
        return `unreadable ${video.source} ${String(error)}`
      })
      keys.push(`content ${hash}`)
    }
    for (const key of keys) {
      const twin = first.get(key)
      if (twin) unite(groups, twin, video)
      else first.set(key, video)
    }
  }
  return groups
}

/** Values that stand more than once. */
function repeated<T>(values: readonly T[]): Set<T> {
  const seen = new Set<T>()
  const twice = new Set<T>()
  for (const value of values) (seen.has(value) ? twice : seen).add(value)
  return twice
}

function unite(groups: Map<SplittableVideo, Group>, a: SplittableVideo, b: SplittableVideo): void {
  const [keep, drop] = [groups.get(a), groups.get(b)]
  if (!keep || !drop || keep === drop) return
  keep.push(...drop)
  for (const video of drop) groups.set(video, keep)
}

/** SHA-256 of a file, in hexadecimal. */
export async function contentHash(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    throwIfCancelled(signal)
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
