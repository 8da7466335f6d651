import { describeError, KineoError } from './errors.ts'

/** What the operating system says about a failure, such as ` (permission denied)`, or nothing. */
export function systemReason(error: unknown): string {
  const said = error instanceof Error ? /^E[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] : undefined
  return said === undefined ? '' : ` (${said})`
}

/**
 * Tells a full disk, a folder that may not be written, and a file in the place of a folder from a bug.
 *
 * @param where File or folder that was to be written.
 * @returns A KineoError `output`, or `error` itself when it is none of these.
 */
export function outputError(error: unknown, where: string): unknown {
  if (error instanceof KineoError || !(error instanceof Error)) return error
  const cause = describeError(error)
  if (/ENOSPC|EDQUOT|no space left/i.test(error.message)) {
    return new KineoError('output', 'The disk is full', {
      where,
      remedy: 'Make room and start again: what is whole is kept',
      cause,
    })
  }
  if (/EACCES|EPERM|EROFS|permission denied|read-only/i.test(error.message)) {
    return new KineoError('output', `It may not be written${systemReason(error)}`, {
      where,
      remedy: 'Check the permissions, or choose another folder',
      cause,
    })
  }
  if (/ENOTDIR|EEXIST|EISDIR|ENAMETOOLONG/.test(error.message)) {
    return new KineoError('output', `It cannot be written${systemReason(error)}`, {
      where,
      remedy: 'Choose another name',
      cause,
    })
  }
  return error
}
