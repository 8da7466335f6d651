import type { ClipWriter } from '../dataset/clip-writer.ts'
import { pairsInRequest, rgbToGray, type FlowPool, type FlowPreset, type GrayFlow } from '../flow/index.ts'

/** Hands the frames of one clip to the flow threads in runs that overlap by one, and the pictures to the writer. */
export class FlowWriting {
  readonly #pool: FlowPool
  readonly #writer: ClipWriter
  readonly #preset: FlowPreset
  readonly #signal: AbortSignal
  readonly #pending: Promise<void>[] = []
  #run: Uint8Array[] = []
  /** Index of the first frame of the run. */
  #first = 0
  #size = { width: 0, height: 0 }

  constructor(pool: FlowPool, writer: ClipWriter, preset: FlowPreset, signal: AbortSignal) {
    this.#pool = pool
    this.#writer = writer
    this.#preset = preset
    this.#signal = signal
  }

  async add(rgb: Uint8Array, width: number, height: number): Promise<void> {
    this.#size = { width, height }
    this.#run.push(rgbToGray(rgb))
    if (this.#run.length > pairsInRequest(width, height)) await this.#send()
  }

  async finish(): Promise<void> {
    if (this.#run.length > 1) await this.#send()
    await Promise.all(this.#pending)
  }

  async #send(): Promise<void> {
    const frames = this.#run
    const first = this.#first
    this.#run = frames.slice(-1)
    this.#first += frames.length - 1
    await this.#pool.room(this.#signal)
    const { width, height } = this.#size
    const written = this.#pool
      .flow({ width, height, preset: this.#preset, frames })
      .then((pictures) => this.#write(first, pictures))
    // Whoever waits for it later still learns of a failure.
    written.catch(() => undefined)
    this.#pending.push(written)
  }

  async #write(first: number, pictures: readonly GrayFlow[]): Promise<void> {
    const { width, height } = this.#size
    for (const [index, { u, v }] of pictures.entries()) {
      await this.#writer.writeFlow(first + index, { width, height, data: u }, { width, height, data: v })
    }
  }
}
