import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Processes and worker threads that Kineo starts, and where each stands in the sources. */
const sources = {
  server: 'server/main.ts',
  cli: 'cli/main.ts',
  'job-worker': 'jobs/job-worker.ts',
  'loader-worker': 'dataset/loader-worker.ts',
  'flow-worker': 'flow/flow-worker.ts',
  'window-worker': 'tasks/prediction/window-worker.ts',
} as const

export type EntryName = keyof typeof sources

const here = dirname(fileURLToPath(import.meta.url))
/** From the sources Node runs TypeScript itself; a build has one bundle for each entry. */
const runsFromSources = import.meta.url.endsWith('.ts')

/** Absolute path of the file to start for `name`, from the sources as well as from a build. */
export function entryFile(name: EntryName): string {
  return runsFromSources ? join(here, '..', sources[name]) : join(builtFolder(), `${name}.js`)
}

/** Bundles may put shared code into a sub-folder (chunks/), so look upwards for the entries. */
function builtFolder(): string {
  return existsSync(join(here, 'cli.js')) ? here : dirname(here)
}

/** Absolute path of a file in resources/. */
export function resourceFile(...parts: string[]): string {
  const root = runsFromSources ? join(here, '..', '..') : join(builtFolder(), '..', '..')
  return join(root, 'resources', ...parts)
}

/** Absolute path of the built renderer (out/renderer). */
export function rendererFolder(): string {
  return runsFromSources ? join(here, '..', '..', 'out', 'renderer') : join(builtFolder(), '..', 'renderer')
}
