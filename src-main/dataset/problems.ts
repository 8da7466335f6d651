import { KineoError } from '../core/errors.ts'

/** Told about what is left out or read otherwise than it stands, one sentence each. */
export type ReportNote = (note: string) => void

const listedProblems = 20

/**
 * One failure out of all that was found: a single problem as it is, several as a list whose end is only counted.
 *
 * @param problems At least one.
 * @param summary Such as `3 of 12 videos cannot be used`.
 */
export function problemsError(problems: readonly KineoError[], summary: string, remedy: string): KineoError {
  const [first] = problems
  if (first !== undefined && problems.length === 1) return first
  const lines = problems
    .slice(0, listedProblems)
    .map(({ message, where }) => (where === undefined ? message : `${message}: ${where}`))
  if (problems.length > listedProblems) lines.push(`and ${problems.length - listedProblems} more`)
  return new KineoError('input', `${summary}:\n  ${lines.join('\n  ')}`, { remedy })
}
