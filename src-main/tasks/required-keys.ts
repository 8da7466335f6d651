import { KineoError } from '../core/errors.ts'

/**
 * The value of a key that a command cannot do without.
 * @throws KineoError (spec) naming the key.
 */
export function requireValue<T>(value: T | null, key: string, example: string): T {
  if (value !== null) return value
  throw new KineoError('spec', `${key} is missing`, {
    remedy: `Add it to the spec, or to the command line, such as ${key}=${example}`,
  })
}
