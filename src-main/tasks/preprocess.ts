import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { realpath, stat } from 'node:fs/promises'
import { CancelledError, isCancelled, KineoError, throwIfCancelled } from '../core/errors.ts'
import { RemainingTime } from '../core/progress.ts'
import { outputError, systemReason } from '../core/system-error.ts'
import { ClipWriter } from '../dataset/clip-writer.ts'
import { contentHash } from '../dataset/set-aside.ts'
import { FlowPool } from '../flow/index.ts'
import { decodeFrames, mediaTools, probe } from '../media/index.ts'
import { FlowWriting } from './flow-writing.ts'
import type { TaskHooks } from './hooks.ts'
import { DatasetFolder, isUnchanged, type ClipManifest, type ImageOptions } from './prepared-clip.ts'
import {
  count,
  isWithin,
  planClips,
  requireApart,
  requireClear,
  type PlannedClip,
} from './preprocess-plan.ts'

export interface PreprocessOptions {
  /** One video, a folder of class-named folders of videos, or the same with train/ and val/ above. */
  input: string
  /** Folder of the dataset; made when missing. */
  output: string
  flow: 'dis' | 'none'
  preset: 'fast' | 'medium'
  /** Longest side of the images in pixels; larger videos are scaled down. */
  maxSide?: number | undefined
  /** Frames per second to resample to; by default every decoded frame. */
  fps?: number | undefined
  /** Clips worked on at a time, and threads for optical flow; by default one a core. */
  workers?: number | undefined
  /** Share of each class to set aside as val/. */
  valFraction?: number | undefined
  /** Decides which clips are set aside. */
  seed: number
}

/** What became of one video. */
export interface ClipOutcome {
  source: string
  /** Place of the clip within the dataset, such as `train/wave/anna_01`. */
  place: string
  status: 'written' | 'unchanged' | 'failed'
  /** Number and size of the frames; 0 when it failed. */
  frames: number
  width: number
  height: number
  /** What was wrong with a video of which only some frames could be decoded, or null. */
  warning: string | null
  /** Why it failed, or null. */
  reason: string | null
}

export interface PreprocessReport {
  /** The dataset, absolute. */
  output: string
  written: number
  unchanged: number
  failed: number
  /** Frames written in this run. */
  frames: number
  seconds: number
  clips: ClipOutcome[]
  /** Files of the input that are no videos. */
  ignored: string[]
}

export interface PreprocessHooks extends TaskHooks {
  /** A clip is done with, one way or another. */
  onClip?: (outcome: ClipOutcome) => void
}

/**
 * Makes a dataset in TAO's layout out of videos: `<output>/[train|val]/<class>/<clip>/{rgb,u,v}`. Clips appear whole or
 * not at all; what is there already, from the same content with the same options, stays. A clip that Kineo made from a
 * video of this input, but which the input gives no longer, or gives to another place, is removed or moved.
 *
 * A video that cannot be read ends in the report, not in an error, and the rest goes on.
 *
 * @throws KineoError `usage` for options that cannot be, `input` when there is nothing to read, `output` when the dataset
 *   cannot be written; CancelledError.
 */
export async function preprocess(
  options: PreprocessOptions,
  hooks: PreprocessHooks = {},
): Promise<PreprocessReport> {
  checkOptions(options)
  await requireApart(options.input, options.output)
  const { valFraction = null, seed } = options
  const plan = await planClips(options.input, valFraction, seed, hooks.signal)
  await requireClear(plan.clips, options.input, options.output)
  for (const note of plan.notes) hooks.onLine?.(note)
  const report = await prepareClips(plan.clips, options, hooks)
  return { ...report, ignored: plan.ignored }
}

/** The same for clips that were planned elsewhere; `input` is where they come from. */
export async function prepareClips(
  clips: readonly PlannedClip[],
  options: Omit<PreprocessOptions, 'valFraction' | 'seed'>,
  hooks: PreprocessHooks = {},
): Promise<PreprocessReport> {
  await mediaTools()
  const started = performance.now()
  const folder = await DatasetFolder.open(resolve(options.output), hooks.onLine)
  const workers = options.workers ?? availableParallelism()
  const pool = new FlowPool(workers)
  try {
    const places = clips.map(({ place }) => place)
    await folder.requireFree(places)
    const stale = await folder.stale(places, resolve(options.input))
    const run = new Run(clips, options, hooks, folder, pool, stale)
    const outcomes = await run.all(Math.min(workers, clips.length))
    const having = (status: ClipOutcome['status']): number =>
      outcomes.filter((outcome) => outcome.status === status).length
    return {
      output: folder.path,
      written: having('written'),
      unchanged: having('unchanged'),
      failed: having('failed'),
      frames: run.frames,
      seconds: (performance.now() - started) / 1000,
      clips: outcomes,
      ignored: [],
    }
  } finally {
    await pool.dispose()
    await folder.close()
  }
}

