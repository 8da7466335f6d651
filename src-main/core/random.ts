/**
 * Seeded random numbers, the same on every machine. A generator is derived for each purpose from the seed and the
 * coordinates of what it decides (epoch, sample, ...), so results depend neither on the order of work nor on the
 * number of workers, and a resumed run draws what an uninterrupted one would have drawn.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter: number
  #spareNormal: number | undefined

  /** @param coordinates Whole numbers; the first is the seed by convention. */
  constructor(...coordinates: number[]) {
    // Mix every coordinate into three words (murmur3 finaliser), then sfc32 as the generator.
    let words: [number, number, number] = [0x9e3779b9, 0x243f6a88, 0xb7e15162]
    for (const coordinate of coordinates) {
      const low = coordinate >>> 0
      const high = Math.floor(coordinate / 2 ** 32) >>> 0
      words = words.map((word, i) => mix(mix(word ^ low) + high + i)) as typeof words
    }
    ;[this.#a, this.#b, this.#c] = words
    this.#counter = 1
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** sfc32 by Chris Doty-Humphrey (PractRand), public domain. */
  #next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.#next() >>> 5) * 67108864 + (this.#next() >>> 6)) / 9007199254740992
  }

  /** Whole number, uniform in [0, bound). */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound)
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal
      this.#spareNormal = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Shuffles in place (Fisher-Yates) and returns the array. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      ;[items[i], items[j]] = [items[j] as T, items[i] as T]
    }
    return items
  }
}

function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
