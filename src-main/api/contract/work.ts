import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'
import { epochPoint, jobKind, jobStatus, liveFigures, progress, trainSettings } from '../../core/work.ts'

export type { EpochPoint, JobKind, JobStatus, LiveFigures, TrainSettings } from '../../core/work.ts'

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

/** One key of the experiment spec, in the words of the schema. */
export const specKey = z.object({
  /** Dotted, such as `train.optim.lr`. */
  key: z.string(),
  /** Dotted name of the group it stands in; empty at the top. */
  section: z.string(),
  /** `flag`, `choice`, `integer` and so on. */
  kind: z.string(),
  /** Which values are right, such as `a whole number of 1 or more`. */
  rule: z.string(),
  /** The words that may stand there; empty where others may. */
  choices: z.array(z.string()),
  /** As YAML. */
  default: z.string(),
  meaning: z.string(),
  /** How it differs from TAO, or null. */
  taoDifference: z.string().nullable(),
  /** Why it is not set here, or null. */
  lockedBy: z.string().nullable(),
})
export type SpecKey = z.infer<typeof specKey>

/** A group of keys of the experiment spec. */
export const specSection = z.object({
  /** Dotted; empty for the keys at the top. */
  section: z.string(),
  meaning: z.string(),
})
export type SpecSection = z.infer<typeof specSection>

/** What a person wrote over the recipe: YAML by dotted key of the spec, as `key=value` on the command line. */
export const specChanges = z.record(z.string(), z.string())
export type SpecChanges = z.infer<typeof specChanges>

/** The next run: what Kineo recommends, with what the person changed. */
export const trainPlan = z.object({
  /** The settings that come out, changes included where they are right. */
  settings: trainSettings,
  /** Why the recommended ones, in one or two plain sentences. */
  reason: z.string(),
  /** About how long training takes, or null before anything was measured. */
  estimatedSeconds: z.number().nullable(),
  /** Why training cannot start yet, or null. */
  blockedBy: z.string().nullable(),
  /** YAML of every key that can be set here, as the recipe has it. */
  recipe: z.record(z.string(), z.string()),
  /** What is wrong with the changes, in the words of the schema. */
  problems: z.array(z.object({ key: z.string(), message: z.string() })),
  /** What is right and probably not meant, such as a changed key that another one turns off. */
  advice: z.array(z.object({ key: z.string(), message: z.string() })),
  /** The whole experiment spec, changes included; null while there are problems. */
  yaml: z.string().nullable(),
})
export type TrainPlan = z.infer<typeof trainPlan>

export const run = z.object({
  id: z.number().int(),
  name: z.string(),
  status: z.enum(['queued', 'training', 'done', 'stopped', 'failed', 'interrupted']),
  settings: trainSettings,
  classNames: z.array(z.string()),
  valClipCount: z.number().int(),
  points: z.array(epochPoint),
  /** Live figures between epochs, only while training. */
  live: liveFigures.nullable(),
  /** Folder of the run, absolute. */
  folder: z.string(),
  message: z.string().nullable(),
  evaluated: z.boolean(),
  /** Whether a checkpoint is there that can be evaluated now. */
  canEvaluate: z.boolean(),
  exportedFile: z.string().nullable(),
  createdAt: z.string(),
})
export type Run = z.infer<typeof run>

export const evaluation = z.object({
  runId: z.number().int(),
  /** Epochs of training that the evaluated checkpoint had; null when unknown. */
  epochs: z.number().int().nullable(),
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
  /** How far opening a project is, while it takes a while; null when it has ended. */
  z.object({ type: z.literal('opening'), progress: progress.nullable() }),
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
    /** Every key of the experiment spec, and the groups they stand in. */
    spec: oc.output(z.object({ sections: z.array(specSection), keys: z.array(specKey) })),
    /** What a run with these changes would be; nothing is started. */
    plan: oc.input(z.object({ changes: specChanges })).output(trainPlan),
    /** Starts a run: prepare where clips lack what it needs, train, evaluate. */
    start: oc.input(z.object({ changes: specChanges })).output(z.object({ runId: z.number().int() })),
    /** Resumes a stopped, interrupted or failed run from its last checkpoint. */
    resume: oc.input(runRef).output(z.object({ runId: z.number().int() })),
  },
  runs: {
    list: oc.output(z.array(run)),
    /** Checks the newest checkpoint of a run that has ended before its last epoch. */
    evaluate: oc.input(runRef).output(z.object({ jobId: z.number().int() })),
    evaluation: oc.input(runRef).output(evaluation.nullable()),
    export: oc.input(runRef).output(z.object({ jobId: z.number().int() })),
    exported: oc.input(runRef).output(exported.nullable()),
  },
  /** Everything that changes, as it changes. */
  events: oc.output(eventIterator(appEvent)),
}
