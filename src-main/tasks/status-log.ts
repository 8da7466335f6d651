import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../core/atomic-file.ts'
import { describeError, isCancelled, KineoError } from '../core/errors.ts'
import { type Spec, specToYaml } from '../spec/index.ts'
import { resultsFolder, type TaskName } from './results-folder.ts'

type Status = 'STARTED' | 'RUNNING' | 'FAILURE'

/**
 * TAO's status.json: JSON Lines, appended (core/loggers/api_logging.py of tao_pytorch_backend). Dates and times are
 * local and without padding, and the last `kpi` is repeated in every later line, as TAO does.
 */
export class StatusLog {
  readonly path: string
  readonly #now: () => Date
  #kpi: Record<string, number> | undefined

  constructor(folder: string, now: () => Date = () => new Date()) {
    this.path = join(folder, 'status.json')
    this.#now = now
    // A line cut off by a crash must not swallow the next one.
    if (existsSync(this.path) && !endsWithLineEnd(this.path)) appendFileSync(this.path, '\n')
  }

  /** @param data Further keys of the line, such as `epoch`; they come first, as in TAO. */
  write(status: Status, message: string, data: Record<string, unknown> = {}): void {
    const now = this.#now()
    const line = {
      ...data,
      date: `${now.getMonth() + 1}/${now.getDate()}/${now.getFullYear()}`,
      time: `${now.getHours()}:${now.getMinutes()}:${now.getSeconds()}`,
      status,
      verbosity: 'INFO',
      message,
      ...(this.#kpi === undefined ? {} : { kpi: this.#kpi }),
    }
    appendFileSync(this.path, `${JSON.stringify(line)}\n`)
  }

  /** Writes a RUNNING line with new figures, which later lines repeat. */
  writeKpi(message: string, kpi: Record<string, number>): void {
    this.#kpi = kpi
    this.write('RUNNING', message)
  }
}

function endsWithLineEnd(path: string): boolean {
  const text = readFileSync(path, 'utf8')
  return text === '' || text.endsWith('\n')
}

/**
 * Runs a task as TAO does: makes its results folder, writes the resolved spec to experiment.yaml there, and frames
 * the work in status.json by a STARTED line and one that says how it ended.
 * @throws KineoError (output) when the folder cannot be written; whatever `work` throws.
 */
export async function withStatusLog<T>(
  spec: Spec,
  task: TaskName,
  work: (folder: string, status: StatusLog) => Promise<T>,
): Promise<T> {
  const folder = resultsFolder(spec, task)
  let status: StatusLog
  try {
    await mkdir(folder, { recursive: true })
    await writeFileAtomic(join(folder, 'experiment.yaml'), specToYaml(spec))
    status = new StatusLog(folder)
    status.write('STARTED', `Starting Action Recognition ${task}.`)
  } catch (error) {
    throw new KineoError('output', 'Cannot write into the results folder', {
      where: folder,
      remedy: `Give another one with ${task}.results_dir=FOLDER`,
      cause: error,
    })
  }
  const taskTitle = task.charAt(0).toUpperCase() + task.slice(1)
  try {
    const result = await work(folder, status)
    status.write('RUNNING', `${taskTitle} finished successfully.`)
    return result
  } catch (error) {
    status.write('FAILURE', isCancelled(error) ? `${taskTitle} was interrupted` : describeError(error))
    throw error
  }
}

/** A duration as Python's `str(timedelta(seconds=...))`: `0:01:02.500000`, `1 day, 0:00:00`. */
export function formatTimedelta(durationSeconds: number): string {
  const microseconds = Math.round(durationSeconds * 1e6)
  const wholeSeconds = Math.floor(microseconds / 1e6)
  const days = Math.floor(wholeSeconds / 86_400)
  const rest = wholeSeconds % 86_400
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = `${Math.floor(rest / 3600)}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`
  const fraction = microseconds % 1e6 === 0 ? '' : `.${String(microseconds % 1e6).padStart(6, '0')}`
  return `${days === 0 ? '' : `${days} day${days === 1 ? '' : 's'}, `}${clock}${fraction}`
}
