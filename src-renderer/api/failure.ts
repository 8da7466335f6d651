/** What a person needs to know of a failed call: what happened, where, and what to do. */
export interface Failure {
  what: string
  where: string | null
  remedy: string | null
}

function textOf(data: unknown, key: string): string | null {
  if (typeof data !== 'object' || data === null) return null
  const value = (data as Record<string, unknown>)[key]
  return typeof value === 'string' && value !== '' ? value : null
}

/** Reads the error of a call. The main side sends `where` and `remedy` of expected failures as its data. */
export function failureOf(error: unknown): Failure {
  const data = typeof error === 'object' && error !== null && 'data' in error ? error.data : undefined
  return {
    what: error instanceof Error ? error.message : String(error),
    where: textOf(data, 'where'),
    remedy: textOf(data, 'remedy'),
  }
}
