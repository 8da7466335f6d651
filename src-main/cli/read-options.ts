import { parseArgs, type ParseArgsConfig } from 'node:util'
import { KineoError } from '../core/errors.ts'

/**
 * Reads the options of a command.
 * @param command How messages call it, such as `spec init`.
 * @throws KineoError `usage` for an unknown option or one without its value.
 */
export function readOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  command: string,
  args: string[],
  options: T,
) {
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    const [what] = error instanceof Error ? error.message.split('. To specify') : ['Wrong usage']
    throw new KineoError('usage', what ?? 'Wrong usage', {
      remedy: `kineo ${command} --help shows the options`,
      cause: error,
    })
  }
}
