import { createServer, type Server } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { RPCHandler } from '@orpc/server/ws'
import { Hono } from 'hono'
import { WebSocketServer } from 'ws'
import {
  createRouter,
  isRendererBuilt,
  mediaPrefix,
  pageHandler,
  securityHeaders,
  withHeaders,
  type Workbench,
} from '../api/index.ts'
import { rendererFolder } from '../core/entry.ts'
import { KineoError } from '../core/errors.ts'
import { Access, isLoopbackHost, isOwnOrigin } from './access.ts'

const loopback = '127.0.0.1'
/** First port that is tried, and how many after it. */
const firstPort = 5180
const portCount = 100
/** Messages of the page are small; nobody needs more. */
const largestMessage = 1 << 20

const noAccess = `This address of Kineo needs the link that was printed when Kineo started, and each link works once.
Press Enter in the terminal in which Kineo runs to get a new one.`

export interface BrowserHostOptions {
  workbench: Workbench
  /** Port to listen on; by default the first free one from 5180. */
  port?: number | undefined
  /** Folder with the built page; by default out/renderer. */
  renderer?: string
  log: (line: string) => void
}

/** The running browser host. */
export interface BrowserHost {
  port: number
  /** A fresh address with a token that works once. */
  newLink(): string
  close(): Promise<void>
}

/**
 * Serves the app to browsers on this machine: the page, `/media/...`, and the contract over a WebSocket at `/rpc`.
 *
 * @throws KineoError `machine` when the page is not built or no port is free.
 */
export async function startBrowserHost(options: BrowserHostOptions): Promise<BrowserHost> {
  const renderer = options.renderer ?? rendererFolder()
  if (!isRendererBuilt(renderer)) {
    throw new KineoError('machine', 'The page of the app is not built yet', {
      where: renderer,
      remedy: 'Run `npm run build` first',
    })
  }
  const server = createServer()
  const port = await listen(server, options.port)
  const access = new Access(port)
  const app = createApp(options.workbench, access, renderer, options.log)
  server.on('request', (incoming, outgoing) => void getRequestListener(app.fetch)(incoming, outgoing))
  const sockets = acceptSockets(server, options.workbench, access, options.log)
  return {
    port,
    newLink: () => `http://${loopback}:${port}/?token=${access.newToken()}`,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function createApp(
  workbench: Workbench,
  access: Access,
  renderer: string,
  log: (line: string) => void,
): Hono {
  const page = pageHandler(renderer)
  const app = new Hono()
  app.use(async (context, next) => {
    if (!isLoopbackHost(context.req.header('host'))) return context.text('Unknown host', 421)
    if (access.admits(context.req.header('cookie'))) return next()
    if (context.req.path !== '/' || !access.redeem(context.req.query('token'))) {
      return context.text(noAccess, 401)
    }
    // A browser that was given the link itself loses the used token from its address bar. One that comes from another
    // site's link would not send the new cookie along with a redirect, and gets the page at once.
    if (context.req.header('sec-fetch-site') === 'none') {
      return context.body(null, 303, { Location: '/', 'Set-Cookie': access.cookie() })
    }
    await next()
    context.res = withHeaders(context.res, { 'Set-Cookie': access.cookie() })
    return undefined
  })
  app.get(`${mediaPrefix}*`, async (context) =>
    withHeaders(await workbench.media(context.req.raw), {
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
    }),
  )
  app.get('*', async (context) => withHeaders(await page(context.req.raw), securityHeaders))
  app.onError((error, context) => {
    log(`${context.req.path}: ${error.stack ?? error.message}`)
    return context.text('Something went wrong inside Kineo', 500)
  })
  return app
}

function acceptSockets(
  server: Server,
  workbench: Workbench,
  access: Access,
  log: (line: string) => void,
): WebSocketServer {
  const handler = new RPCHandler(createRouter(workbench, log))
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessage })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const { headers } = request
    const allowed =
      request.url === '/rpc' && isOwnOrigin(headers.origin, headers.host) && access.admits(headers.cookie)
    if (!allowed) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => log(`WebSocket: ${error.message}`))
      void handler.upgrade(client)
    })
  })
  return sockets
}

/** Listens on the port, or on the first free one. */
async function listen(server: Server, port: number | undefined): Promise<number> {
  if (port !== undefined) {
    if (await tryListen(server, port)) return addressPort(server)
    throw new KineoError('machine', `Port ${port} is in use`, {
      remedy: 'Choose another one with --port, or leave it out',
    })
  }
  for (let candidate = firstPort; candidate < firstPort + portCount; candidate++) {
    if (await tryListen(server, candidate)) return candidate
  }
  throw new KineoError('machine', `No port from ${firstPort} to ${firstPort + portCount - 1} is free`, {
    remedy: 'Choose another one with --port',
  })
}

function addressPort(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** @returns false when the port is taken or not allowed. */
function tryListen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    }
    server.once('error', fail)
    server.listen(port, loopback, () => {
      server.removeListener('error', fail)
      resolve(true)
    })
  })
}
