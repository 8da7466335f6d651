import { z } from 'zod'

/** What one row of each table means. Columns that hold JSON are checked when they are read. */

export type Split = 'train' | 'val'
export type ProjectKind = 'videos' | 'tao-dataset'

export interface ProjectRecord {
  /** Random; names this project in media addresses, so that a browser's cache never mixes two projects. */
  key: string
  name: string
  kind: ProjectKind
  /** Absolute. */
  sourceFolder: string
  isSample: boolean
  createdAt: string
}

export interface ClassRecord {
  /** Index in the label map, from 0. */
  index: number
  name: string
}

export interface ClipRecord {
  id: number
  /** Of the video file (or, in a TAO dataset, of the clip's folder), relative to the source folder, with `/`. */
  path: string
  name: string
  className: string
  split: Split
  fileBytes: number
  modifiedMs: number
  probed: boolean
  width: number | null
  height: number | null
  durationSeconds: number | null
  /** Whether Chromium plays the file itself; null while unknown. */
  playable: boolean | null
  frameCount: number | null
  /** Absolute folder with rgb/, u/, v/ of a prepared clip; null before. */
  framesFolder: string | null
  hasRgb: boolean
  hasFlow: boolean
  problem: string | null
}

export const trainSettingsRecord = z.object({
  modelType: z.enum(['rgb', 'of']),
  frames: z.number().int(),
  size: z.number().int(),
  epochs: z.number().int(),
  batchSize: z.number().int(),
  learningRate: z.number(),
  horizontalFlip: z.boolean(),
  seed: z.number().int(),
})
export type TrainSettingsRecord = z.infer<typeof trainSettingsRecord>

export interface RunRecord {
  id: number
  settings: TrainSettingsRecord
  classNames: string[]
  valClipCount: number
  createdAt: string
}

export interface EpochRecord {
  /** From 1. */
  epoch: number
  trainLoss: number
  trainAccuracy: number
  valLoss: number | null
  valAccuracy: number | null
  learningRate: number
  clipsPerSecond: number
}

export interface PredictionRecord {
  clipId: number | null
  name: string
  label: string
  prediction: string
  /** Softmax by class, in the order of classNames. */
  scores: number[]
}

export interface EvaluationRecord {
  accuracy: number
  meanClassAccuracy: number
  classNames: string[]
  /** Rows are the truth, columns the prediction; counts. */
  confusion: number[][]
  predictions: PredictionRecord[]
}

export type JobKind = 'prepare' | 'train' | 'evaluate' | 'export'
export type JobStatus = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted'

export const progressRecord = z.object({
  done: z.number(),
  total: z.number().nullable(),
  unit: z.string(),
  remainingSeconds: z.number().nullable(),
  note: z.string().optional(),
})
export type ProgressRecord = z.infer<typeof progressRecord>

/** Figures of a training between two epochs. */
export const liveRecord = z.object({
  epoch: z.number().int(),
  step: z.number().int(),
  stepsPerEpoch: z.number().int(),
  loss: z.number(),
  clipsPerSecond: z.number(),
  remainingSeconds: z.number().nullable(),
})
export type LiveRecord = z.infer<typeof liveRecord>

export interface JobRecord {
  id: number
  kind: JobKind
  title: string
  status: JobStatus
  runId: number | null
  /** This job starts only when that one is done. */
  afterJobId: number | null
  /** What the kind of job needs to know; its own module checks it. */
  options: unknown
  progress: ProgressRecord | null
  live: LiveRecord | null
  message: string | null
  cancelRequested: boolean
  workerPid: number | null
  createdAt: string
  startedAt: string | null
  endedAt: string | null
}
