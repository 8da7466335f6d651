/**
 * Expected failures. Whoever meets one tells the person three things, in this order: what happened, where,
 * and what to do. A bug is not a KineoError: it throws as it is, and the hosts print it as an internal error.
 */

/** Machine-readable kind of an expected failure; decides the exit code of the command line. */
export type ErrorCode =
  /** The command line was used wrongly. */
  | 'usage'
  /** An experiment spec is wrong: unknown key, wrong type, value out of range. */
  | 'spec'
  /** A file, folder, image, video or checkpoint cannot be used. */
  | 'input'
  /** A target exists already, is not writable, or the disk is full. */
  | 'output'
  /** Something this machine lacks: ffmpeg, a device, a port. */
  | 'machine'
  /** The person stopped it; everything reported done is kept. */
  | 'cancelled'

export interface ErrorDetails {
  /** File, key or line the failure speaks of. */
  where?: string
  /** What the person can do about it. */
  remedy?: string
  cause?: unknown
}

/** An expected failure, told in plain words. */
export class KineoError extends Error {
  readonly code: ErrorCode
  readonly where: string | undefined
  readonly remedy: string | undefined

  /**
   * @param what What happened, as a sentence without a final full stop, such as `Cannot read the video`.
   */
  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'KineoError'
    this.code = code
    this.where = details.where
    this.remedy = details.remedy
  }

  /** `what: where. remedy`, on one line. */
  describe(): string {
    const place = this.where === undefined ? '' : `: ${this.where}`
    const remedy = this.remedy === undefined ? '' : `. ${this.remedy}`
    return `${this.message}${place}${remedy}`
  }
}

/** Thrown when a cancel was asked for. */
export class CancelledError extends KineoError {
  constructor(what = 'Stopped') {
    super('cancelled', what)
    this.name = 'CancelledError'
  }
}

/** Throws CancelledError when `signal` is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError()
}

/** True for our own cancel and for the AbortError of Node's APIs. */
export function isCancelled(error: unknown): boolean {
  return error instanceof CancelledError || (error instanceof Error && error.name === 'AbortError')
}

/** Exit code of the command line: 1 failed, 2 wrong usage or spec, 130 cancelled with everything resumable. */
export function exitCodeOf(error: unknown): 1 | 2 | 130 {
  if (isCancelled(error)) return 130
  if (error instanceof KineoError && (error.code === 'usage' || error.code === 'spec')) return 2
  return 1
}

/** One line for people: our own text for an expected failure, the message of anything else. */
export function describeError(error: unknown): string {
  if (error instanceof KineoError) return error.describe()
  if (error instanceof Error) return error.message
  return String(error)
}
