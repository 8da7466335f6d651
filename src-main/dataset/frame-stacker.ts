import { channelsOf, type Stream } from '../core/streams.ts'
import { applyColorJitter } from './color-jitter.ts'
import { cropRegion, type Region } from './crops.ts'
import { BilinearResizer, type ImageSize } from './resize.ts'
import type { ClipChoices, TransformConfig } from './transforms.ts'

/** An 8-bit frame or plane: interleaved channels, rows from the top. */
export interface Pixels extends ImageSize {
  data: Uint8Array
}

/** A still flow plane, and black: what lies beyond the edges of an image. */
const beyond = { rgb: 0, of: 128 }
const mostResizers = 64

/**
 * What each 8-bit value of one channel becomes: (x / 255 - mean) / std, in float32 steps as torch computes it.
 *
 * @param negated For the u of mirrored flow. Motion to the left becomes motion to the right, so u changes its sign
 * (TAO leaves it as it is). Stored is trunc(u / r * 127.999 + 128): value x holds all u * 127.999 / r in
 * [x - 128, x - 127), and the negatives of these, (127 - x, 128 - x], are held by 255 - x, but for the one point
 * u * 127.999 / r = x - 128. So 255 - x is exact almost everywhere, its own inverse, and negates a value normalised
 * with mean 0.5. It moves 128 of a still pixel to 127, by the half step by which 128 itself is off zero; 256 - x
 * would keep 128 and be a whole step off for every pixel that moves.
 */
export function normaliseTable(mean: number, std: number, negated = false): Float32Array {
  return Float32Array.from({ length: 256 }, (_, value) => {
    const fraction = Math.fround((negated ? 255 - value : value) / 255)
    return Math.fround(Math.fround(fraction - Math.fround(mean)) / Math.fround(std))
  })
}

/** Turns the resized images of one stream of a clip into the input of the network. */
export class FrameStacker {
  readonly #transform: TransformConfig
  readonly #stream: Stream
  /** By channel. */
  readonly #tables: readonly Float32Array[]
  /** The same for mirrored clips. */
  readonly #mirroredTables: readonly Float32Array[]
  readonly #resizers = new Map<string, BilinearResizer>()

  constructor(transform: TransformConfig, stream: Stream) {
    this.#transform = transform
    this.#stream = stream
    const { mean, std } = transform.normalisation[stream] ?? { mean: [0], std: [1] }
    const at = (values: readonly number[], channel: number): number => values[channel] ?? values[0] ?? 0
    const tables = (mirrored: boolean): Float32Array[] =>
      Array.from({ length: channelsOf(stream) }, (_, channel) => {
        const negated = mirrored && stream === 'of' && channel === 0 && transform.flipNegateU
        return normaliseTable(at(mean, channel), at(std, channel), negated)
      })
    this.#tables = tables(false)
    this.#mirroredTables = tables(true)
  }

  /**
   * Crops, changes colours, mirrors and normalises, and stacks channel-major as TAO: R of all frames, then G, then B; or
   * u of all frames, then v. Both 2D ([channels * length, ...]) and 3D networks ([channels, length, ...]) take this.
   *
   * @param images rgb: `length` frames of 3 channels; of: 2 * `length` planes of 1 channel, u and v of a frame
   * in turn. All of one size; they are not changed.
   * @param output Receives float32 [channels, length, height, width].
   */
  stack(images: readonly Pixels[], choices: ClipChoices, output: Float32Array): void {
    const { height, width } = this.#transform
    const plane = height * width
    const tables = choices.flip ? this.#mirroredTables : this.#tables
    const interleaved = this.#stream === 'rgb' ? 3 : 1
    const length = (images.length * interleaved) / tables.length
    for (const [index, image] of images.entries()) {
      const { pixels, x, y } = this.#cropped(image, choices)
      const frame = interleaved === 3 ? index : Math.floor(index / 2)
      for (let part = 0; part < interleaved; part++) {
        const channel = interleaved === 3 ? part : index % 2
        const offset = (channel * length + frame) * plane
        const table = tables[channel]
        if (table === undefined) throw new RangeError(`no channel ${channel}`)
        copyPlane(pixels, interleaved, part, { x, y }, choices.flip, table, {
          data: output,
          offset,
          height,
          width,
        })
      }
    }
  }

  /** The image in which the wanted part lies, and where. */
  #cropped(image: Pixels, choices: ClipChoices): { pixels: Pixels; x: number; y: number } {
    const { crop, height, width } = this.#transform
    const region = cropRegion(image, this.#transform, choices)
    const jitter = this.#stream === 'rgb' && choices.jitter.length > 0
    if (crop !== 'multi_scale_crop' && !jitter) return { pixels: image, x: region.x, y: region.y }
    const channels = this.#stream === 'rgb' ? 3 : 1
    let data = cutOut(image, region, channels, beyond[this.#stream])
    if (crop === 'multi_scale_crop') data = this.#resizer(region).resize(data)
    if (jitter) applyColorJitter(data, choices.jitter)
    return { pixels: { data, width, height }, x: 0, y: 0 }
  }

  #resizer(from: ImageSize): BilinearResizer {
    const key = `${from.width}x${from.height}`
    let resizer = this.#resizers.get(key)
    if (resizer === undefined) {
      if (this.#resizers.size >= mostResizers) this.#resizers.clear()
      const { width, height } = this.#transform
      resizer = new BilinearResizer(from, { width, height }, this.#stream === 'rgb' ? 3 : 1)
      this.#resizers.set(key, resizer)
    }
    return resizer
  }
}

/** A copy of a part of an image; `fill` stands where the part reaches beyond it. */
function cutOut(image: Pixels, region: Region, channels: 1 | 3, fill: number): Uint8Array {
  const output = new Uint8Array(region.width * region.height * channels)
  const left = Math.max(0, region.x)
  const right = Math.min(image.width, region.x + region.width)
  const inside = region.y >= 0 && region.y + region.height <= image.height && right - left === region.width
  if (!inside) output.fill(fill)
  for (let y = Math.max(0, region.y); y < Math.min(image.height, region.y + region.height); y++) {
    const row = image.data.subarray((y * image.width + left) * channels, (y * image.width + right) * channels)
    output.set(row, ((y - region.y) * region.width + left - region.x) * channels)
  }
  return output
}

function copyPlane(
  image: Pixels,
  interleaved: number,
  part: number,
  origin: { x: number; y: number },
  flip: boolean,
  table: Float32Array,
  target: { data: Float32Array; offset: number; height: number; width: number },
): void {
  const { data, offset, height, width } = target
  const step = flip ? -interleaved : interleaved
  const firstColumn = flip ? origin.x + width - 1 : origin.x
  let position = offset
  for (let y = 0; y < height; y++) {
    let source = ((origin.y + y) * image.width + firstColumn) * interleaved + part
    for (let x = 0; x < width; x++) {
      data[position++] = table[image.data[source] ?? 0] ?? 0
      source += step
    }
  }
}