function checkOptions(options: PreprocessOptions): void {
  const { input, output, maxSide, fps, workers, valFraction, seed } = options
  if (input === '' || output === '') {
    throw new KineoError('usage', `The name of the ${input === '' ? 'input' : 'output'} is empty`)
  }
  const wrong = (option: string, rule: string): never => {
    throw new KineoError('usage', `${option} must be ${rule}`)
  }
  const whole = (value: number | undefined): boolean =>
    value === undefined || (Number.isSafeInteger(value) && value >= 1)
  if (!whole(maxSide)) wrong('--max-side', 'a whole number of pixels, 1 or more')
  if (!whole(workers)) wrong('--workers', 'a whole number, 1 or more')
  if (fps !== undefined && !(fps > 0 && fps <= 1000)) wrong('--fps', 'a number of frames per second above 0')
  if (valFraction !== undefined && !(valFraction > 0 && valFraction < 1))
    wrong('--val', 'above 0 and below 1')
  if (!Number.isSafeInteger(seed) || seed < 0) wrong('--seed', 'a whole number, 0 or more')
}

/** One run over the planned clips. */
class Run {
  /** Frames written. */
  frames = 0
  readonly #clips: readonly PlannedClip[]
  readonly #options: Omit<PreprocessOptions, 'valFraction' | 'seed'>
  readonly #images: ImageOptions
  readonly #hooks: PreprocessHooks
  readonly #folder: DatasetFolder
  readonly #pool: FlowPool
  readonly #stale: Map<string, ClipManifest>
  /** Stops the other clips when one meets an error that is not its own. */
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #remaining = new RemainingTime()
  readonly #started = performance.now()
  #lastReport = -Infinity
  #done = 0
  #bytesDone = 0
  #bytesTotal = 0
  /** Of each clip under way: the share that is done of its bytes. */
  readonly #underWay = new Map<PlannedClip, number>()

  constructor(
    clips: readonly PlannedClip[],
    options: Omit<PreprocessOptions, 'valFraction' | 'seed'>,
    hooks: PreprocessHooks,
    folder: DatasetFolder,
    pool: FlowPool,
    staleClips: Map<string, ClipManifest>,
  ) {
    this.#clips = clips
    this.#options = options
    const { flow, preset, maxSide = null, fps = null } = options
    this.#images = { flow, preset, maxSide, fps }
    this.#hooks = hooks
    this.#folder = folder
    this.#pool = pool
    this.#stale = staleClips
    this.#signal = hooks.signal ? AbortSignal.any([hooks.signal, this.#stop.signal]) : this.#stop.signal
  }

