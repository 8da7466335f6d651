import { Worker } from 'node:worker_threads'
import { entryFile } from '../core/entry.ts'
import { KineoError, throwIfCancelled } from '../core/errors.ts'
import type { FlowAnswer, FlowRequest } from './flow-worker.ts'
import type { GrayFlow } from './gray.ts'

/** Pixels that one request should cover, so that handing it over costs nothing beside the work. */
const pixelsInRequest = 1_200_000

interface Task {
  request: FlowRequest
  resolve(pictures: GrayFlow[]): void
  reject(error: unknown): void
}

/** Number of pairs of frames to hand over at once for frames of this size. */
export function pairsInRequest(width: number, height: number): number {
  return Math.max(2, Math.min(32, Math.round(pixelsInRequest / (width * height))))
}

/**
 * Optical flow on several threads. Every pair of frames is computed from its two frames alone, so the result does not
 * depend on which thread gets which run of frames.
 */
export class FlowPool {
  readonly #threads: number
  readonly #idle: Worker[] = []
  readonly #running = new Map<Worker, Task>()
  readonly #queue: Task[] = []
  #waiting: (() => void)[] = []
  #disposed = false

  constructor(threads: number) {
    this.#threads = threads
  }

  /** Resolves when a request would start soon; keeps producers from filling the memory with frames. */
  async room(signal?: AbortSignal): Promise<void> {
    while (this.#running.size + this.#queue.length >= 2 * this.#threads) {
      throwIfCancelled(signal)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    throwIfCancelled(signal)
  }

  /** Flow pictures of a run of gray frames: one fewer than frames. */
  flow(request: FlowRequest): Promise<GrayFlow[]> {
    if (this.#disposed) return Promise.reject(new Error('the flow pool is closed'))
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject })
      this.#dispatch()
    })
  }

  /** Ends the threads; requests under way are refused. */
  async dispose(): Promise<void> {
    this.#disposed = true
    const workers = [...this.#idle.splice(0), ...this.#running.keys()]
    const tasks = [...this.#running.values(), ...this.#queue.splice(0)]
    this.#running.clear()
    for (const task of tasks) task.reject(new Error('the flow pool is closed'))
    this.#wake()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#start()
      if (!worker) return
      const task = this.#queue.shift()
      if (!task) return
      this.#running.set(worker, task)
      worker.postMessage(task.request)
    }
  }

  #start(): Worker | undefined {
    if (this.#running.size + this.#idle.length >= this.#threads) return undefined
    const worker = new Worker(entryFile('flow-worker'))
    worker.on('message', (answer: FlowAnswer) => {
      const task = this.#running.get(worker)
      this.#running.delete(worker)
      this.#idle.push(worker)
      if ('pictures' in answer) task?.resolve(answer.pictures)
      else task?.reject(new KineoError(answer.code, answer.problem, answer.details))
      this.#dispatch()
      this.#wake()
    })
    worker.on('error', (error) => {
      this.#running.get(worker)?.reject(error)
      this.#running.delete(worker)
      this.#dispatch()
      this.#wake()
    })
    return worker
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
