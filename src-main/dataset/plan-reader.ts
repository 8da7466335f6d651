import { KineoError } from '../core/errors.ts'
import { channelsOf, streamsOf, type Stream } from '../core/streams.ts'
import { mapBounded } from './bounded.ts'
import { resizedSize } from './crops.ts'
import { readFrame } from './frame-image.ts'
import { FrameStacker, type Pixels } from './frame-stacker.ts'
import type { ClipPlan, WorkerSetup } from './loader-messages.ts'
import { BilinearResizer, type ImageSize } from './resize.ts'

/** Images of a clip that are decoded at the same time. */
const imagesAtOnce = 2
/** What a kept image costs beside its pixels: buffer, view, map entry and path. */
const entryBytes = 400

/**
 * Makes clips from plans: reads the images, resizes and stacks them.
 *
 * Resized images are kept until `cacheBytes` are full, and then kept for good: epochs visit images in random order, so
 * that a fixed part that is kept hits as often as the part is large, where a least-recently-used cache smaller than the
 * data set would hardly hit at all.
 */
export class PlanReader {
  readonly #setup: WorkerSetup
  readonly #stackers: Partial<Record<Stream, FrameStacker>> = {}
  readonly #resizers = new Map<string, BilinearResizer>()
  readonly #cache = new Map<string, Pixels>()
  #cachedBytes = 0

  constructor(setup: WorkerSetup) {
    this.#setup = setup
    for (const stream of streamsOf(setup.modelType)) {
      this.#stackers[stream] = new FrameStacker(setup.transform, stream)
    }
  }

  /**
   * @param buffer Is used for the result when it has the right size.
   * @returns Float32 [channels, length, height, width] of each stream, one after the other.
   * @throws KineoError `input` naming the file that cannot be used.
   */
  async read(plan: ClipPlan, buffer: ArrayBuffer | null): Promise<ArrayBuffer> {
    const { modelType, transform } = this.#setup
    const sizes = streamsOf(modelType).map((stream) => {
      const files = plan.files[stream] ?? []
      const frames = stream === 'rgb' ? files.length : files.length / 2
      return { stream, files, values: channelsOf(stream) * frames * transform.height * transform.width }
    })
    const total = sizes.reduce((sum, { values }) => sum + values, 0)
    const output =
      buffer?.byteLength === total * Float32Array.BYTES_PER_ELEMENT
        ? new Float32Array(buffer)
        : new Float32Array(total)
    let offset = 0
    for (const { stream, files, values } of sizes) {
      const images = await mapBounded(files, imagesAtOnce, (file) => this.#image(file, stream))
      checkSizes(files, images)
      this.#stackers[stream]?.stack(images, plan.choices, output.subarray(offset, offset + values))
      offset += values
    }
    return output.buffer
  }

  async #image(file: string, stream: Stream): Promise<Pixels> {
    const kept = this.#cache.get(file)
    if (kept !== undefined) return kept
    const { modelType, transform, cacheBytes } = this.#setup
    const image = await readFrame(file, stream === 'rgb' ? 'rgb' : 'gray')
    const size = resizedSize(image, transform, modelType, file)
    const data = this.#resizer(image, size, stream).resize(image.data)
    const resized: Pixels = { ...size, data }
    const bytes = data.length + entryBytes
    if (this.#cachedBytes + bytes <= cacheBytes && !this.#cache.has(file)) {
      this.#cache.set(file, resized)
      this.#cachedBytes += bytes
    }
    return resized
  }

  #resizer(from: ImageSize, to: ImageSize, stream: Stream): BilinearResizer {
    const key = `${stream} ${from.width}x${from.height}`
    let resizer = this.#resizers.get(key)
    if (resizer === undefined) {
      // Data sets have a handful of sizes; forget them rather than grow with an odd one.
      if (this.#resizers.size >= 64) this.#resizers.clear()
      resizer = new BilinearResizer(from, to, stream === 'rgb' ? 3 : 1)
      this.#resizers.set(key, resizer)
    }
    return resizer
  }
}

/** One crop is cut from all frames of a stream, so they must have one size. */
function checkSizes(files: readonly string[], images: readonly Pixels[]): void {
  const [first] = images
  const odd = images.findIndex((image) => image.width !== first?.width || image.height !== first.height)
  if (odd < 0) return
  throw new KineoError('input', 'The frames of a video have different shapes', {
    where: files[odd] ?? '',
    remedy: 'Prepare the video again with `kineo preprocess`',
  })
}
