/** Entry of a thread that computes optical flow; see flow-pool.ts. */
import { parentPort } from 'node:worker_threads'
import { KineoError, type ErrorCode, type ErrorDetails } from '../core/errors.ts'
import type { GrayFlow } from './gray.ts'
import { OpticalFlow, type FlowPreset } from './optical-flow.ts'

/** A run of consecutive gray frames of one video. */
export interface FlowRequest {
  width: number
  height: number
  preset: FlowPreset
  frames: Uint8Array[]
}

/** Flow pictures, or the parts of a KineoError, which does not pass between threads as one. */
export type FlowAnswer =
  | { pictures: GrayFlow[] }
  | { problem: string; code: ErrorCode; details: Pick<ErrorDetails, 'where' | 'remedy'> }

let flow: OpticalFlow | undefined
let made = ''

parentPort?.on('message', ({ width, height, preset, frames }: FlowRequest) => {
  try {
    const wanted = `${width}x${height} ${preset}`
    if (!flow || made !== wanted) flow = OpticalFlow.create(width, height, preset)
    made = wanted
    flow.reset()
    const pictures: GrayFlow[] = []
    for (const frame of frames) {
      const picture = flow.nextGray(frame)
      if (picture) pictures.push(picture)
    }
    const buffers = pictures.flatMap(({ u, v }) => [u.buffer as ArrayBuffer, v.buffer as ArrayBuffer])
    const answer: FlowAnswer = { pictures }
    parentPort?.postMessage(answer, buffers)
  } catch (error) {
    if (!(error instanceof KineoError)) throw error
    const { message, code, where, remedy } = error
    const details = { ...(where === undefined ? {} : { where }), ...(remedy === undefined ? {} : { remedy }) }
    const answer: FlowAnswer = { problem: message, code, details }
    parentPort?.postMessage(answer)
  }
})
