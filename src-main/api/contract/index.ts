import { projectContract } from './project.ts'
import { workContract } from './work.ts'

/** Everything the renderer may ask. Both hosts carry it: Electron over a MessagePort, the browser over a WebSocket. */
export const contract = { ...projectContract, ...workContract }
export type Contract = typeof contract

export type * from './project.ts'
export type * from './work.ts'
