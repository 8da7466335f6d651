export { loadSpec, parseSpec, specToYaml } from './parse.ts'
export { type Spec, supportedKeys } from './schema.ts'
export { notBuiltKeys } from './not-built.ts'
export { otherSpellings } from './spellings.ts'
