import type { ErrorCode } from '../core/errors.ts'
import type { ModelType, Stream } from '../core/streams.ts'
import type { ClipChoices, TransformConfig } from './transforms.ts'

/** Everything that is needed to make one clip; drawn by the loader, so that workers decide nothing. */
export interface ClipPlan {
  /** For each stream, images in the order of time; for flow u and v of a frame in turn. */
  files: Partial<Record<Stream, string[]>>
  choices: ClipChoices
}

/** What a loader worker is started with. */
export interface WorkerSetup {
  modelType: ModelType
  transform: TransformConfig
  /** Bytes of resized images that this worker may keep. */
  cacheBytes: number
}

export type WorkerRequest =
  /** `buffer`, if given, is used for the clip again. */
  | { kind: 'clip'; run: number; id: number; plan: ClipPlan; buffer: ArrayBuffer | null }
  /** Forget the clips of `run` that are not begun. */
  | { kind: 'discard'; run: number }

export type WorkerReply =
  /** Float32 [channels, length, height, width] of each stream, one after the other. */
  { kind: 'clip'; id: number; buffer: ArrayBuffer } | { kind: 'failure'; id: number; failure: Failure }

/** An error on its way between threads. */
export interface Failure {
  /** null for a bug, which is not a KineoError. */
  code: ErrorCode | null
  message: string
  where: string | undefined
  remedy: string | undefined
  stack: string | undefined
}
