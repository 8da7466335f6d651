import { KineoError } from '../core/errors.ts'
import { mapBounded } from './bounded.ts'
import { readFrame } from './frame-image.ts'
import type { ClipPlan, WorkerSetup } from './loader-messages.ts'
import { BilinearResizer } from './resize.ts'
import { channelsOf, FrameStacker, resizedSize, type Pixels } from './transforms.ts'

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
  readonly #stacker: FrameStacker
  readonly #resizers = new Map<string, BilinearResizer>()
  readonly #cache = new Map<string, Pixels>()
  #cachedBytes = 0

  constructor(setup: WorkerSetup) {
    this.#setup = setup
    this.#stacker = new FrameStacker(setup.transform, setup.modelType)
  }

  /**
   * @param buffer Is used for the result when it has the right size.
   * @returns Float32 [channels * length, height, width].
   * @throws KineoError `input` naming the file that cannot be used.
   */
  async read(plan: ClipPlan, buffer: ArrayBuffer | null): Promise<ArrayBuffer> {
    const { modelType, transform } = this.#setup
    const images = await mapBounded(plan.files, imagesAtOnce, (file) => this.#image(file))
    const frames = modelType === 'rgb' ? images.length : images.length / 2
    const values = channelsOf(modelType) * frames * transform.height * transform.width
    const output =
      buffer?.byteLength === values * Float32Array.BYTES_PER_ELEMENT
        ? new Float32Array(buffer)
        : new Float32Array(values)
    checkSizes(plan, images)
    this.#stacker.stack(images, plan.choices, output)
    return output.buffer
  }

  async #image(file: string): Promise<Pixels> {
    const kept = this.#cache.get(file)
    if (kept !== undefined) return kept
    const { modelType, transform, cacheBytes } = this.#setup
    const image = await readFrame(file, modelType === 'rgb' ? 'rgb' : 'gray')
    const size = resizedSize(image, transform, file)
    const data = this.#resizer(image, size.width, size.height).resize(image.data)
    const resized: Pixels = { ...size, data }
    const bytes = data.length + entryBytes
    if (this.#cachedBytes + bytes <= cacheBytes && !this.#cache.has(file)) {
      this.#cache.set(file, resized)
      this.#cachedBytes += bytes
    }
    return resized
  }

  #resizer(from: Pixels, width: number, height: number): BilinearResizer {
    const key = `${from.width}x${from.height}`
    let resizer = this.#resizers.get(key)
    if (resizer === undefined) {
      // Data sets have a handful of sizes; forget them rather than grow with an odd one.
      if (this.#resizers.size >= 64) this.#resizers.clear()
      resizer = new BilinearResizer(from, { width, height }, this.#setup.modelType === 'rgb' ? 3 : 1)
      this.#resizers.set(key, resizer)
    }
    return resizer
  }
}

/** One crop is cut from all frames of a clip, so they must have one size. */
function checkSizes(plan: ClipPlan, images: readonly Pixels[]): void {
  const [first] = images
  const odd = images.findIndex((image) => image.width !== first?.width || image.height !== first.height)
  if (odd < 0) return
  throw new KineoError('input', 'The frames of a video have different shapes', {
    where: plan.files[odd] ?? '',
    remedy: 'Prepare the video again with `kineo preprocess`',
  })
}
