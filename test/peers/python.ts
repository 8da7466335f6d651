import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A Python that has the wanted modules, or why there is none. */
export type PythonSearch = { python: string; reason?: undefined } | { python?: undefined; reason: string }

const searches = new Map<string, Promise<PythonSearch>>()

/**
 * Looks for a Python 3 with `modules`: KINEO_PYTHON, then Debian's, then the one on PATH. Tests that need it skip with
 * the reason when there is none.
 */
export function findPython(...modules: string[]): Promise<PythonSearch> {
  const key = modules.join(' ')
  let search = searches.get(key)
  if (search === undefined) {
    search = searchPython(modules)
    searches.set(key, search)
  }
  return search
}

async function searchPython(modules: string[]): Promise<PythonSearch> {
  const candidates = [process.env['KINEO_PYTHON'], '/usr/bin/python3', 'python3']
  for (const python of candidates) {
    if (python === undefined || python === '') continue
    try {
      await run(python, ['-c', modules.map((name) => `import ${name}`).join('\n')], { timeout: 60_000 })
      return { python }
    } catch {
      continue
    }
  }
  const packages = modules.map((name) => `python3-${name}`).join(' ')
  return { reason: `no Python 3 with ${modules.join(', ')} (Debian: apt-get install ${packages})` }
}

/**
 * Runs a Python script with arguments and returns what it printed.
 *
 * @throws Error with the script's error output when it fails.
 */
export async function runPython(python: string, script: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(python, [script, ...args], {
    // Without __pycache__ folders among the sources.
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    timeout: 240_000,
    maxBuffer: 64 * 2 ** 20,
  })
  return stdout
}
