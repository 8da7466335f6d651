import { parseArgs, type ParseArgsConfig } from 'node:util'
import { KineoError } from '../core/errors.ts'
import { suggestKey } from '../spec/suggest.ts'

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
    const { what, near } = judge(error, Object.keys(options))
    const help = `kineo ${command} --help shows the options`
    throw new KineoError('usage', what, {
      remedy: near === undefined ? help : `Did you mean --${near}? ${help}`,
      cause: error,
    })
  }
}

/** What Node says in its first sentence, and the option that was probably meant by an unknown one. */
function judge(error: unknown, names: readonly string[]): { what: string; near: string | undefined } {
  const [said = ''] = error instanceof Error ? error.message.split(/\.\s/) : []
  // `argument is ambiguous` means that something with a dash follows, mostly the next option.
  const bare = /^Option '([^ ']+).*' argument (?:is ambiguous|missing)/.exec(said)?.[1]
  if (bare !== undefined) return { what: `${bare.replace(/,$/, '')} needs a value`, near: undefined }
  const unknown = /^Unknown option '-+([^']+)'/.exec(said)?.[1]
  return {
    what: said || 'Wrong usage',
    near: unknown === undefined ? undefined : suggestKey(unknown, names),
  }
}
