// `npm start`: opens Kineo as the desktop app where that can run, otherwise in the browser, and says why.
// Plain JavaScript, so that an old Node can at least read the message. Nothing here waits for a download.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chooseHost, electronExecutable, isNodeNewEnough, oldestNode } from './host-choice.mjs'

const launcher = fileURLToPath(import.meta.url)
const root = join(dirname(launcher), '..')
const args = process.argv.slice(2)
/** An Electron that ends with an error this soon never showed its window (libraries that it needs are missing). */
const failedAtOnce = 5000

const help = `npm start [-- options]: opens Kineo

  --browser      In the browser, also where the desktop app could run
  --port N, --project DIR, --no-open: as for \`kineo serve\`; they imply --browser`

if (args.includes('--help') || args.includes('-h')) console.log(help)
else if (!existsSync(join(root, 'node_modules'))) {
  console.error(`Kineo's packages are not installed. Run \`npm ci\` in ${root}`)
  process.exitCode = 1
} else if (!isNodeNewEnough(process.versions.node)) relaunchOnPinnedNode()
else await start()

async function start() {
  process.chdir(root)
  if (!build()) {
    process.exitCode = 1
    return
  }
  const serverArgs = args.filter((argument) => argument !== '--browser')
  const choice = chooseHost({
    forceBrowser: args.includes('--browser') || serverArgs.length > 0,
    electron: findElectron(),
    platform: process.platform,
    env: process.env,
    isRoot: process.getuid?.() === 0,
  })
  if (choice.host === 'desktop') {
    const startedAt = Date.now()
    const code = await runElectron(choice.electron)
    if (code === 0 || Date.now() - startedAt > failedAtOnce) {
      process.exitCode = code
      return
    }
    console.log(`Electron ended with code ${code} before it showed a window. Kineo opens in the browser.`)
  } else if (choice.reason !== null) console.log(choice.reason)
  process.argv.splice(2, Infinity, ...serverArgs)
  await import(pathToFileURL(join(root, 'out', 'main', 'server.js')).href)
}

/** The installed runtime, or null. Only looks: requiring `electron` would start to download it. */
function findElectron() {
  const folder = join(root, 'node_modules', 'electron')
  const pathFile = join(folder, 'path.txt')
  const content = existsSync(pathFile) ? readFileSync(pathFile, 'utf8') : null
  const executable = electronExecutable(content, process.env.ELECTRON_OVERRIDE_DIST_PATH)
  if (executable === null) return null
  const path = isAbsolute(executable) ? executable : join(folder, executable)
  return existsSync(path) ? path : null
}

function runElectron(electron) {
  return new Promise((resolve) => {
    const child = spawn(electron, ['.'], { stdio: 'inherit' })
    // The terminal sends Ctrl-C to both; a signal to this process alone is handed on.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
    child.once('error', () => resolve(1))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** Builds the app when out/ is missing or older than the sources. */
function build() {
  const outputs = ['out/main/server.js', 'out/main/desktop.js', 'out/renderer/index.html']
  const builtAt = Math.min(...outputs.map((path) => modifiedAt(join(root, path))))
  const sources = ['src-main', 'src-renderer', 'package.json', 'electron.vite.config.ts', 'svelte.config.js']
  const changedAt = Math.max(...sources.map((path) => newestIn(join(root, path))))
  if (builtAt > changedAt) return true
  console.log('Building Kineo, a few seconds ...')
  const tool = join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, 'build'], { encoding: 'utf8' })
  if (status === 0) return true
  console.error(
    `${stdout ?? ''}${stderr ?? ''}\nKineo could not be built. Did \`npm ci\` end without an error?`,
  )
  return false
}

function modifiedAt(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

function newestIn(path) {
  const info = statSync(path)
  if (!info.isDirectory()) return info.mtimeMs
  // A folder's own time tells of files that were removed.
  return readdirSync(path).reduce(
    (newest, name) => Math.max(newest, newestIn(join(path, name))),
    info.mtimeMs,
  )
}

/** npm scripts run on the pinned Node; this is for `node build/start.mjs` on an older one. */
function relaunchOnPinnedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const pinned = join(root, 'node_modules', 'node', 'bin', name)
  if (process.env.KINEO_RELAUNCHED !== undefined || !existsSync(pinned)) {
    console.error(
      `This is Node ${process.versions.node}; Kineo needs ${oldestNode.major}.${oldestNode.minor} or newer. ` +
        'Run `npm ci`, which brings one, or install one from https://nodejs.org',
    )
    process.exitCode = 1
    return
  }
  const child = spawn(pinned, [launcher, ...args], {
    stdio: 'inherit',
    env: { ...process.env, KINEO_RELAUNCHED: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}
