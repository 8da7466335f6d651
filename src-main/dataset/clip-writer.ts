import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'

/** Bytes of images that may wait to be encoded. */
const waitingBytes = 32 << 20
const mostWaiting = 8

/** Three bytes a pixel for a frame, one for flow. */
interface RawImage {
  width: number
  height: number
  data: Uint8Array
}

/** Name of an image in TAO's layout, such as `000042.png`. */
export function imageName(index: number, extension: 'png' | 'jpg'): string {
  return `${String(index).padStart(6, '0')}.${extension}`
}

/**
 * Writes one clip in TAO's layout: `rgb/%06d.png`, and for flow `u/%06d.jpg` and `v/%06d.jpg` (gray, quality 95), all
 * numbered from 000000; flow image k belongs to frames k and k + 1. Images are encoded on other threads: the writing
 * methods resolve as soon as a few more may be handed over, and `finish` when all are on disk.
 */
export class ClipWriter {
  readonly #folder: string
  readonly #waiting = new Set<Promise<boolean>>()
  #failure: { error: unknown } | undefined

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes `folder` with its three sub-folders. */
  static async create(folder: string): Promise<ClipWriter> {
    // Many small images at a time: one thread each.
    sharp.concurrency(1)
    for (const name of ['rgb', 'u', 'v']) await mkdir(join(folder, name), { recursive: true })
    return new ClipWriter(folder)
  }

  /** Takes frame `index`; its data must not be changed afterwards. */
  async writeFrame(index: number, image: RawImage): Promise<void> {
    const { width, height, data } = image
    // Level 1 takes a fifth of the time of level 9 for files that are a third larger.
    const png = sharp(data, { raw: { width, height, channels: 3 } }).png({ compressionLevel: 1 })
    await this.#write(png, join(this.#folder, 'rgb', imageName(index, 'png')), data.length)
  }

  /** Takes the flow from frame `index` to the next. */
  async writeFlow(index: number, u: RawImage, v: RawImage): Promise<void> {
    for (const [name, { width, height, data }] of [['u', u] as const, ['v', v] as const]) {
      const jpeg = sharp(data, { raw: { width, height, channels: 1 } })
        .toColourspace('b-w')
        .jpeg({ quality: 95, optimiseCoding: false })
      await this.#write(jpeg, join(this.#folder, name, imageName(index, 'jpg')), data.length)
    }
  }

  /** Waits until everything is written. */
  async finish(): Promise<void> {
    await Promise.all(this.#waiting)
    if (this.#failure) throw this.#failure.error
  }

  async #write(image: Sharp, path: string, rawBytes: number): Promise<void> {
    const writing: Promise<boolean> = encodeTo(image, path).then(
      () => this.#waiting.delete(writing),
      (error: unknown) => {
        this.#failure ??= { error }
        return this.#waiting.delete(writing)
      },
    )
    this.#waiting.add(writing)
    const limit = Math.max(2, Math.min(mostWaiting, waitingBytes / rawBytes))
    while (this.#waiting.size > limit) await Promise.race(this.#waiting)
    if (this.#failure) throw this.#failure.error
  }
}

/** Encoding to memory first takes a third less time than encoding to a file, which libvips writes in small pieces. */
async function encodeTo(image: Sharp, path: string): Promise<void> {
  await writeFile(path, await image.toBuffer())
}
