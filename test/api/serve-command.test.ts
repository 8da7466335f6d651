import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Workbench } from '../../src-main/api/index.ts'
import { startBrowserHost } from '../../src-main/server/browser-host.ts'
import { hasDisplay } from '../../src-main/server/desktop-opener.ts'
import { serveCommand } from '../../src-main/server/serve-command.ts'

let folder: string
let workbench: Workbench
const log = (): void => {}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kineo-serve-'))
  mkdirSync(join(folder, 'renderer'))
  writeFileSync(join(folder, 'renderer', 'index.html'), '<title>Kineo</title>')
  workbench = new Workbench({ kind: 'browser', log })
})

afterEach(() => {
  workbench.dispose()
  rmSync(folder, { recursive: true, force: true })
})

describe('kineo serve', () => {
  it('prints its help and refuses options that it does not know, by name', async () => {
    const lines: string[] = []
    expect(await serveCommand(['--help'], { print: (line) => lines.push(line) })).toBe(0)
    expect(lines.join('\n')).toContain('--project DIR')
    await expect(serveCommand(['--prot', '1'])).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('--prot') as string,
    })
    await expect(serveCommand(['--port', 'many'])).rejects.toMatchObject({ code: 'usage' })
    await expect(serveCommand(['--port', '70000'])).rejects.toMatchObject({ code: 'usage' })
  })

  it('takes the next free port, says when the chosen one is taken, and frees it at the end', async () => {
    const renderer = join(folder, 'renderer')
    const first = await startBrowserHost({ workbench, renderer, log })
    const second = await startBrowserHost({ workbench, renderer, log })
    expect(second.port).toBeGreaterThan(first.port)
    await expect(startBrowserHost({ workbench, renderer, log, port: first.port })).rejects.toMatchObject({
      code: 'machine',
      message: `Port ${first.port} is in use`,
    })
    await first.close()
    const again = await startBrowserHost({ workbench, renderer, log, port: first.port })
    await again.close()
    await second.close()
  })

  it('says how to build the page when it is not there', async () => {
    await expect(startBrowserHost({ workbench, renderer: join(folder, 'no'), log })).rejects.toMatchObject({
      code: 'machine',
      remedy: 'Run `npm run build` first',
    })
  })

  it('voids a link as soon as a newer one was printed', async () => {
    const host = await startBrowserHost({ workbench, renderer: join(folder, 'renderer'), log })
    const [older, newer] = [host.newLink(), host.newLink()]
    expect((await fetch(older)).status).toBe(401)
    expect((await fetch(newer)).status).toBe(200)
    await host.close()
  })

  it('opens a browser only where there is a display', () => {
    expect(hasDisplay('linux', {})).toBe(false)
    expect(hasDisplay('linux', { DISPLAY: '', WAYLAND_DISPLAY: 'wayland-0' })).toBe(true)
    expect(hasDisplay('win32', {})).toBe(true)
  })
})
