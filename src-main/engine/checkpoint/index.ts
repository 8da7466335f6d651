export type { Checkpoint, JsonValue, OptimizerSettings } from './checkpoint.ts'
export { readCheckpoint } from './read-checkpoint.ts'
export { writeCheckpoint } from './write-checkpoint.ts'