  /** Works on `lanes` clips at a time; outcomes stand in the order of the clips. */
  async all(lanes: number): Promise<ClipOutcome[]> {
    const sizes = await Promise.all(
      this.#clips.map(({ source }) =>
        stat(source).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    )
    this.#bytesTotal = sizes.reduce((sum, size) => sum + size, 0)
    const outcomes: ClipOutcome[] = []
    const queue = this.#clips.entries()
    let failure: { error: unknown } | undefined
    const lane = async (): Promise<void> => {
      for (const [index, clip] of queue) {
        if (this.#signal.aborted) return
        try {
          outcomes[index] = await this.#one(clip, sizes[index] ?? 0)
        } catch (error) {
          if (!failure || isCancelled(failure.error)) failure = { error }
          this.#stop.abort()
        }
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    if (this.#hooks.signal?.aborted) {
      const whole = outcomes.filter((outcome) => outcome !== undefined && outcome.status !== 'failed').length
      throw new CancelledError(
        `Stopped with ${whole} of ${count(this.#clips.length, 'clip')} whole; start again to go on from there`,
      )
    }
    if (failure) throw failure.error
    await this.#removeStale()
    return outcomes
  }

  async #one(clip: PlannedClip, size: number): Promise<ClipOutcome> {
    const outcome = await this.#outcome(clip, size)
    this.#underWay.delete(clip)
    this.#bytesDone += size
    this.#done++
    this.#hooks.onClip?.(outcome)
    this.#report(true)
    return outcome
  }

  /** An unreadable video is an outcome; anything else that goes wrong is an error. */
  async #outcome(clip: PlannedClip, size: number): Promise<ClipOutcome> {
    const { source, place } = clip
    try {
      const hash = await contentHash(source, this.#signal).catch((cause: unknown) => {
        throwIfCancelled(this.#signal)
        throw new KineoError('input', `Cannot read the file${systemReason(cause)}`, { where: source, cause })
      })
      const known = await this.#find(clip, hash)
      const other = known ? null : await this.#otherVideo(clip)
      if (other !== null) {
        return failed(
          clip,
          `The dataset has a clip of this name already, from ${other}. Rename one of the two`,
        )
      }
      const its = known ?? (await this.#make(clip, hash, size))
      const { frames, width, height, warning } = its
      return {
        source,
        place,
        status: known ? 'unchanged' : 'written',
        frames,
        width,
        height,
        warning,
        reason: null,
      }
    } catch (error) {
      if (!(error instanceof KineoError) || error.code !== 'input')
        throw outputError(error, this.#folder.path)
      if (await this.#folder.manifest(place)) await this.#folder.remove(place)
      const reason = new KineoError(
        'input',
        error.message,
        error.remedy ? { remedy: error.remedy } : {},
      ).describe()
      return failed(clip, reason)
    }
  }

  /** A video outside of the input, still there, whose clip has the place of this one; null mostly. */
  async #otherVideo({ source, place }: PlannedClip): Promise<string | null> {
    const other = (await this.#folder.manifest(place))?.source ?? source
    if (other === source || isWithin(resolve(this.#options.input), other)) return null
    const [its, own] = await Promise.all([other, source].map((path) => realpath(path).catch(() => null)))
    return its === null || its === own ? null : other
  }

  /** The clip as it stands in the dataset, moved to its place if need be; null when it has to be made. */
  async #find({ source, place }: PlannedClip, hash: string): Promise<ClipManifest | null> {
    const here = await this.#folder.manifest(place)
    if (here && isUnchanged(here, hash, this.#images)) return here
    for (const [elsewhere, its] of this.#stale) {
      if (its.source !== source || !isUnchanged(its, hash, this.#images)) continue
      this.#stale.delete(elsewhere)
      await this.#folder.move(elsewhere, place)
      return its
    }
    return null
  }

  async #make(clip: PlannedClip, hash: string, size: number): Promise<ClipManifest> {
    const folder = this.#folder.newClip()
    const frameCount = await this.#expectedFrames(clip.source, size)
    const writer = await ClipWriter.create(folder)
    const flow = new FlowWriting(this.#pool, writer, this.#images.preset, this.#signal)
    const seen = { frames: 0, width: 0, height: 0 }
    let warning: string | null = null
    const frames = decodeFrames(clip.source, {
      maxSide: this.#options.maxSide,
      fps: this.#options.fps,
      // With a clip for each worker, threads within a decoder only get in each other's way.
      threads: this.#clips.length > 1 ? 1 : undefined,
      onDamage: (complaint) => (warning = complaint),
      signal: this.#signal,
    })
    try {
      for await (const { index, width, height, rgb } of frames) {
        await writer.writeFrame(index, { width, height, data: rgb })
        if (this.#images.flow === 'dis') await flow.add(rgb, width, height)
        Object.assign(seen, { frames: index + 1, width, height })
        this.frames++
        if (frameCount !== null) this.#underWay.set(clip, Math.min(1, index / frameCount) * size)
        this.#report(false)
      }
      await flow.finish()
    } finally {
      await writer.finish()
    }
    if (warning !== null)
      warning = `damaged, ${count(seen.frames, 'frame')} could be decoded (${String(warning)})`
    if (seen.frames === 1 && this.#images.flow === 'dis') warning ??= 'a single frame has no optical flow'
    throwIfCancelled(this.#signal)
    const its: ClipManifest = {
      ...{ version: 1, source: clip.source, input: resolve(this.#options.input) },
      ...{ contentHash: hash, options: this.#images },
      ...{ ...seen, warning },
    }
    await this.#folder.keep(folder, clip.place, its)
    return its
  }

  /** Frames that a long video announces, to tell progress within it; short ones are not worth asking. */
  async #expectedFrames(source: string, size: number): Promise<number | null> {
    if (size < 4_000_000 && this.#clips.length > 1) return null
    const { frameCount, frameRate, durationSeconds } = await probe(source, this.#signal)
    const rate = this.#options.fps ?? frameRate
    const byTime = rate !== null && durationSeconds !== null ? rate * durationSeconds : null
    return this.#options.fps === undefined ? (frameCount ?? byTime) : byTime
  }

  async #removeStale(): Promise<void> {
    for (const place of this.#stale.keys()) await this.#folder.remove(place)
    if (this.#stale.size > 0) {
      this.#hooks.onLine?.(`Removed ${count(this.#stale.size, 'clip')} whose video is no longer in the input`)
    }
  }

  #report(always: boolean): void {
    const now = performance.now()
    if (!always && now - this.#lastReport < 250) return
    this.#lastReport = now
    const underWay = [...this.#underWay.values()].reduce((sum, bytes) => sum + bytes, 0)
    const rate = this.frames / ((now - this.#started) / 1000)
    this.#hooks.onProgress?.({
      done: this.#done,
      total: this.#clips.length,
      unit: 'clips',
      remainingSeconds: this.#remaining.update(this.#bytesDone + underWay, this.#bytesTotal, now),
      note: `${rate.toFixed(rate < 10 ? 1 : 0)} frames/s`,
    })
  }
}

function failed({ source, place }: PlannedClip, reason: string): ClipOutcome {
  return { source, place, status: 'failed', frames: 0, width: 0, height: 0, warning: null, reason }
}
