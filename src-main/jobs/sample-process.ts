import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { entryFile } from '../core/entry.ts'
import { KineoError } from '../core/errors.ts'
import type { Progress, ReportProgress } from '../core/progress.ts'
import { progress as progressShape } from '../core/work.ts'

/** Tells the worker to render the sample instead of working off a queue; it prints its progress, a JSON object a line. */
export const sampleOption = '--render-sample'

/** One line of the worker's output. */
export function progressLine(progress: Progress): string {
  return JSON.stringify(progress)
}

/**
 * Renders the sample clips that are missing, in a process of its own: drawing them would keep the host from answering.
 *
 * @throws KineoError when they cannot be rendered or written.
 */
export function renderSampleAside(folder: string, onProgress: ReportProgress): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entryFile('job-worker'), sampleOption, folder], {
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    let lastWords = ''
    createInterface({ input: child.stdout }).on('line', (line) => {
      const progress = readProgress(line)
      if (progress !== null) onProgress(progress)
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.trim() !== '') lastWords = line.trim()
    })
    const fail = (cause?: unknown): void =>
      reject(
        new KineoError('output', 'The sample clips could not be made', {
          where: folder,
          remedy: lastWords === '' ? 'Is there room on the disk?' : lastWords,
          cause,
        }),
      )
    child.once('error', fail)
    child.once('close', (code) => (code === 0 ? resolve() : fail()))
  })
}

/** Null for a line that is something else, as a native library may print. */
function readProgress(line: string): Progress | null {
  try {
    return progressShape.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}
