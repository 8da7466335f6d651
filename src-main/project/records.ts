import type { Progress } from '../core/progress.ts'
import type { JobKind, JobStatus, LiveFigures, TrainSettings } from '../core/work.ts'

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

export interface RunRecord {
  id: number
  settings: TrainSettings
  /** The experiment spec without the paths that the project decides; null in runs of versions that did not store it. */
  experiment: Record<string, unknown> | null
  classNames: string[]
  valClipCount: number
  createdAt: string
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
  /** Epochs of training that the evaluated checkpoint had; null when unknown. */
  epochs: number | null
  accuracy: number
  meanClassAccuracy: number
  classNames: string[]
  /** Rows are the truth, columns the prediction; counts. */
  confusion: number[][]
  predictions: PredictionRecord[]
}

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
  progress: Progress | null
  live: LiveFigures | null
  message: string | null
  cancelRequested: boolean
  workerPid: number | null
  createdAt: string
  startedAt: string | null
  endedAt: string | null
}
