import { parseArgs } from 'node:util'
import { KineoError } from '../core/errors.ts'
import { loadSpec, type Spec } from '../spec/index.ts'

/** The lines of a help text that all commands with a spec share. */
export const specHelp = `  -e, --experiment_spec FILE   the experiment spec (YAML); see docs/spec.md
  key=value                    overrides a key of the spec, such as train.optim.lr=0.01
  --json                       print one JSON object a line, for programs
  --help                       this text`

/**
 * Reads `-e spec.yaml [key=value ...]`, and flags of a command's own.
 * @param ownFlags Names of further options without a value, such as `force`.
 * @throws KineoError: `usage` for unknown options and a missing spec, or what the spec has to complain about.
 */
export async function readSpecArguments(
  command: string,
  args: string[],
  ownFlags: readonly string[] = [],
): Promise<{ spec: Spec; flags: ReadonlySet<string> }> {
  const flagOptions = Object.fromEntries(ownFlags.map((name) => [name, { type: 'boolean' as const }]))
  const help = `kineo ${command} --help shows the options`
  let parsed
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        experiment_spec: { type: 'string', short: 'e' },
        experiment_spec_file: { type: 'string' },
        ...flagOptions,
      },
    })
  } catch (error) {
    const [what] = error instanceof Error ? error.message.split('. To specify') : ['Wrong usage']
    throw new KineoError('usage', what ?? 'Wrong usage', { remedy: help, cause: error })
  }
  const values: Record<string, unknown> = parsed.values
  const path = values['experiment_spec'] ?? values['experiment_spec_file']
  if (typeof path !== 'string') {
    throw new KineoError('usage', 'No experiment spec is given', { remedy: `Add -e spec.yaml; ${help}` })
  }
  const spec = await loadSpec(path, parsed.positionals)
  return { spec, flags: new Set(ownFlags.filter((name) => values[name] === true)) }
}
