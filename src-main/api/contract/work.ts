import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'

export const jobKind = z.enum(['prepare', 'train', 'evaluate', 'export'])
export type JobKind = z.infer<typeof jobKind>
export const jobStatus = z.enum(['queued', 'running', 'done', 'failed', 'cancelled', 'interrupted'])
export type JobStatus = z.infer<typeof jobStatus>

export const progress = z.object({
  done: z.number(),
  total: z.number().nullable(),
  unit: z.string(),
  remainingSeconds: z.number().nullable(),
  note: z.string().optional(),
})

export const job = z.object({
  id: z.number().int(),
  kind: jobKind,
  /** What it does, in words, such as `Prepare 24 clips`. */
  title: z.string(),
  status: jobStatus,
  runId: z.number().int().nullable(),
  progress: progress.nullable(),
  /** What went wrong and what to do, in words; or a list of files that were left out. */
  message: z.string().nullable(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
})
export type Job = z.infer<typeof job>

/** One click's worth of settings; everything else keeps the defaults of the spec. */
export const trainSettings = z.object({
  modelType: z.enum(['rgb', 'of']),
  frames: z.number().int().min(1),
  size: z.number().int().min(32),
  epochs: z.number().int().min(1),
  batchSize: z.number().int().min(1),
  learningRate: z.number().positive(),
  horizontalFlip: z.boolean(),
  seed: z.number().int(),
})
export type TrainSettings = z.infer<typeof trainSettings>

export const recommendation = z.object({
  settings: trainSettings,
  /** Why these, in one or two plain sentences. */
  reason: z.string(),
  /** About how long training takes, or null before anything was measured. */
  estimatedSeconds: z.number().nullable(),
  /** Why training cannot start yet, or null. */
  blockedBy: z.string().nullable(),
})
export type Recommendation = z.infer<typeof recommendation>

export const epochPoint = z.object({
  /** From 1. */
  epoch: z.number().int(),
  trainLoss: z.number(),
  /** Fraction 0..1. */
  trainAccuracy: z.number(),
  valLoss: z.number().nullable(),
  valAccuracy: z.number().nullable(),
  learningRate: z.number(),
  clipsPerSecond: z.number(),
})
export type EpochPoint = z.infer<typeof epochPoint>

export const run = z.object({
  id: z.number().int(),
  name: z.string(),
  status: z.enum(['queued', 'training', 'done', 'stopped', 'failed', 'interrupted']),
  settings: trainSettings,
  classNames: z.array(z.string()),
  valClipCount: z.number().int(),
  points: z.array(epochPoint),
  /** Live figures between epochs, only while training. */
  live: z
    .object({
      epoch: z.number().int(),
      step: z.number().int(),
      stepsPerEpoch: z.number().int(),
      loss: z.number(),
      clipsPerSecond: z.number(),
      remainingSeconds: z.number().nullable(),
    })
    .nullable(),
  /** Folder of the run, absolute. */
  folder: z.string(),
  message: z.string().nullable(),
  evaluated: z.boolean(),
  exportedFile: z.string().nullable(),
  createdAt: z.string(),
})
export type Run = z.infer<typeof run>

export const evaluation = z.object({
  runId: z.number().int(),
  /** Fractions 0..1. */
  accuracy: z.number(),
  meanClassAccuracy: z.number(),
  classNames: z.array(z.string()),
  /** Rows are the truth, columns the prediction; counts. */
  confusion: z.array(z.array(z.number().int())),
  videos: z.array(
    z.object({
      clipId: z.number().int().nullable(),
      name: z.string(),
      label: z.string(),
      prediction: z.string(),
      /** Softmax by class, in the order of classNames. */
      scores: z.array(z.number()),
      mediaUrl: z.string().nullable(),
      thumbnailUrl: z.string().nullable(),
    }),
  ),
})
export type Evaluation = z.infer<typeof evaluation>

export const exported = z.object({
  runId: z.number().int(),
  folder: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.number() })),
})
export type Exported = z.infer<typeof exported>

/** Something changed; the renderer replaces what it holds. The stream starts with everything that exists. */
export const appEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job'), job }),
  z.object({ type: z.literal('run'), run }),
  /** Clips, classes or preparation changed: ask again for project.state and project.clips. */
  z.object({ type: z.literal('project') }),
])
export type AppEvent = z.infer<typeof appEvent>

const runRef = z.object({ runId: z.number().int() })

export const workContract = {
  jobs: {
    list: oc.output(z.array(job)),
    cancel: oc.input(z.object({ jobId: z.number().int() })).output(z.null()),
  },
  dataset: {
    /** Starts a job that makes frames and optical flow for every clip that lacks them. */
    prepare: oc
      .input(z.object({ flow: z.enum(['dis', 'none']) }))
      .output(z.object({ jobId: z.number().int() })),
  },
  training: {
    recommend: oc.output(recommendation),
    /** Starts a run: train, then evaluate. */
    start: oc.input(z.object({ settings: trainSettings })).output(z.object({ runId: z.number().int() })),
    /** Resumes a stopped, interrupted or failed run from its last checkpoint. */
    resume: oc.input(runRef).output(z.object({ runId: z.number().int() })),
  },
  runs: {
    list: oc.output(z.array(run)),
    evaluation: oc.input(runRef).output(evaluation.nullable()),
    export: oc.input(runRef).output(z.object({ jobId: z.number().int() })),
    exported: oc.input(runRef).output(exported.nullable()),
  },
  /** Everything that changes, as it changes. */
  events: oc.output(eventIterator(appEvent)),
}
