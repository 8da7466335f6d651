import type { ClientContext, ClientLink } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'

declare global {
  interface Window {
    /** Set by the preload of the desktop app; absent in a browser. */
    host?: { kind: 'electron' }
  }
}

/** One connection to the main side, from the moment it is asked for until it closes. */
export interface Channel {
  link: ClientLink<ClientContext>
  /** Settles once calls can be made; rejects when the other side cannot be reached. */
  opened: Promise<void>
  /** Settles when the connection has ended, for whatever reason. */
  closed: Promise<void>
}

/** Electron: one end of a MessageChannel travels through the preload to the main process. */
function openPort(): Channel {
  const { port1, port2 } = new MessageChannel()
  const closed = new Promise<void>((resolve) =>
    port1.addEventListener('close', () => resolve(), { once: true }),
  )
  const link = new PortLink({ port: port1 })
  port1.start()
  window.postMessage('rpc:port', '*', [port2])
  return { link, opened: Promise.resolve(), closed }
}

/** Browser: a WebSocket at /rpc of the server that served this page. */
function openSocket(): Channel {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/rpc`)
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('close', () => reject(new Error('The connection could not be opened')), {
      once: true,
    })
  })
  const closed = new Promise<void>((resolve) =>
    socket.addEventListener('close', () => resolve(), { once: true }),
  )
  return { link: new SocketLink({ websocket: socket }), opened, closed }
}

/** Opens the transport that fits the host of this page. */
export function openChannel(): Channel {
  return window.host?.kind === 'electron' ? openPort() : openSocket()
}
