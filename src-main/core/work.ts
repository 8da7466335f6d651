import { z } from 'zod'

/**
 * What a project stores of its jobs and runs and the app shows of them: the one set of shapes for the project's database
 * and the contract.
 */

export const jobKind = z.enum(['prepare', 'train', 'evaluate', 'export'])
export type JobKind = z.infer<typeof jobKind>

export const jobStatus = z.enum(['queued', 'running', 'done', 'failed', 'cancelled', 'interrupted'])
export type JobStatus = z.infer<typeof jobStatus>

/** `Progress` of core/progress.ts. */
export const progress = z.object({
  done: z.number(),
  total: z.number().nullable(),
  unit: z.string(),
  remainingSeconds: z.number().nullable(),
  note: z.string().exactOptional(),
})

/** The settings of a run that the app speaks of; the whole of them is its experiment spec. */
export const trainSettings = z.object({
  modelType: z.enum(['rgb', 'of', 'joint']),
  inputType: z.enum(['2d', '3d']),
  /** As the spec names it, such as `resnet_18`. */
  backbone: z.string(),
  /** Pictures of a clip; no matter for `of`. */
  rgbFrames: z.number().int().min(1),
  /** Flow images of a clip; no matter for `rgb`. */
  ofFrames: z.number().int().min(1),
  /** Size of the network's input in pixels. */
  height: z.number().int().min(32),
  width: z.number().int().min(32),
  epochs: z.number().int().min(1),
  batchSize: z.number().int().min(1),
  learningRate: z.number().positive(),
  horizontalFlip: z.boolean(),
  /** Whether the frames of a clip stand in a row or are spread over it. */
  sampleStrategy: z.enum(['consecutive', 'random_interval']),
  /** Whether training starts from weights that were given. */
  pretrained: z.boolean(),
  seed: z.number().int(),
})
export type TrainSettings = z.infer<typeof trainSettings>

/** Figures of a training between two epochs. */
export const liveFigures = z.object({
  /** From 1. */
  epoch: z.number().int(),
  step: z.number().int(),
  stepsPerEpoch: z.number().int(),
  loss: z.number(),
  clipsPerSecond: z.number(),
  remainingSeconds: z.number().nullable(),
})
export type LiveFigures = z.infer<typeof liveFigures>

/** The figures of one whole epoch. */
export const epochPoint = z.object({
  /** From 1. */
  epoch: z.number().int(),
  trainLoss: z.number(),
  /** Fraction 0..1. */
  trainAccuracy: z.number(),
  valLoss: z.number().nullable(),
  /** Fraction 0..1. */
  valAccuracy: z.number().nullable(),
  learningRate: z.number(),
  clipsPerSecond: z.number(),
})
export type EpochPoint = z.infer<typeof epochPoint>
