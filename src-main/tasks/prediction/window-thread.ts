import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { entryFile } from '../../core/entry.ts'
import { KineoError, throwIfCancelled } from '../../core/errors.ts'
import { emptyInputs, type WindowBatch, type WindowedVideo, type WindowSettings } from './window-batches.ts'
import type { WindowAnswer, WindowRequest } from './window-worker.ts'

/** One batch with the network, one ready, one in work. */
const batchesUnderWay = 3
const millisecondsUntilSignal = 100

/** Makes the windows of videos in a thread of its own, so that decoding and the network, whose runs block, overlap. */
export class WindowThread {
  readonly #worker: Worker
  readonly #answers: (WindowAnswer | { kind: 'crash'; error: Error })[] = []
  #wake: (() => void) | null = null

  constructor(settings: WindowSettings) {
    this.#worker = new Worker(entryFile('window-worker'), { workerData: settings, name: 'kineo-windows' })
    this.#worker.on('message', (answer: WindowAnswer) => this.#take(answer))
    this.#worker.on('error', (error) => this.#take({ kind: 'crash', error }))
    for (let i = 0; i < batchesUnderWay; i++) this.#giveBack(emptyInputs(settings))
  }

  /**
   * The windows of one video at a time, as `windowBatches`. The arrays of a batch belong to the thread again when the next
   * batch is asked for.
   */
  async *batches(
    file: string,
    hooks: { signal?: AbortSignal | undefined; onDamage?: (complaint: string) => void },
  ): AsyncGenerator<WindowBatch, WindowedVideo> {
    this.#ask({ kind: 'video', file })
    const onAbort = (): void => this.#wake?.()
    hooks.signal?.addEventListener('abort', onAbort)
    let ended = false
    try {
      for (;;) {
        const answer = await this.#next(hooks.signal)
        if (answer.kind === 'batch') {
          try {
            yield answer.batch
          } finally {
            this.#giveBack(answer.batch.inputs)
          }
          continue
        }
        if (answer.kind === 'damage') {
          hooks.onDamage?.(answer.complaint)
          continue
        }
        ended = true
        if (answer.kind === 'end') return answer.video
        if (answer.kind === 'crash') throw answer.error
        // Ctrl-C stops ffmpeg, too, and its end may be told here before the signal itself.
        if (answer.code === 'machine') await delay(millisecondsUntilSignal)
        throwIfCancelled(hooks.signal)
        throw new KineoError(answer.code, answer.problem, answer.details)
      }
    } finally {
      hooks.signal?.removeEventListener('abort', onAbort)
      if (!ended) await this.#stop()
    }
  }

  /** Ends the thread. */
  async dispose(): Promise<void> {
    await this.#worker.terminate()
  }

  /** Stops the video under way, so that ffmpeg ends and the next video can begin. */
  async #stop(): Promise<void> {
    this.#ask({ kind: 'stop' })
    for (;;) {
      const answer = await this.#next(undefined)
      if (answer.kind === 'batch') this.#giveBack(answer.batch.inputs)
      else if (answer.kind !== 'damage') return
    }
  }

  async #next(signal: AbortSignal | undefined): Promise<WindowAnswer | { kind: 'crash'; error: Error }> {
    for (;;) {
      throwIfCancelled(signal)
      const answer = this.#answers.shift()
      if (answer !== undefined) return answer
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }

  #take(answer: WindowAnswer | { kind: 'crash'; error: Error }): void {
    this.#answers.push(answer)
    this.#wake?.()
  }

  #giveBack(inputs: WindowBatch['inputs']): void {
    this.#ask(
      { kind: 'inputs', inputs },
      Object.values(inputs).map((values) => values.buffer as ArrayBuffer),
    )
  }

  #ask(request: WindowRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer)
  }
}
