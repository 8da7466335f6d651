import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { WebSocket } from 'ws'
import { until } from './until.ts'
import type { Contract } from '../../src-main/api/contract/index.ts'

/** The contract as a client sees it. */
export type Api = ContractRouterClient<Contract>

export const root = resolve(import.meta.dirname, '../..')

/** Time of the newest file under a folder, in milliseconds. */
function newestChange(folder: string): number {
  return Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  )
}

/** Builds the page when it is not there or older than its source. */
export function buildPage(): void {
  const page = join(root, 'out/renderer/index.html')
  if (existsSync(page) && statSync(page).mtimeMs > newestChange(join(root, 'src-renderer'))) return
  console.log('Building the page: electron-vite build')
  const cli = join(root, 'node_modules/electron-vite/bin/electron-vite.js')
  const built = spawnSync(process.execPath, [cli, 'build', '--logLevel', 'warn'], {
    cwd: root,
    stdio: 'inherit',
  })
  if (built.status !== 0) throw new Error('electron-vite build failed')
}

/** Stops all work: jobs outlive the host, so a test has to end its own. */
export async function cancelJobs(api: Api): Promise<void> {
  const isOpen = (job: { status: string }) => job.status === 'running' || job.status === 'queued'
  for (const job of await api.jobs.list()) if (isOpen(job)) await api.jobs.cancel({ jobId: job.id })
  await until('all jobs have ended', async () => !(await api.jobs.list()).some(isOpen), 60)
}

/** The real browser host in a process of its own, with a home folder of the test. */
export class Host {
  readonly #process: ChildProcess
  /** The address with its one-time token. */
  readonly link: string

  private constructor(process: ChildProcess, link: string) {
    this.#process = process
    this.link = link
  }

  static async start(home: string): Promise<Host> {
    const child = spawn(process.execPath, ['src-main/server/main.ts', '--no-open', '--port', '0'], {
      cwd: root,
      env: { ...process.env, KINEO_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const link = await new Promise<string>((found, failed) => {
      let printed = ''
      child.stdout.setEncoding('utf8')
      child.stdout.on('data', (text: string) => {
        printed += text
        const address = /http:\/\/\S+/.exec(printed)?.[0]
        if (address !== undefined) found(address)
      })
      child.once('exit', (code) => failed(new Error(`The host ended with ${code} and printed: ${printed}`)))
      child.once('error', failed)
    })
    return new Host(child, link)
  }

  get origin(): string {
    return new URL(this.link).origin
  }

  /** A client of our own beside the page, with the page's session: what the page shows is compared with its answers. */
  client(cookie: string): { api: Api; close: () => void } {
    const socket = new WebSocket(`${this.origin.replace('http', 'ws')}/rpc`, {
      headers: { cookie, origin: this.origin },
    })
    // ws has the listeners, states and messages that the link uses; only its types differ from the browser's.
    const link = new RPCLink({ websocket: socket as unknown as globalThis.WebSocket })
    return { api: createORPCClient(link), close: () => socket.close() }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = new Promise((resolved) => this.#process.once('exit', resolved))
    this.#process.kill('SIGINT')
    await ended
  }
}
