/** One image out of a stream of binary PPM images. */
export interface PpmImage {
  width: number
  height: number
  /** `width * height * 3` bytes. */
  rgb: Uint8Array
}

const longestHeader = 40

/** Cuts a byte stream of binary PPM images (`P6`, 8 bit, as ffmpeg writes them) into images. */
export class PpmReader {
  #header = ''
  #image: PpmImage | undefined
  #filled = 0

  /** `P6 <width> <height> 255` with any single white space between; may be split over chunks. */
  #readHeader(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      this.#header += String.fromCharCode(chunk[at] ?? 0)
      const match = /^P6\s(\d+)\s(\d+)\s255\s$/.exec(this.#header)
      if (match) {
        const [width, height] = [Number(match[1]), Number(match[2])]
        this.#image = { width, height, rgb: new Uint8Array(width * height * 3) }
        this.#filled = 0
        this.#header = ''
        return at + 1
      }
      if (this.#header.length > longestHeader)
        throw new Error(`not a PPM header: ${JSON.stringify(this.#header)}`)
    }
    return chunk.length
  }

  /** Images that became whole with this chunk. Each has a buffer of its own. */
  *push(chunk: Uint8Array): Generator<PpmImage, void> {
    let at = 0
    while (at < chunk.length) {
      if (!this.#image) {
        at = this.#readHeader(chunk, at)
        continue
      }
      const part = chunk.subarray(at, at + this.#image.rgb.length - this.#filled)
      this.#image.rgb.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === this.#image.rgb.length) {
        yield this.#image
        this.#image = undefined
      }
    }
  }
}
