import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import ffmpeg from 'fluent-ffmpeg'
import { CancelledError, KineoError, throwIfCancelled } from '../core/errors.ts'
import { mediaTools } from './media-tools.ts'

/** ffmpeg that shows no sign of life for this long is killed. */
const stallMilliseconds = 60_000
/** libavutil of ffmpeg 5.1, the first with `-fps_mode`. */
const fpsModeSince = [57, 28] as const

export interface FfmpegJob {
  /** File to read, or a stream of bytes for its standard input. */
  input: string | Readable
  /** Options of the input, one word each. */
  inputOptions?: readonly string[]
  /** Options of the output, one word each. */
  outputOptions: readonly string[]
  /** File to write; without it the output comes as bytes. */
  outputFile?: string
  signal?: AbortSignal | undefined
}

/** How ffmpeg ended, when it ended by itself. */
export interface FfmpegEnd {
  /** Null when it reported success. */
  failure: string | null
  /** Lines of its error output (log level error). */
  messages: string[]
}

/** A running ffmpeg. */
export interface FfmpegProcess {
  /** What it writes, when no output file was named. */
  output: PassThrough
  /** Resolves when it is gone, however it ended. */
  ended: Promise<FfmpegEnd>
  kill(): void
}

/** Options that keep every decoded frame as it is: none doubled, none dropped. */
export async function keepEveryFrame(): Promise<string[]> {
  const { avutil } = await mediaTools()
  const known = avutil[0] > fpsModeSince[0] || (avutil[0] === fpsModeSince[0] && avutil[1] >= fpsModeSince[1])
  return known ? ['-fps_mode', 'passthrough'] : ['-vsync', '0']
}

/**
 * Starts ffmpeg. Its files may only be local ones: a playlist dressed up as a video reaches no network.
 *
 * @throws KineoError `machine` when there is no ffmpeg.
 */
export async function startFfmpeg(job: FfmpegJob): Promise<FfmpegProcess> {
  throwIfCancelled(job.signal)
  const tools = await mediaTools()
  // Not destroyed at its end: fluent-ffmpeg takes the `close` of a stream for a cancel and races with ffmpeg's exit.
  const output = new PassThrough({ autoDestroy: false, highWaterMark: 1 << 20 })
  const command = ffmpeg(job.input)
  command.setFfmpegPath(tools.ffmpeg)
  mend(command)
  command.inputOptions(
    '-nostdin',
    '-v',
    'error',
    '-protocol_whitelist',
    'file,pipe',
    ...(job.inputOptions ?? []),
  )
  command.outputOptions(...job.outputOptions)

  let killed = false
  const kill = (): void => {
    killed = true
    command.kill('SIGKILL')
  }
  const ended = new Promise<FfmpegEnd>((resolve, reject) => {
    const finish = (failure: string | null, log: string | null | undefined): void => {
      job.signal?.removeEventListener('abort', kill)
      const messages = (log ?? '').split('\n').map((line) => line.trim())
      resolve({ failure, messages: messages.filter((line) => line !== '') })
    }
    command.on('error', (error: NodeJS.ErrnoException, _stdout: string | null, log: string | null) => {
      if (error.syscall?.startsWith('spawn')) {
        // Otherwise the output ends by itself when its last bytes were passed on, which may be later than the exit.
        output.end()
        reject(new KineoError('machine', 'Cannot start ffmpeg', { where: error.message, cause: error }))
      }
      finish(error.message, log)
    })
    command.on('end', (_stdout: string | null, log: string | null) => finish(null, log))
    // A kill that came before the program was started found nothing to kill.
    command.on('start', () => {
      if (killed) command.kill('SIGKILL')
    })
  })
  // Whoever waits for it later still learns of it.
  ended.catch(() => undefined)
  job.signal?.addEventListener('abort', kill, { once: true })
  if (job.outputFile === undefined) command.pipe(output)
  else command.save(job.outputFile)
  return { output, ended, kill }
}

/**
 * Reads all that ffmpeg writes, chunk by chunk; kills it when the reader stops early, on a cancel, and when nothing
 * comes for a minute. Time in which the reader is busy does not count.
 *
 * @throws CancelledError
 */
export async function* readOutput(
  process: FfmpegProcess,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, FfmpegEnd> {
  const chunks = process.output[Symbol.asyncIterator]()
  let stalled = false
  try {
    for (;;) {
      const watchdog = setTimeout(() => {
        stalled = true
        process.kill()
      }, stallMilliseconds)
      const next = await chunks.next().finally(() => clearTimeout(watchdog))
      throwIfCancelled(signal)
      if (next.done) break
      yield next.value as Buffer
    }
    const end = await process.ended
    if (wasInterrupted(end) && !stalled) {
      // Ctrl-C reaches ffmpeg as well as us, in either order: what it wrote until then must not pass for the whole.
      await delay(200)
      throwIfCancelled(signal)
      throw new KineoError('machine', 'ffmpeg was stopped from outside', { remedy: 'Try again' })
    }
    throwIfCancelled(signal)
    return stalled ? { ...end, failure: 'ffmpeg made no progress for a minute' } : end
  } finally {
    process.kill()
    await process.ended
  }
}

/** ffmpeg died of a signal, or left with 255 as it does after SIGINT and SIGTERM. */
function wasInterrupted({ failure }: FfmpegEnd): boolean {
  return failure !== null && /exited with code 255|killed with signal/.test(failure)
}

/**
 * Runs ffmpeg to its end for the file that it writes.
 *
 * @throws KineoError `input` with `what` as its message when ffmpeg fails, CancelledError.
 */
export async function runFfmpeg(
  job: FfmpegJob & { outputFile: string },
  what: string,
  where: string,
): Promise<void> {
  const { ended } = await startFfmpeg(job)
  const { failure, messages } = await ended
  if (job.signal?.aborted) throw new CancelledError()
  if (failure !== null) {
    throw new KineoError('input', what, { where, remedy: `ffmpeg says: ${messages.at(-1) ?? failure}` })
  }
}

/** What a command of fluent-ffmpeg has besides its documented methods. */
interface Internals {
  _checkCapabilities(done: (error: null) => void): void
  availableEncoders(done: (error: null, encoders: object) => void): void
  _spawnFfmpeg(words: string[], options: object, started: unknown, ended: Ended): void
}

type Ended = (error: Error | undefined, output?: LineRing, log?: LineRing) => void

interface LineRing {
  get(): string
}

/** Mends what makes fluent-ffmpeg 2.1.3, which is no longer kept up, fail with the ffmpeg of today. */
function mend(command: ffmpeg.FfmpegCommand): void {
  const internals = command as ffmpeg.FfmpegCommand & Internals
  const spawn = internals._spawnFfmpeg.bind(command)
  const nothing: LineRing = { get: () => '' }
  const mended: Internals = {
    // It reads lists of formats and encoders in a layout that ffmpeg changed in 7 and 8, and refuses to run. What it
    // wants to know, we know.
    _checkCapabilities: (done) => done(null),
    availableEncoders: (done) => done(null, {}),
    // It breaks when the program cannot be started, as it then has no output to report.
    _spawnFfmpeg: (words, options, started, ended) =>
      spawn(words, options, started, (error, output, log) => ended(error, output ?? nothing, log ?? nothing)),
  }
  Object.assign(command, mended)
}
