/** Thread that makes the windows of videos while the network is at work; see window-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import {
  CancelledError,
  isCancelled,
  KineoError,
  type ErrorCode,
  type ErrorDetails,
} from '../../core/errors.ts'
import type { StreamInputs } from '../../core/streams.ts'
import { windowBatches, type WindowBatch, type WindowedVideo, type WindowSettings } from './window-batches.ts'

/** What the thread is told: to begin with a video, that arrays are free, to stop. */
export type WindowRequest =
  { kind: 'video'; file: string } | { kind: 'inputs'; inputs: StreamInputs } | { kind: 'stop' }

/** What the thread says. A failure has the parts of a KineoError, which does not pass between threads as one. */
export type WindowAnswer =
  | { kind: 'batch'; batch: WindowBatch }
  | { kind: 'damage'; complaint: string }
  | { kind: 'end'; video: WindowedVideo }
  | { kind: 'failure'; problem: string; code: ErrorCode; details: Pick<ErrorDetails, 'where' | 'remedy'> }

if (parentPort === null) throw new Error('window-worker runs as a worker thread only')
const port = parentPort
const settings = workerData as WindowSettings
const free: StreamInputs[] = []
let waiting: { resolve(inputs: StreamInputs): void; reject(error: Error): void } | null = null
let stop = new AbortController()

port.on('message', (request: WindowRequest) => {
  if (request.kind === 'video') void work(request.file)
  else if (request.kind === 'stop') {
    stop.abort()
    waiting?.reject(new CancelledError())
    waiting = null
  } else if (waiting === null) free.push(request.inputs)
  else {
    waiting.resolve(request.inputs)
    waiting = null
  }
})

async function work(file: string): Promise<void> {
  stop = new AbortController()
  const say = (answer: WindowAnswer, transfer: ArrayBuffer[] = []): void => port.postMessage(answer, transfer)
  try {
    const batches = windowBatches(file, settings, {
      signal: stop.signal,
      onDamage: (complaint) => say({ kind: 'damage', complaint }),
      takeInputs: () => {
        const inputs = free.pop()
        return inputs === undefined
          ? new Promise((resolve, reject) => {
              waiting = { resolve, reject }
            })
          : Promise.resolve(inputs)
      },
    })
    for (let next = await batches.next(); ; next = await batches.next()) {
      if (next.done === true) {
        say({ kind: 'end', video: next.value })
        return
      }
      say({ kind: 'batch', batch: next.value }, buffersOf(next.value.inputs))
    }
  } catch (error) {
    if (!(error instanceof KineoError) && !isCancelled(error)) throw error
    const { message } = error as Error
    const { code, where, remedy } =
      error instanceof KineoError ? error : new KineoError('cancelled', 'Stopped')
    const details = { ...(where === undefined ? {} : { where }), ...(remedy === undefined ? {} : { remedy }) }
    say({ kind: 'failure', problem: message, code, details })
  }
}

function buffersOf(inputs: StreamInputs): ArrayBuffer[] {
  return Object.values(inputs).map((values) => values.buffer as ArrayBuffer)
}
