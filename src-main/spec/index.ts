export { checkSpec, loadSpec, parseSpec, readSpec, specOf, specToYaml, type SpecReading } from './parse.ts'
export type { Spec } from './schema.ts'
export {
  describeSections,
  describeSpec,
  type SpecKeyDescription,
  type SpecSectionDescription,
  supportedKeys,
} from './describe.ts'
export type { KeyKind, ModelType, SpecCommand } from './key-kinds.ts'
export { problemLine, type SpecProblem } from './problem.ts'
export { notBuiltKeys } from './not-built.ts'
export { otherSpellings } from './spellings.ts'
