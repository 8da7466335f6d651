import { Worker } from 'node:worker_threads'
import { entryFile } from '../core/entry.ts'
import { CancelledError, KineoError } from '../core/errors.ts'
import type { ClipPlan, Failure, WorkerReply, WorkerRequest, WorkerSetup } from './loader-messages.ts'
import { PlanReader } from './plan-reader.ts'

/** Makes clips, each on a lane; clips of one video always take the same lane, so that its images are kept once. */
export interface ClipSource {
  readonly lanes: number
  /**
   * @param run Number of the pass that asks, for `discard`.
   * @returns Float32 [channels, length, height, width] of each stream, one after the other.
   */
  read(lane: number, run: number, plan: ClipPlan): Promise<ArrayBuffer>
  /** Gives the memory of a clip back for the next one. */
  giveBack(lane: number, buffer: ArrayBuffer): void
  /** Drops what `run` asked for and did not get; those promises stay open. */
  discard(run: number): void
  /** Ends all work; open promises are rejected. */
  dispose(): Promise<void>
}

/** Reads in the calling thread, one clip after another. */
export class InThreadSource implements ClipSource {
  readonly lanes = 1
  readonly #reader: PlanReader
  #spare: ArrayBuffer | null = null
  #last: Promise<unknown> = Promise.resolve()
  #discarded = -1

  constructor(setup: WorkerSetup) {
    this.#reader = new PlanReader(setup)
  }

  read(_lane: number, run: number, plan: ClipPlan): Promise<ArrayBuffer> {
    const clip = this.#last.then(() => {
      if (run <= this.#discarded) throw new CancelledError()
      const buffer = this.#spare
      this.#spare = null
      return this.#reader.read(plan, buffer)
    })
    this.#last = clip.catch(() => undefined)
    return clip
  }

  giveBack(_lane: number, buffer: ArrayBuffer): void {
    this.#spare = buffer
  }

  discard(run: number): void {
    this.#discarded = Math.max(this.#discarded, run)
  }

  async dispose(): Promise<void> {
    this.#discarded = Infinity
    await this.#last
  }
}

interface OpenClip {
  lane: number
  run: number
  resolve: (buffer: ArrayBuffer) => void
  reject: (error: Error) => void
}

/** Reads in worker threads; values do not depend on how many. */
export class ThreadedSource implements ClipSource {
  readonly lanes: number
  readonly #workers: Worker[]
  readonly #spare: ArrayBuffer[][]
  readonly #open = new Map<number, OpenClip>()
  #nextId = 0
  #broken: Error | null = null
  #disposed = false

  constructor(setup: WorkerSetup, count: number) {
    this.lanes = count
    this.#spare = Array.from({ length: count }, () => [])
    const workerData: WorkerSetup = { ...setup, cacheBytes: Math.floor(setup.cacheBytes / count) }
    this.#workers = Array.from({ length: count }, () => this.#start(workerData))
  }

  #start(workerData: WorkerSetup): Worker {
    const worker = new Worker(entryFile('loader-worker'), { workerData, name: 'kineo-loader' })
    worker.on('message', (reply: WorkerReply) => this.#settle(reply))
    worker.on('error', (error: Error) => this.#break(error))
    worker.on('exit', (code) => {
      if (!this.#disposed) this.#break(new Error(`a loader worker ended with code ${code}`))
    })
    // Threads must not keep a process alive whose owner forgot to dispose the loader.
    worker.unref()
    return worker
  }

  read(lane: number, run: number, plan: ClipPlan): Promise<ArrayBuffer> {
    if (this.#broken !== null) return Promise.reject(this.#broken)
    const worker = this.#workers[lane]
    if (worker === undefined) throw new RangeError(`no lane ${lane}`)
    const id = this.#nextId++
    const buffer = this.#spare[lane]?.pop() ?? null
    const request: WorkerRequest = { kind: 'clip', run, id, plan, buffer }
    return new Promise((resolve, reject) => {
      this.#open.set(id, { lane, run, resolve, reject })
      worker.ref()
      worker.postMessage(request, buffer === null ? [] : [buffer])
    })
  }

  giveBack(lane: number, buffer: ArrayBuffer): void {
    this.#spare[lane]?.push(buffer)
  }

  discard(run: number): void {
    for (const [id, clip] of this.#open) if (clip.run === run) this.#open.delete(id)
    for (const spare of this.#spare) spare.length = 0
    this.#rest()
    for (const worker of this.#workers) worker.postMessage({ kind: 'discard', run } satisfies WorkerRequest)
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    this.#break(new CancelledError('The batch loader was closed'))
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #settle(reply: WorkerReply): void {
    const clip = this.#open.get(reply.id)
    if (clip === undefined) return
    this.#open.delete(reply.id)
    this.#rest()
    if (reply.kind === 'clip') clip.resolve(reply.buffer)
    else clip.reject(errorOf(reply.failure))
  }

  #break(error: Error): void {
    this.#broken ??= error
    for (const clip of this.#open.values()) clip.reject(this.#broken)
    this.#open.clear()
    this.#rest()
  }

  #rest(): void {
    if (this.#open.size === 0) for (const worker of this.#workers) worker.unref()
  }
}

function errorOf(failure: Failure): Error {
  if (failure.code === null) {
    const error = new Error(failure.message)
    if (failure.stack !== undefined) error.stack = failure.stack
    return error
  }
  return new KineoError(failure.code, failure.message, {
    ...(failure.where === undefined ? {} : { where: failure.where }),
    ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }),
  })
}
