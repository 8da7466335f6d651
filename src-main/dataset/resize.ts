/** Width and height in pixels. */
export interface ImageSize {
  width: number
  height: number
}

/** Weights of the output positions along one axis. */
interface AxisWeights {
  /** First input position of each output position. */
  first: Int32Array
  /** Input positions of each output position. */
  count: Int32Array
  /** `taps` weights for each output position, fixed point with `fractionBits`. */
  weights: Int32Array
  taps: number
}

/** Pillow's fixed point for 8-bit images: 32 bits less 8 for the pixel and 2 against overflow. */
const fractionBits = 22
const half = 1 << (fractionBits - 1)

/**
 * Resizes 8-bit images as Pillow's `Image.resize(size, BILINEAR)`, which torchvision and so TAO use: a triangle
 * filter that widens with the reduction (antialiasing), horizontal pass first, rounded to 8 bits between the passes.
 * Bit for bit equal to Pillow. Weights are worked out once, so keep a resizer for images of one size.
 */
export class BilinearResizer {
  readonly #from: ImageSize
  readonly #to: ImageSize
  readonly #channels: number
  readonly #horizontal: AxisWeights | null
  readonly #vertical: AxisWeights | null
  readonly #sums: Int32Array

  /** @param channels Interleaved 8-bit channels of a pixel. */
  constructor(from: ImageSize, to: ImageSize, channels: 1 | 3) {
    this.#from = from
    this.#to = to
    this.#channels = channels
    // Pillow leaves out a pass that would change nothing, and its rounding with it.
    this.#horizontal = from.width === to.width ? null : axisWeights(from.width, to.width)
    this.#vertical = from.height === to.height ? null : axisWeights(from.height, to.height)
    this.#sums = new Int32Array(to.width * channels)
  }

  /**
   * @param pixels `from.height * from.width * channels` bytes, rows from the top.
   * @returns `to.height * to.width * channels` bytes; `pixels` itself when the sizes are equal.
   */
  resize(pixels: Uint8Array): Uint8Array {
    const { width, height } = this.#from
    if (pixels.length !== width * height * this.#channels) {
      throw new RangeError(`expected ${width}x${height}x${this.#channels} bytes, not ${pixels.length}`)
    }
    const narrow = this.#horizontal === null ? pixels : this.#resizeRows(pixels, this.#horizontal)
    return this.#vertical === null ? narrow : this.#resizeColumns(narrow, this.#vertical)
  }

  #resizeRows(pixels: Uint8Array, axis: AxisWeights): Uint8Array {
    const channels = this.#channels
    const width = this.#to.width
    const rowBytes = this.#from.width * channels
    const output = new Uint8Array(this.#from.height * width * channels)
    const { first, count, weights, taps } = axis
    let target = 0
    for (let row = 0; row < this.#from.height; row++) {
      for (let x = 0; x < width; x++) {
        const start = row * rowBytes + (first[x] ?? 0) * channels
        const end = x * taps + (count[x] ?? 0)
        for (let channel = 0; channel < channels; channel++) {
          let sum = half
          let source = start + channel
          for (let tap = x * taps; tap < end; tap++) {
            sum = (sum + Math.imul(weights[tap] ?? 0, pixels[source] ?? 0)) | 0
            source += channels
          }
          output[target++] = sum >> fractionBits
        }
      }
    }
    return output
  }

  #resizeColumns(pixels: Uint8Array, axis: AxisWeights): Uint8Array {
    const rowBytes = this.#to.width * this.#channels
    const output = new Uint8Array(this.#to.height * rowBytes)
    const { first, count, weights, taps } = axis
    const sums = this.#sums
    for (let y = 0; y < this.#to.height; y++) {
      sums.fill(half)
      for (let tap = 0; tap < (count[y] ?? 0); tap++) {
        const weight = weights[y * taps + tap] ?? 0
        const source = ((first[y] ?? 0) + tap) * rowBytes
        for (let i = 0; i < rowBytes; i++) {
          sums[i] = ((sums[i] ?? 0) + Math.imul(weight, pixels[source + i] ?? 0)) | 0
        }
      }
      const target = y * rowBytes
      for (let i = 0; i < rowBytes; i++) output[target + i] = (sums[i] ?? 0) >> fractionBits
    }
    return output
  }
}

/** Triangle filter of half-width max(1, reduction), cut at the borders and normalised, as Pillow's Resample.c. */
function axisWeights(from: number, to: number): AxisWeights {
  const scale = from / to
  const support = Math.max(1, scale)
  // Pillow multiplies by the reciprocal; dividing could round a weight differently.
  const perPixel = 1 / support
  const taps = Math.ceil(support) * 2 + 1
  const axis = {
    first: new Int32Array(to),
    count: new Int32Array(to),
    weights: new Int32Array(to * taps),
    taps,
  }
  for (let position = 0; position < to; position++) {
    const center = (position + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(from, Math.trunc(center + support + 0.5))
    const exact = Array.from({ length: end - first }, (_, tap) =>
      Math.max(0, 1 - Math.abs((tap + first - center + 0.5) * perPixel)),
    )
    const total = exact.reduce((sum, weight) => sum + weight, 0)
    axis.first[position] = first
    axis.count[position] = exact.length
    for (const [tap, weight] of exact.entries()) {
      axis.weights[position * taps + tap] = Math.trunc(0.5 + (weight / total) * 2 ** fractionBits)
    }
  }
  return axis
}
