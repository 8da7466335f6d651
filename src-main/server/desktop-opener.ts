import { spawn } from 'node:child_process'

/** Whether this session can show windows. */
export function hasDisplay(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (platform === 'win32' || platform === 'darwin') return true
  return Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY'])
}

/** The program that opens an address or a folder with what the person has chosen for it. */
function opener(target: string): [command: string, args: string[]] {
  if (process.platform === 'win32') return ['explorer.exe', [target]]
  if (process.platform === 'darwin') return ['open', [target]]
  return ['xdg-open', [target]]
}

/** An opener that has not failed by then has found a program, in milliseconds. */
const failsWithin = 1500

/**
 * Opens an address in the browser, or a folder in the file manager.
 *
 * @returns false when there is no display or nothing to open it with.
 */
export function openOnDesktop(target: string): Promise<boolean> {
  if (!hasDisplay()) return Promise.resolve(false)
  const [command, args] = opener(target)
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true, windowsHide: true })
    child.unref()
    const timer = setTimeout(() => resolve(true), failsWithin)
    const finish = (opened: boolean): void => {
      clearTimeout(timer)
      resolve(opened)
    }
    child.once('error', () => finish(false))
    // Windows' explorer ends with 1 when all is well.
    child.once('exit', (code) => finish(code === 0 || process.platform === 'win32'))
  })
}
