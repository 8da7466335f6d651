import { Random } from '../core/random.ts'

/** Share of each class that is set aside to check what was learned. */
export const validationFraction = 0.2
/** Decides which clips are set aside. */
export const splitSeed = 1234

interface Splittable {
  path: string
  className: string
  split: 'train' | 'val' | null
}

/**
 * Decides the split of every clip of a TAO dataset that has none: of each class a fifth is for validation, at least one clip where the class
 * has two or more. Clips that were split before keep their side; among the others a seeded shuffle of the sorted paths
 * decides, so that the same folder gives the same split.
 */
export function splitClips<Clip extends Splittable>(
  clips: readonly Clip[],
): (Clip & { split: 'train' | 'val' })[] {
  const validation = new Set<string>()
  for (const className of new Set(clips.map((clip) => clip.className))) {
    const ofClass = clips.filter((clip) => clip.className === className)
    const wanted = ofClass.length < 2 ? 0 : Math.max(1, Math.round(ofClass.length * validationFraction))
    const missing = Math.max(0, wanted - ofClass.filter((clip) => clip.split === 'val').length)
    const open = ofClass.flatMap((clip) => (clip.split === null ? [clip.path] : [])).sort()
    for (const path of new Random(splitSeed).shuffle(open).slice(0, missing)) validation.add(path)
  }
  return clips.map((clip) => ({
    ...clip,
    split: clip.split ?? (validation.has(clip.path) ? 'val' : 'train'),
  }))
}
