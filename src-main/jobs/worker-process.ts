import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entryFile } from '../core/entry.ts'

/** A worker that this host has started. */
export interface WorkerProcess {
  pid: number
  /** Calls back once, when the process is gone or could not be started. */
  onExit(listener: (end: WorkerEnd) => void): void
}

export interface WorkerEnd {
  code: number | null
  signal: string | null
}

/** Starts the process that works off the queue of a project. */
export type StartWorker = (projectFolder: string) => WorkerProcess

const logLimit = 1 << 20

/** What the workers of a project have printed: only bugs and the words of native libraries. */
export function workerLog(projectFolder: string): string {
  return join(projectFolder, 'cache', 'worker.log')
}

/**
 * Starts a worker that outlives this process: in a group of its own, without pipes to us, its words in a log file. Inside
 * Electron the same program runs it as plain Node.
 */
export const startWorkerProcess: StartWorker = (projectFolder) => {
  const log = openLog(workerLog(projectFolder))
  try {
    const child = spawn(process.execPath, [entryFile('job-worker'), projectFolder], {
      detached: true,
      stdio: ['ignore', log, log],
      windowsHide: true,
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    })
    child.unref()
    let end: WorkerEnd | undefined
    const listeners: ((end: WorkerEnd) => void)[] = []
    const finish = (code: number | null, signal: string | null): void => {
      if (end !== undefined) return
      end = { code, signal }
      for (const listener of listeners) listener(end)
    }
    child.once('error', () => finish(1, null))
    child.once('exit', finish)
    return {
      pid: child.pid ?? 0,
      onExit: (listener) => {
        if (end === undefined) listeners.push(listener)
        else listener(end)
      },
    }
  } finally {
    closeSync(log)
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  try {
    if (statSync(path).size > logLimit) rmSync(path)
  } catch {
    // There is none yet.
  }
  return openSync(path, 'a')
}

/** The last line of the log that says something, or null. */
export function lastWords(projectFolder: string): string | null {
  try {
    const lines = readFileSync(workerLog(projectFolder), 'utf8')
      .split('\n')
      .map((line) => line.trim())
    return lines.findLast((line) => line !== '' && !line.startsWith('at ')) ?? null
  } catch {
    return null
  }
}

/** Kills a worker and what it has started, without asking. */
export function killWorker(pid: number): void {
  for (const target of process.platform === 'win32' ? [pid] : [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL')
      return
    } catch {
      // Gone already, or not the leader of a group.
    }
  }
}
