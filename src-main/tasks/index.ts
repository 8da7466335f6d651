/** What Kineo does with a spec; each function is one task with progress and cancel. */
export type { EpochReport, StepReport, TaskHooks, TrainHooks } from './hooks.ts'
export { train, type TrainSummary } from './training/train.ts'
export {
  classTable,
  evaluate,
  taoBlock,
  type EvaluatedClass,
  type EvaluatedVideo,
  type EvaluationReport,
} from './evaluation/evaluate.ts'
export {
  infer,
  inferenceLine,
  type InferenceReport,
  type InferredSegment,
  type InferredVideo,
} from './inference/infer.ts'
export { exportModel, type ExportOptions, type ExportReport } from './export/export-model.ts'
export {
  type DatasetFacts,
  type RecipeWish,
  projectKeys,
  recipeSpec,
  recommendSettings,
  type RecommendedSettings,
  type RunPaths,
  settingsOf,
  specOf,
  type SpecTree,
} from './recipe.ts'
export { resultsFolder } from './results-folder.ts'
