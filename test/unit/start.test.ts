import { spawnSync } from 'node:child_process'
import { expect, describe, it } from 'vitest'
import { chooseHost, electronExecutable, isNodeNewEnough } from '../../build/host-choice.mjs'

const linux = {
  forceBrowser: false,
  electron: '/app/electron',
  platform: 'linux',
  env: { DISPLAY: ':0' },
  isRoot: false,
}

describe('npm start', () => {
  it('opens the desktop app where the runtime and a display are there', () => {
    expect(chooseHost(linux)).toEqual({ host: 'desktop', electron: '/app/electron' })
    expect(chooseHost({ ...linux, env: { WAYLAND_DISPLAY: 'wayland-0' } }).host).toBe('desktop')
    expect(chooseHost({ ...linux, platform: 'win32', env: {} }).host).toBe('desktop')
    expect(chooseHost({ ...linux, platform: 'darwin', env: {} }).host).toBe('desktop')
  })

  it('opens the browser and says in one line why', () => {
    const reasonOf = (found: Partial<typeof linux> | { electron: null }): string => {
      const choice = chooseHost({ ...linux, ...found })
      return choice.host === 'browser' ? (choice.reason ?? 'none') : 'desktop'
    }
    expect(reasonOf({ env: { DISPLAY: '' } })).toContain('no display')
    expect(reasonOf({ electron: null })).toContain('npx install-electron')
    expect(reasonOf({ isRoot: true })).toContain('root')
    expect(reasonOf({ forceBrowser: true })).toBe('none')
    expect(reasonOf({ electron: null }).split('\n')).toHaveLength(1)
  })

  it('tells an installed runtime by what its installer leaves behind', () => {
    expect(electronExecutable(null, undefined)).toBeNull()
    expect(electronExecutable('', undefined)).toBeNull()
    expect(electronExecutable('electron.exe\n', undefined)).toBe('dist/electron.exe')
    expect(electronExecutable(null, '/opt/electron')).toBe('/opt/electron/electron')
  })

  it('knows which Node can run Kineo', () => {
    expect(['20.20.2', '22.13.9', '22.14.0', '24.9.0'].map(isNodeNewEnough)).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  it('answers --help without building or opening anything', () => {
    const { status, stdout } = spawnSync(process.execPath, ['build/start.mjs', '--help'], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(status).toBe(0)
    expect(stdout).toContain('--browser')
  })
})
