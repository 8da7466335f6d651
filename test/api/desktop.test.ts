import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { EventEmitter } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Contract } from '../../src-main/api/contract/index.ts'
import { createRouter, Workbench } from '../../src-main/api/index.ts'
import { appHandler, isAppAddress } from '../../src-main/desktop/app-protocol.ts'
import { forwardPorts } from '../../src-main/desktop/port-forwarding.ts'
import { portMessage, RpcBridge } from '../../src-main/desktop/rpc-bridge.ts'

/** Electron's MessagePortMain over a port of Node: an emitter whose messages come as `{data}`, paused until start. */
class FakePortMain extends EventEmitter {
  readonly #port: MessagePort

  constructor(port: MessagePort) {
    super()
    this.#port = port
    port.on('close', () => this.emit('close'))
  }

  postMessage(message: unknown): void {
    this.#port.postMessage(message)
  }

  start(): void {
    this.#port.on('message', (data) => this.emit('message', { data, ports: [] }))
  }
}

let folder: string
let workbench: Workbench

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kineo-desktop-'))
  process.env['KINEO_HOME'] = join(folder, 'home')
  workbench = new Workbench({
    kind: 'desktop',
    chooseFolder: () => Promise.resolve('/chosen'),
    log: (line) => console.error(line),
  })
})

afterEach(() => {
  workbench.dispose()
  delete process.env['KINEO_HOME']
  rmSync(folder, { recursive: true, force: true })
})

describe('the bridge between page and main process', () => {
  function connect(bridge: RpcBridge): { api: ContractRouterClient<Contract>; close: () => void } {
    const { port1, port2 } = new MessageChannel()
    bridge.accept(new FakePortMain(port2))
    const page = new FakePortMain(port1)
    const api: ContractRouterClient<Contract> = createORPCClient(new RPCLink({ port: page }))
    page.start()
    return { api, close: () => port1.close() }
  }

  it('answers calls, tells expected failures whole, and offers the folder dialog', async () => {
    const { api, close } = connect(new RpcBridge(createRouter(workbench, () => {})))
    expect(await api.app.info()).toMatchObject({ host: 'desktop' })
    expect(await api.files.chooseFolder()).toEqual({ path: '/chosen', available: true })
    await expect(api.project.open({ folder: join(folder, 'nowhere') })).rejects.toMatchObject({
      message: 'There is no such folder',
      data: { code: 'input', where: join(folder, 'nowhere'), remedy: 'Check the path' },
    })
    close()
  })

  it('stops the event stream of a page that is reloaded, while others go on', async () => {
    const bridge = new RpcBridge(createRouter(workbench, () => {}))
    const [first, second] = [connect(bridge), connect(bridge)]
    const streams = await Promise.all([first.api.events(), second.api.events()])
    for (const stream of streams) stream.next().catch(() => {})
    await vi.waitFor(() => expect(workbench.listenerCount).toBe(2))
    first.close()
    await vi.waitFor(() => expect(workbench.listenerCount).toBe(1))
    expect(await second.api.project.state()).toBeNull()
    second.close()
    await vi.waitFor(() => expect(workbench.listenerCount).toBe(0))
  })
})

describe('the preload', () => {
  it('hands on ports that the page posts to itself, and nothing else', () => {
    type Listener = (event: { source: unknown; data: unknown; ports: readonly string[] }) => void
    const listeners: Listener[] = []
    const page = { addEventListener: (_type: 'message', listener: Listener) => void listeners.push(listener) }
    const sent: unknown[][] = []
    forwardPorts<string>(page, { postMessage: (...args) => void sent.push(args) }, portMessage)
    const post = (event: Parameters<Listener>[0]): void => listeners.forEach((listener) => listener(event))

    post({ source: page, data: 'something else', ports: ['port'] })
    post({ source: {}, data: portMessage, ports: ['port of a frame'] })
    post({ source: page, data: portMessage, ports: [] })
    post({ source: page, data: portMessage, ports: ['a', 'b'] })
    expect(sent).toEqual([])
    post({ source: page, data: portMessage, ports: ['port'] })
    expect(sent).toEqual([[portMessage, null, ['port']]])
  })
})

describe('the address of the app', () => {
  it('serves the built page with its headers, media, and nothing outside', async () => {
    const renderer = join(folder, 'renderer')
    mkdirSync(join(renderer, 'assets'), { recursive: true })
    writeFileSync(join(renderer, 'index.html'), '<title>Kineo</title>')
    writeFileSync(join(renderer, 'assets', 'index-1234.js'), 'export {}')
    writeFileSync(join(folder, 'secret.txt'), 'secret')
    const handle = appHandler(workbench.media, renderer)
    const get = (path: string): Promise<Response> => handle(new Request(`kineo://app${path}`))

    const page = await get('/')
    expect(await page.text()).toContain('Kineo')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect((await get('/assets/index-1234.js')).headers.get('content-type')).toContain('javascript')
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/nothing',
      '/media/0/clips/1/video',
    ]) {
      expect((await get(path)).status, path).toBe(404)
    }
    expect((await handle(new Request('kineo://elsewhere/'))).status).toBe(404)
  })

  it('is told from look-alikes', () => {
    expect(isAppAddress('kineo://app/')).toBe(true)
    expect(isAppAddress('kineo://app')).toBe(true)
    expect(isAppAddress('kineo://app.evil/')).toBe(false)
    expect(isAppAddress('https://kineo/app')).toBe(false)
  })
})
