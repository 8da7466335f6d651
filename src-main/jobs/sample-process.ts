import { execFile } from 'node:child_process'
import { entryFile } from '../core/entry.ts'
import { KineoError } from '../core/errors.ts'

/** Tells the worker to render the sample instead of working off a queue. */
export const sampleOption = '--render-sample'

/**
 * Renders the sample clips that are missing, in a process of its own: drawing them would keep the host from answering.
 *
 * @throws KineoError when they cannot be rendered or written.
 */
export function renderSampleAside(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = [entryFile('job-worker'), sampleOption, folder]
    const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' }
    execFile(process.execPath, args, { env, windowsHide: true }, (error, _stdout, stderr) => {
      if (error === null) {
        resolve()
        return
      }
      const why = stderr.trim().split('\n').at(-1) ?? ''
      reject(
        new KineoError('output', 'The sample clips could not be made', {
          where: folder,
          remedy: why === '' ? 'Is there room on the disk?' : why,
          cause: error,
        }),
      )
    })
  })
}
