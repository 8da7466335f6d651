import { z } from 'zod'
import { pathOr, secret } from './key-kinds.ts'
import { dataset } from './keys/dataset.ts'
import { model } from './keys/model.ts'
import { evaluate, exportModel, inference } from './keys/tasks.ts'
import { train } from './keys/train.ts'

/**
 * The experiment spec: TAO's YAML with the key names of TAO's code, the page's defaults, and Kineo's own keys, which
 * are all off by default. `spellings.ts` brings the documentation page's other names here, `not-built.ts` tells what
 * this version cannot do, `cross-checks.ts` what must hold between keys.
 */
export const specSchema = z.strictObject({
  model,
  dataset,
  train,
  evaluate,
  inference,
  export: exportModel,
  results_dir: pathOr('./results', {
    meaning: 'Folder of all results; each command has a folder of its own in it.',
    tao: 'The page says /results, where most people may not write.',
    commands: ['train', 'evaluate', 'inference', 'export'],
  }),
  encryption_key: secret({
    meaning:
      'Password that checkpoints and exported models are encrypted and opened with; it is not written to experiment.yaml.',
    tao: "Kineo encrypts with AES-256-GCM; files that TAO's closed eff library has encrypted cannot be opened.",
    commands: ['train', 'evaluate', 'inference', 'export'],
  }),
})

/** A whole experiment: every key has a value, paths that were not given are null. */
export type Spec = z.output<typeof specSchema>
