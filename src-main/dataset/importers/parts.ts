import { createHash } from 'node:crypto'
import { join, relative, sep } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { setAside, type SplittableVideo } from '../set-aside.ts'
import type { ImportFolder, StandingVideo } from './import-folder.ts'
import type { DatasetPart, SourceListing, SourceVideo } from './listing.ts'
import { possibleNames, type PlacedVideo } from './places.ts'
import { comparable } from './source-tree.ts'

/** Decides which videos of a source without parts are set aside. */
const splitSeed = 1234

/** The first `most` videos of each class and part, in an order that further videos do not change. */
export function limitPerClass({ root, videos }: SourceListing, most: number | undefined): SourceVideo[] {
  if (most === undefined) return videos
  const order = (video: SourceVideo): string =>
    createHash('sha256').update(relative(root, video.source).replaceAll(sep, '/')).digest('hex')
  const ordered = videos.map((video) => ({ video, key: order(video) }))
  ordered.sort((a, b) => (a.key < b.key ? -1 : 1))
  const counts = new Map<string, number>()
  const kept = new Set<SourceVideo>()
  for (const { video } of ordered) {
    const key = `${video.part} ${video.className}`
    const count = counts.get(key) ?? 0
    if (count < most) kept.add(video)
    counts.set(key, count + 1)
  }
  return videos.filter((video) => kept.has(video))
}

/** Sets part of each class aside; videos that were imported before keep their side. */
export async function divideIntoParts(
  videos: readonly SourceVideo[],
  root: string,
  fraction: number,
  folders: ReadonlyMap<string, string>,
  standing: readonly StandingVideo[],
  notes: string[],
  signal: AbortSignal | undefined,
): Promise<SourceVideo[]> {
  if (videos.some(({ part }) => part !== null)) {
    throw new KineoError('usage', 'The source is divided into train, val or test already', {
      remedy: 'Leave out --val',
    })
  }
  const sides = new Map<string, Set<DatasetPart | null>>()
  for (const { part, folder, name } of standing) {
    const key = comparable(`${folder}/${name}`)
    sides.set(key, (sides.get(key) ?? new Set()).add(part))
  }
  const splittable = videos.map(({ source, className }): SplittableVideo => {
    const places = possibleNames(source, root).map((name) => `${folders.get(className) ?? className}/${name}`)
    const known = new Set(places.flatMap((place) => [...(sides.get(comparable(place)) ?? [])]))
    const side = known.size === 1 ? [...known][0] : null
    return { source, className, split: side === 'train' || side === 'val' ? side : null }
  })
  notes.push(...(await setAside(splittable, fraction, splitSeed, { signal })))
  return videos.map((video, i) => ({ ...video, part: splittable[i]?.split ?? null }))
}

/** A dataset is divided into parts as a whole or not at all: `preprocess` would read only one half of a mixture. */
export function requireSameDivision(
  videos: readonly SourceVideo[],
  standing: readonly StandingVideo[],
  output: string,
): void {
  const divided = videos.some(({ part }) => part !== null)
  if (!standing.some(({ part }) => (part !== null) !== divided)) return
  throw new KineoError(
    'usage',
    divided
      ? 'The dataset holds classes without train/ and val/, these videos are divided'
      : 'The dataset is divided into train/ and val/, these videos are not',
    {
      where: output,
      remedy: divided ? 'Choose another --out' : 'Divide them with --val 0.2, or choose another --out',
    },
  )
}

/** A video that would be for training now and for validation before is the worst of leaks. */
export async function requireNoOtherPart(
  placed: readonly PlacedVideo[],
  standing: readonly StandingVideo[],
  folder: ImportFolder,
): Promise<void> {
  const parts = new Map<string, DatasetPart[]>()
  for (const { part, folder: className, name } of standing) {
    if (part !== null) parts.set(`${className}/${name}`, [...(parts.get(`${className}/${name}`) ?? []), part])
  }
  const planned = new Set(placed.map(({ place }) => place))
  for (const { part, place, source } of placed) {
    const within = place.slice(place.indexOf('/') + 1)
    for (const other of part === null ? [] : (parts.get(within) ?? [])) {
      const otherPlace = `${other}/${within}`
      if (other === part || planned.has(otherPlace) || !(await folder.holds(otherPlace, source))) continue
      throw new KineoError('input', `A video that stands in ${other}/ would be in ${part}/, too`, {
        where: join(folder.path, otherPlace),
        remedy: 'Import another split or division into a folder of its own with --out',
      })
    }
  }
}
