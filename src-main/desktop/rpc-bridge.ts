import { RPCHandler } from '@orpc/server/message-port'
import type { AppRouter } from '../api/index.ts'

/** Name of the message with which the page hands over its end of a channel; the renderer sends it. */
export const portMessage = 'rpc:port'

/** The part of Electron's MessagePortMain that the bridge needs. */
export interface PortMain {
  on(event: 'message', listener: (message: { data: unknown }) => void): unknown
  on(event: 'close', listener: () => void): unknown
  postMessage(message: unknown): void
  start(): void
}

/** Answers calls of the contract that come through ports of the page. */
export class RpcBridge {
  readonly #handler: RPCHandler<Record<never, never>>

  constructor(router: AppRouter) {
    this.#handler = new RPCHandler(router)
  }

  /** Serves one port until the page closes it or is reloaded. */
  accept(port: PortMain): void {
    this.#handler.upgrade({
      on: (event, callback) => {
        if (event === 'message') port.on('message', (message) => callback({ data: message.data }))
        else port.on('close', () => callback())
      },
      postMessage: (message: unknown) => port.postMessage(message),
    })
    port.start()
  }
}
