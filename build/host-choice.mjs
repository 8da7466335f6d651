// Which host `npm start` opens, as pure functions over what was found. Plain JavaScript: an old Node reads it, too.

/** First version that runs better-sqlite3 13 (Node-API 10). */
export const oldestNode = { major: 22, minor: 14 }

/**
 * @param {string} version such as `20.20.2`
 */
export function isNodeNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > oldestNode.major || (major === oldestNode.major && minor >= oldestNode.minor)
}

/**
 * Where Electron's runtime would be, told by its package without asking for it: `electron`'s own entry would start a
 * download of some 100 MB.
 *
 * @param {string | null} pathFile content of node_modules/electron/path.txt
 * @param {string | undefined} override ELECTRON_OVERRIDE_DIST_PATH
 * @returns {string | null} path relative to node_modules/electron, or absolute with the override
 */
export function electronExecutable(pathFile, override) {
  const name = pathFile?.trim() || null
  if (override) return `${override}/${name ?? 'electron'}`
  return name === null ? null : `dist/${name}`
}

/**
 * Desktop where it can be, otherwise the browser and why.
 *
 * @param {{ forceBrowser: boolean, electron: string | null, platform: string, env: Record<string, string | undefined>, isRoot: boolean }} found
 * @returns {{ host: 'desktop', electron: string } | { host: 'browser', reason: string | null }}
 */
export function chooseHost({ forceBrowser, electron, platform, env, isRoot }) {
  if (forceBrowser) return { host: 'browser', reason: null }
  const hasDisplay =
    platform === 'win32' || platform === 'darwin' || Boolean(env.DISPLAY) || Boolean(env.WAYLAND_DISPLAY)
  if (!hasDisplay) return inBrowser('there is no display')
  if (electron === null) {
    return inBrowser("Electron's runtime is not installed; `npx install-electron` fetches it (about 110 MB)")
  }
  if (platform === 'linux' && isRoot) return inBrowser('Electron does not run as root')
  return { host: 'desktop', electron }
}

/** @param {string} why */
function inBrowser(why) {
  return { host: 'browser', reason: `Kineo opens in the browser, not as a desktop app: ${why}.` }
}
