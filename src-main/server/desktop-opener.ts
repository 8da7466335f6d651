import { spawn } from 'node:child_process'

/** Whether this session can show windows. */
export function hasDisplay(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (platform === 'win32' || platform === 'darwin') return true
  return Boolean(env['DISPLAY'] ?? '') || Boolean(env['WAYLAND_DISPLAY'] ?? '')
}

/** The program that opens an address or a folder with what the person has chosen for it. */
function opener(target: string): [command: string, args: string[]] {
  if (process.platform === 'win32') return ['explorer.exe', [target]]
  if (process.platform === 'darwin') return ['open', [target]]
  return ['xdg-open', [target]]
}

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
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}
