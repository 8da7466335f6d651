import { readdir, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { describeError, isCancelled, KineoError, throwIfCancelled } from '../../core/errors.ts'
import { RemainingTime } from '../../core/progress.ts'
import { version } from '../../core/version.ts'
import { isVideoFile } from '../../core/video-file.ts'
import { probe, type MediaInfo } from '../../media/index.ts'
import { softmax } from '../evaluation/metrics.ts'
import type { TaskHooks } from '../hooks.ts'
import { openModel, type ModelOptions, type PredictionModel } from './open-model.ts'
import { refuseExisting, ScoreFile } from './score-file.ts'
import { Timeline, type Stretch } from './timeline.ts'
import { clipSize, type WindowedVideo, type WindowSettings } from './window-batches.ts'
import { WindowRule } from './window-rule.ts'
import { WindowThread } from './window-thread.ts'

export interface PredictOptions extends ModelOptions {
  /** A checkpoint or an ONNX model. */
  model: string
  /** A video, or a folder of videos, also in folders below it. */
  input: string
  /** Frames between the starts of two windows; 1 by default. */
  stride?: number | undefined
  /** Where scores are stored: a file for one video, a folder for a folder. Without it they are not. */
  output?: string | undefined
  /** Overwrite what is there. */
  force?: boolean | undefined
  /** Windows that the network gets at once; by default as many as take little memory. */
  batchSize?: number | undefined
}

/** What was seen in one video. */
export interface PredictedVideo {
  /** Absolute. */
  path: string
  frames: number
  /** Frames per second, or null when the file does not say. */
  fps: number | null
  windows: number
  /** True when the video is shorter than a window and was played again from its start to fill one. */
  looped: boolean
  /** What the decoder complained of, when the file is damaged. */
  damage: string | null
  /** Which class leads when, from the first frame to the last; `mostStretches` at most. */
  stretches: Stretch[]
  moreStretches: number
  /** Frames in which each class leads. */
  leadingFrames: Record<string, number>
  /** The stored scores, absolute. */
  scoresFile: string | null
}

export interface PredictReport {
  /** Absolute. */
  model: string
  classNames: string[]
  /** Frames from the first to the last of a window, both included. */
  windowFrames: number
  videos: PredictedVideo[]
  failed: { path: string; reason: string }[]
}

export interface PredictHooks extends Pick<TaskHooks, 'signal' | 'onLine' | 'onProgress'> {
  /** Told after each video. */
  onVideo?: (video: PredictedVideo) => void
}

/** Memory that the clips of one batch may take unless a batch size is asked for. */
const batchBytes = 64 << 20
const mostInBatch = 8

/**
 * Scores videos as a sliding window: one score for each class and window, the softmax of the network's logits.
 * @throws KineoError when the model cannot be used, the input has no videos, or the output cannot be written; a video that
 * cannot be read is named in the report instead. CancelledError leaves the files of finished videos.
 */
export async function predict(options: PredictOptions, hooks: PredictHooks = {}): Promise<PredictReport> {
  const stride = options.stride ?? 1
  requireWhole('--stride', stride)
  if (options.batchSize !== undefined) requireWhole('--batch', options.batchSize)
  const { root, files } = await findVideoFiles(options.input)
  const outputs = outputFiles(options, root, files)
  const model = await openModel(options.model, options)
  try {
    for (const note of model.notes) hooks.onLine?.(note)
    const settings: WindowSettings = {
      window: model.window,
      stride,
      batchSize: 1,
      transform: model.transform,
      source: model.source,
    }
    settings.batchSize = options.batchSize ?? defaultBatch(settings, model)
    const thread = new WindowThread(settings)
    try {
      const scoring = new VideoScoring(model, resolve(options.model), settings, thread, hooks)
      return await scoreAll(scoring, files, outputs, hooks)
    } finally {
      await thread.dispose()
    }
  } finally {
    await model.dispose()
  }
}

async function scoreAll(
  scoring: VideoScoring,
  files: readonly string[],
  outputs: ReadonlyMap<string, string>,
  hooks: PredictHooks,
): Promise<PredictReport> {
  const { modelPath, model, rule } = scoring
  const report: PredictReport = {
    model: modelPath,
    classNames: model.classNames,
    windowFrames: rule.framesNeeded,
    videos: [],
    failed: [],
  }
  for (const [index, file] of files.entries()) {
    throwIfCancelled(hooks.signal)
    const name = files.length === 1 ? null : `video ${index + 1} of ${files.length}`
    try {
      const video = await scoring.score(file, outputs.get(file) ?? null, name)
      report.videos.push(video)
      hooks.onVideo?.(video)
    } catch (error) {
      if (isCancelled(error) || !(error instanceof KineoError) || error.code !== 'input') throw error
      report.failed.push({ path: file, reason: describeError(error) })
      hooks.onLine?.(`Left out: ${describeError(error)}`)
    }
  }
  return report
}

/** Scores one video after the other with the same model. */
class VideoScoring {
  readonly model: PredictionModel
  readonly modelPath: string
  readonly rule: WindowRule
  readonly #settings: WindowSettings
  readonly #thread: WindowThread
  readonly #hooks: PredictHooks

  constructor(
    model: PredictionModel,
    modelPath: string,
    settings: WindowSettings,
    thread: WindowThread,
    hooks: PredictHooks,
  ) {
    this.model = model
    this.modelPath = modelPath
    this.rule = new WindowRule(settings.window, settings.stride)
    this.#settings = settings
    this.#thread = thread
    this.#hooks = hooks
  }

  async score(file: string, output: string | null, name: string | null): Promise<PredictedVideo> {
    const { classNames } = this.model
    const info = await probe(file, this.#hooks.signal)
    const inFile = frameMapping(this.#settings.source.fps, info)
    const timeline = new Timeline(classNames)
    const progress = this.#progress(info, name)
    // A file that turns out not to be readable must not leave one of its scores.
    const scores =
      output === null ? null : await ScoreFile.create(output, this.#header(file, info), classNames)
    let windows = 0
    let looped = false
    let damage: string | null = null
    try {
      const batches = this.#thread.batches(file, {
        signal: this.#hooks.signal,
        onDamage: (complaint) => {
          damage = complaint
        },
      })
      let video: WindowedVideo
      try {
        for (;;) {
          const next = await batches.next()
          if (next.done === true) {
            video = next.value
            break
          }
          const { inputs, count, frames, decoded } = next.value
          looped ||= next.value.looped
          const logits = await this.model.logits(inputs, count)
          for (let row = 0; row < count; row++) {
            const its = softmax(logits.subarray(row * classNames.length, (row + 1) * classNames.length))
            const { first = 0, last = 0 } = frames[row] ?? {}
            const range = { first: inFile(first), last: inFile(last) }
            timeline.add(range, its)
            await scores?.add(range, its)
          }
          windows += count
          progress(decoded)
        }
      } finally {
        await batches.return({ frames: 0, width: 0, height: 0 })
      }
      const frames = inFile(video.frames - 1) + 1
      const { stretches, moreStretches, frames: leadingFrames } = timeline.finish(frames)
      await scores?.finish({
        frames,
        ...(looped
          ? { looped: `The video is shorter than a window; it was played again from its start` }
          : {}),
        ...(damage === null ? {} : { damage }),
      })
      return {
        path: file,
        frames,
        fps: info.frameRate,
        windows,
        looped,
        damage,
        stretches,
        moreStretches,
        leadingFrames,
        scoresFile: output,
      }
    } catch (error) {
      await scores?.abandon()
      throw error
    }
  }

  #progress(info: MediaInfo, name: string | null): (decoded: number) => void {
    const { fps } = this.#settings.source
    const seconds = info.durationSeconds
    const estimate =
      fps === null
        ? (info.frameCount ?? (seconds === null ? null : seconds * (info.frameRate ?? 0)))
        : seconds === null
          ? null
          : seconds * fps
    const total = estimate === null || estimate < 1 ? null : Math.round(estimate)
    const remaining = new RemainingTime()
    if (total !== null) remaining.update(0, total)
    const started = performance.now()
    return (decoded) => {
      const done = total === null ? decoded : Math.min(decoded, total)
      const perSecond = decoded / ((performance.now() - started) / 1000)
      this.#hooks.onProgress?.({
        done,
        total,
        unit: 'frames',
        remainingSeconds: total === null ? null : remaining.update(done, total),
        note: `${perSecond.toFixed(perSecond < 10 ? 1 : 0)} frames/s${name === null ? '' : `, ${name}`}`,
      })
    }
  }

  #header(file: string, info: MediaInfo): object {
    const { window, stride, source, transform } = this.#settings
    const flow = this.rule.streams.includes('of')
    return {
      kineo_version: version,
      video: file,
      fps: info.frameRate,
      width: info.width,
      height: info.height,
      model: this.modelPath,
      model_type: window.modelType,
      classes: this.model.classNames,
      scores: 'softmax',
      stride,
      window: this.rule.framesNeeded,
      sample_rate: window.sampleRate,
      ...Object.fromEntries(
        this.rule.streams.map((stream) => [`${stream}_sequence_length`, this.rule.lengthOf(stream)]),
      ),
      ...(flow
        ? {
            flow: 'Flow k lies between the frames k and k + 1; the frames of a window are all that its flow lies between',
          }
        : {}),
      frame_source: source,
      crop: transform.crop,
    }
  }
}

