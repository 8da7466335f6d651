#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript, so that an old Node can read it, too.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const oldest = { major: 22, minor: 14 }

const launcher = fileURLToPath(import.meta.url)
const root = join(dirname(launcher), '..', '..')
const sources = join(root, 'src-main', 'cli', 'main.ts')
const runsFromSources = existsSync(sources)
const entry = runsFromSources ? sources : join(root, 'out', 'main', 'cli.js')
/** Node of the npm package `node`, which package.json pins. */
const pinned = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isNewEnough = major > oldest.major || (major === oldest.major && minor >= oldest.minor)
const readsTypeScript = Boolean(process.features.typescript)

// `npm run kineo` starts us in Kineo's own folder; paths are meant from where the person is.
if (process.env.npm_lifecycle_event === 'kineo' && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD)

if (runsFromSources && !existsSync(join(root, 'node_modules'))) {
  process.stderr.write(`kineo: its packages are not installed. Run "npm ci" in ${root}\n`)
  process.exitCode = 1
} else if (isNewEnough && (readsTypeScript || !runsFromSources)) {
  silenceExperimentalWarnings()
  await import(pathToFileURL(entry).href)
} else if (process.env.KINEO_RELAUNCHED === undefined && existsSync(pinned)) {
  await relaunch(pinned, [])
} else if (process.env.KINEO_RELAUNCHED === undefined && isNewEnough) {
  await relaunch(process.execPath, ['--experimental-strip-types'])
} else {
  process.stderr.write(
    `kineo: this is Node ${process.versions.node}; Kineo needs ${oldest.major}.${oldest.minor} or newer. ` +
      'Run "npm ci" in its folder, which brings one, or install one from https://nodejs.org\n',
  )
  process.exitCode = 1
}

/** Node 22 and early 24 warn that they read TypeScript; that is no news to the person. */
function silenceExperimentalWarnings() {
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === 'object' ? rest[0]?.type : rest[0]
    if (type !== 'ExperimentalWarning') emitWarning(warning, ...rest)
  }
}

/** Runs this launcher on another Node and ends as that one ends. */
async function relaunch(node, flags) {
  const child = spawn(node, [...flags, launcher, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, KINEO_RELAUNCHED: '1' },
  })
  // A terminal sends Ctrl-C to both; a signal to this process alone has to be handed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.exitCode = await new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`kineo: cannot start ${node}: ${error.message}\n`)
      resolve(1)
    })
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}
