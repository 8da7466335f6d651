/** The experiment spec: what it may hold, how it is read, checked, explained and written. */
export {
  checkSpec,
  loadSpec,
  parseSpec,
  readSpec,
  requireSpec,
  specToYaml,
  type SpecReading,
} from './parse.ts'
export { adviceOn } from './advice.ts'
export { commentedYaml } from './commented-yaml.ts'
export type { Spec } from './schema.ts'
export {
  describeSections,
  describeSpec,
  type SpecKeyDescription,
  type SpecSectionDescription,
  supportedKeys,
} from './describe.ts'
export type { KeyKind, SpecCommand } from './key-kinds.ts'
export { problemLine, type SpecProblem } from './problem.ts'
export { notBuiltKeys } from './not-built.ts'
export { otherSpellings } from './spellings.ts'
export { suggestKey } from './suggest.ts'
