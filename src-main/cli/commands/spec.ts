import { KineoError } from '../../core/errors.ts'
import { suggestKey } from '../../spec/index.ts'
import type { Command } from '../command.ts'
import { checkSpecFile } from './spec-check.ts'
import { explainSpec } from './spec-explain.ts'
import { initSpec } from './spec-init.ts'

const actions: Record<string, Command['run']> = {
  init: initSpec,
  check: checkSpecFile,
  explain: explainSpec,
}

export const specCommand: Command = {
  name: 'spec',
  help: `Usage: kineo spec init [--dataset DATASET] [options]
       kineo spec check -e spec.yaml [key=value ...]
       kineo spec explain [KEY]

init     writes a spec that trains, with settings that suit the data set and a comment above every key
check    tells everything that is wrong with a spec, with file and line, and what it would train on what
explain  tells what a key, or every key of a section, means; without KEY it lists them all

Options of init:
  --dataset DATASET          folder that kineo preprocess made; classes and sizes are taken from it
  --model-type rgb|of|joint  colour frames, optical flow or both (default: of where there is flow, else rgb)
  --input-type 2d|3d         2d is fast; 3d also convolves over time (default 2d)
  --out FILE                 file to write (default spec.yaml)
  --force                    replace FILE if it is there

Options of all:
  --json                     print one JSON object a line, for programs
  --help                     this text

Exit code of check: 0 the spec can be used, 2 it cannot.

Examples:
  kineo spec init --dataset dataset
  kineo spec check -e spec.yaml train.num_epochs=50
  kineo spec explain train.optim.lr
`,
  async run([name, ...rest], context) {
    const action = name !== undefined && Object.hasOwn(actions, name) ? actions[name] : undefined
    if (action !== undefined) return action(rest, context)
    const names = Object.keys(actions)
    const near = name === undefined ? undefined : suggestKey(name, names)
    throw new KineoError('usage', name === undefined ? 'What to do is missing' : `Cannot ${name} a spec`, {
      remedy: near === undefined ? `It is one of ${names.join(', ')}` : `Did you mean kineo spec ${near}?`,
    })
  },
}
