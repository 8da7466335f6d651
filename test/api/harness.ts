import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { WebSocket } from 'ws'
import type { AppEvent, Contract, Job } from '../../src-main/api/contract/index.ts'
import { Random } from '../../src-main/core/random.ts'
import { encodeClips } from '../../src-main/media/index.ts'

export type Api = ContractRouterClient<Contract>

/** A browser host in its own process, with its own home, as a person would have started it. */
export class TestHost {
  readonly folder: string
  readonly home: string
  port = 0
  cookie = ''
  log = ''
  #process: ChildProcess | null = null
  readonly #sockets: WebSocket[] = []

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'kineo-api-'))
    this.home = join(this.folder, 'home')
    mkdirSync(join(this.folder, 'renderer', 'assets'), { recursive: true })
    writeFileSync(join(this.folder, 'renderer', 'index.html'), '<!doctype html><title>Kineo</title>')
  }

  /** @returns The link that it printed. */
  async start(): Promise<string> {
    const child = spawn(process.execPath, ['test/api/host-process.ts', join(this.folder, 'renderer')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, KINEO_HOME: this.home },
    })
    this.#process = child
    child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    const link = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve)
      child.once('exit', (code) => reject(new Error(`the host ended with code ${String(code)}: ${this.log}`)))
    })
    this.port = Number(new URL(link).port)
    return link
  }

  /** Starts it and follows the link, as a browser does. */
  async open(): Promise<void> {
    const response = await fetch(await this.start())
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** A client of the contract over a WebSocket. */
  async connect(): Promise<Api> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/rpc`, {
      headers: { cookie: this.cookie, origin: this.origin },
    })
    this.#sockets.push(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('error', reject)
    })
    // ws keeps to the browser's interface, but its types are its own.
    return createORPCClient<Api>(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
  }

  get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
    return fetch(`${this.origin}${path}`, { method, headers: { cookie: this.cookie, ...headers } })
  }

  /** Kills the host as a crash would; jobs go on. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = null
    for (const socket of this.#sockets.splice(0)) socket.terminate()
    if (child === null || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  async dispose(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

/** Follows the events of a host. */
export class EventLog {
  readonly events: AppEvent[] = []
  readonly #abort = new AbortController()
  #changed: () => void = () => {}

  constructor(api: Api) {
    void this.#follow(api)
  }

  async #follow(api: Api): Promise<void> {
    try {
      for await (const event of await api.events(undefined, { signal: this.#abort.signal })) {
        this.events.push(event)
        this.#changed()
      }
    } catch {
      // The connection was closed, or the test has seen enough.
    }
  }

  /** Waits for an event, among those that came already, too. */
  async until<Found>(
    find: (event: AppEvent) => Found | null | undefined | false,
    seconds = 60,
  ): Promise<Found> {
    const deadline = Date.now() + seconds * 1000
    for (let next = 0; ;) {
      for (; next < this.events.length; next++) {
        const found = find(this.events[next]!)
        if (found) return found
      }
      if (Date.now() > deadline) {
        throw new Error(`no such event within ${seconds} s; the last: ${JSON.stringify(this.events.at(-1))}`)
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve
        setTimeout(resolve, 200)
      })
    }
  }

  /** Waits until a job has ended, and returns it. */
  untilJobEnded(jobId: number): Promise<Job> {
    return this.until(
      (event) =>
        event.type === 'job' &&
        event.job.id === jobId &&
        !['queued', 'running'].includes(event.job.status) &&
        event.job,
    )
  }

  stop(): void {
    this.#abort.abort()
  }
}

/**
 * Renders `<folder>/<class>/<class>_<n>.mp4`: noise that moves one way for each class.
 *
 * @param classes Direction by class name, in pixels a frame.
 */
export async function renderVideos(
  folder: string,
  classes: Record<string, [dx: number, dy: number]>,
  count: number,
): Promise<void> {
  const [width, height, frameCount] = [64, 48, 12]
  function* framesOf([dx, dy]: [number, number]): Generator<Uint8Array> {
    for (let clip = 0; clip < count; clip++) {
      const random = new Random(7, clip, dx + 10, dy + 10)
      const texture = Uint8Array.from({ length: width * height }, () => random.integer(256))
      for (let index = 0; index < frameCount; index++) {
        const rgb = new Uint8Array(width * height * 3)
        for (let pixel = 0; pixel < width * height; pixel++) {
          const x = ((pixel % width) - dx * index + width * 100) % width
          const y = (Math.floor(pixel / width) - dy * index + height * 100) % height
          rgb.fill(texture[y * width + x] ?? 0, pixel * 3, pixel * 3 + 3)
        }
        yield rgb
      }
    }
  }
  for (const [name, direction] of Object.entries(classes)) {
    mkdirSync(join(folder, name), { recursive: true })
    const outs = Array.from({ length: count }, (_, clip) => join(folder, name, `${name}_${clip + 1}.mp4`))
    await encodeClips(outs, framesOf(direction), { width, height, frameRate: 12, frameCount })
  }
}
