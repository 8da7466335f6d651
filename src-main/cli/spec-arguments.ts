import { KineoError } from '../core/errors.ts'
import { describeSpec, problemLine, readSpec, requireSpec, type Spec } from '../spec/index.ts'
import { readOptions } from './read-options.ts'
import type { Terminal } from './terminal.ts'

/** The lines of a help text that all commands with a spec share. */
export const specHelp = `  -e, --experiment_spec FILE   the experiment spec (YAML); see docs/spec.md
  key=value                    overrides a key of the spec, such as train.optim.lr=0.01
  --json                       print one JSON object a line, for programs
  --help                       this text`

const specOptions = {
  experiment_spec: { type: 'string', short: 'e' },
  experiment_spec_file: { type: 'string' },
} as const

/** Where a spec is and what is laid over it. */
export interface SpecSourceArguments {
  path: string
  overrides: string[]
  flags: ReadonlySet<string>
}

/**
 * Reads `-e spec.yaml [key=value ...]`, and flags of a command's own.
 * @param ownFlags Names of further options without a value, such as `force`.
 * @throws KineoError `usage` for unknown options and a missing spec.
 */
export function readSpecSource(
  command: string,
  args: string[],
  ownFlags: readonly string[] = [],
): SpecSourceArguments {
  const flagOptions = Object.fromEntries(ownFlags.map((name) => [name, { type: 'boolean' as const }]))
  const parsed = readOptions(command, args, { ...specOptions, ...flagOptions })
  const values: Record<string, unknown> = parsed.values
  const path = values['experiment_spec'] ?? values['experiment_spec_file']
  if (typeof path !== 'string') {
    throw new KineoError('usage', 'No experiment spec is given', {
      remedy: `Add -e spec.yaml (kineo spec init writes one); kineo ${command} --help shows the options`,
    })
  }
  const flags = new Set(ownFlags.filter((name) => values[name] === true))
  return { path, overrides: parsed.positionals, flags }
}

/**
 * Reads the spec of a command from its arguments, and tells what of it this version accepts without effect.
 * @throws KineoError: `usage` as `readSpecSource`, or what the spec has to complain about.
 */
export async function readSpecArguments(
  command: string,
  args: string[],
  terminal: Terminal,
  ownFlags: readonly string[] = [],
): Promise<{ spec: Spec; flags: ReadonlySet<string> }> {
  const { path, overrides, flags } = readSpecSource(command, args, ownFlags)
  const reading = await readSpec(path, overrides)
  const spec = requireSpec(reading)
  for (const note of reading.notes) {
    if (concerns(note.key, command)) terminal.warn(`Note: ${problemLine(note)}`)
  }
  return { spec, flags }
}

/** True for a key that `command` reads; one that TAO alone has is about training. */
function concerns(key: string, command: string): boolean {
  const description = describeSpec().find((other) => other.key === key)
  return (description?.appliesTo.commands ?? ['train']).some((name) => name === command)
}
