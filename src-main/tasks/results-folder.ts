import { join, resolve } from 'node:path'
import type { Spec } from '../spec/index.ts'

/** The tasks that a spec steers, by TAO's names of their sections and result folders. */
export type TaskName = 'train' | 'evaluate' | 'inference' | 'export'

/** Where a task puts its results: `<task>.results_dir`, else `<results_dir>/<task>`; absolute. */
export function resultsFolder(spec: Spec, task: TaskName): string {
  return resolve(spec[task].results_dir ?? join(spec.results_dir, task))
}
