import { parentPort, workerData } from 'node:worker_threads'
import sharp from 'sharp'
import { KineoError } from '../core/errors.ts'
import type { Failure, WorkerReply, WorkerRequest, WorkerSetup } from './loader-messages.ts'
import { PlanReader } from './plan-reader.ts'

/** Worker thread of the batch loader: makes one clip after another as asked. */
if (parentPort === null) throw new Error('loader-worker runs as a worker thread only')
const port = parentPort
// Parallel work comes from several workers; threads of libvips would only compete with the training step.
sharp.concurrency(1)
sharp.cache(false)

const reader = new PlanReader(workerData as WorkerSetup)
const waiting: Extract<WorkerRequest, { kind: 'clip' }>[] = []
let busy = false

port.on('message', (request: WorkerRequest) => {
  if (request.kind === 'clip') {
    waiting.push(request)
    void work()
    return
  }
  const rest = waiting.filter((clip) => clip.run !== request.run)
  waiting.splice(0, waiting.length, ...rest)
})

async function work(): Promise<void> {
  if (busy) return
  busy = true
  for (let clip = waiting.shift(); clip !== undefined; clip = waiting.shift()) {
    try {
      const buffer = await reader.read(clip.plan, clip.buffer)
      send({ kind: 'clip', id: clip.id, buffer }, [buffer])
    } catch (error) {
      send({ kind: 'failure', id: clip.id, failure: failureOf(error) }, [])
    }
  }
  busy = false
}

function send(reply: WorkerReply, transfer: ArrayBuffer[]): void {
  port.postMessage(reply, transfer)
}

function failureOf(error: unknown): Failure {
  if (error instanceof KineoError) {
    return {
      code: error.code,
      message: error.message,
      where: error.where,
      remedy: error.remedy,
      stack: undefined,
    }
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  return { code: null, message, where: undefined, remedy: undefined, stack }
}
