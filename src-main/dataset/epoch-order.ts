import { Random } from '../core/random.ts'

/** One clip of an epoch. */
export interface ClipRef {
  /** Index of its video. */
  sampleIndex: number
  /** Which clip of this video: in training a count within the epoch, else the segment of the video. */
  clipIndex: number
}

/** Sets the draws for the order apart from those of other purposes. */
const dealing = 0x6261

/** Every video `clipsPerVideo` times, shuffled. */
export function shuffledClips(
  videos: number,
  clipsPerVideo: number,
  seed: number,
  epochIndex: number,
): ClipRef[] {
  const positions = Array.from({ length: videos * clipsPerVideo }, (_, position) => position)
  return new Random(seed, epochIndex)
    .shuffle(positions)
    .map((position) => ({ sampleIndex: position % videos, clipIndex: Math.floor(position / videos) }))
}

/**
 * As many clips as `shuffledClips`, but of every class equally many (one more or less where they do not divide), and
 * shuffled. Clips are dealt to the classes in turn, from epoch to epoch without a break, and each class goes through its
 * videos in shuffled rounds: so the videos of a class are seen equally often, and any epoch can be worked out alone.
 *
 * @param classes Class index of each video.
 */
export function balancedClips(
  classes: readonly number[],
  clipsPerVideo: number,
  seed: number,
  epochIndex: number,
): ClipRef[] {
  const byClass = Map.groupBy(classes.keys(), (sampleIndex) => classes[sampleIndex] ?? 0)
  const present = [...byClass.keys()].sort((a, b) => a - b)
  const videosOf = present.map((classIndex) => byClass.get(classIndex) ?? [])
  const rounds = new Map<string, number[]>()
  const roundOf = (order: number, round: number): number[] => {
    const key = `${order}/${round}`
    let shuffled = rounds.get(key)
    if (shuffled === undefined) {
      shuffled = new Random(seed, dealing, order, round).shuffle([...(videosOf[order] ?? [])])
      rounds.set(key, shuffled)
    }
    return shuffled
  }
  const clips = classes.length * clipsPerVideo
  const seen = new Map<number, number>()
  const refs = Array.from({ length: clips }, (_, index): ClipRef => {
    const deal = epochIndex * clips + index
    const order = deal % present.length
    const place = Math.floor(deal / present.length)
    const videos = videosOf[order]?.length ?? 1
    const sampleIndex = roundOf(order, Math.floor(place / videos))[place % videos] ?? 0
    const clipIndex = seen.get(sampleIndex) ?? 0
    seen.set(sampleIndex, clipIndex + 1)
    return { sampleIndex, clipIndex }
  })
  return new Random(seed, epochIndex).shuffle(refs)
}