/**
 * What frame of the file a decoded one is: the same, or where it was resampled the one shown at its time.
 * @param fps What was resampled to, or null.
 */
function frameMapping(fps: number | null, info: MediaInfo): (index: number) => number {
  const rate = info.frameRate
  if (fps === null || rate === null) return (index) => index
  const last = info.frameCount === null ? Infinity : info.frameCount - 1
  return (index) => Math.min(last, Math.round((index * rate) / fps))
}

function defaultBatch(settings: WindowSettings, model: PredictionModel): number {
  if (model.fixedBatch !== null) return model.fixedBatch
  const bytes = new WindowRule(settings.window, 1).streams.reduce(
    (sum, stream) => sum + 4 * clipSize(settings, stream),
    0,
  )
  return Math.max(1, Math.min(mostInBatch, Math.floor(batchBytes / bytes)))
}

function requireWhole(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1e9) return
  throw new KineoError('usage', `${option} must be a whole number from 1, not ${value}`)
}

/** The video files that `input` means, absolute and sorted, and the folder that they lie in; null for one video. */
async function findVideoFiles(input: string): Promise<{ root: string | null; files: string[] }> {
  const path = resolve(input)
  const kind = await stat(path).catch((error: unknown) => {
    throw new KineoError('input', 'There is no such video or folder', { where: path, cause: error })
  })
  if (!kind.isDirectory()) return { root: null, files: [path] }
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new KineoError('input', 'The folder cannot be read', { where: path, cause: error })
  })
  const files = entries
    .filter((entry) => !entry.isDirectory() && isVideoFile(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !relative(path, file)
          .split(/[\\/]/)
          .some((part) => part.startsWith('.')),
    )
    .sort()
  if (files.length > 0) return { root: path, files }
  throw new KineoError('input', 'There are no videos in the folder', {
    where: path,
    remedy: 'Give a video file, or a folder of videos; prepared frames are for kineo inference',
  })
}

/** Where the scores of each video go. @throws KineoError `output` for one that is there already. */
function outputFiles(
  { output, force = false }: PredictOptions,
  root: string | null,
  files: readonly string[],
): Map<string, string> {
  const outputs = new Map<string, string>()
  if (output === undefined) return outputs
  if (root !== null && /\.json$/i.test(output)) {
    throw new KineoError('usage', '--out must be a folder for a folder of videos: each gets its own file', {
      remedy: 'Give a name without .json',
    })
  }
  for (const file of files) {
    const path = root === null ? resolve(output) : `${resolve(output, relative(root, file))}.json`
    refuseExisting(path, force)
    outputs.set(file, path)
  }
  return outputs
}
