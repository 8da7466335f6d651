import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { writeJsonAtomic } from '../core/atomic-file.ts'
import { CancelledError, describeError, isCancelled, KineoError } from '../core/errors.ts'
import { FileLock } from '../core/file-lock.ts'
import { RemainingTime } from '../core/progress.ts'
import {
  readSegments,
  requireSegmentFormat,
  writeSegments,
  type Segment,
  type SegmentProblem,
} from '../dataset/segments/index.ts'
import {
  cutAtKeyFrames,
  cutExactly,
  FrameTable,
  packedFrameTable,
  readFrameTable,
  type Cut,
  type TrueCut,
} from '../media/index.ts'
import type { TaskHooks } from './hooks.ts'

export interface CutOptions {
  video: string
  /** List of segments, in any format that `readSegments` knows. */
  segments: string
  /** Folder that gets `<class>/<video>_<first>-<last>.mp4`; null only converts the list. */
  output: string | null
  /** Copy between key frames instead of encoding every frame of the range anew. */
  keyframes: boolean
  audio: boolean
  lossless: boolean
  /** Cut unchanged clips again, and replace files that Kineo did not make. */
  force: boolean
  /** File to write the usable segments to, in the format that its name says. */
  writeSegments?: string | undefined
}

/** One clip as it came out. */
export interface CutClip {
  className: string
  firstFrame: number
  lastFrame: number
  /** Of the list. */
  line: number
  path: string
  status: 'written' | 'unchanged' | 'failed'
  reason: string | null
  /** Frames that the file holds: the range itself, or with `keyframes` at least that. Null when it failed. */
  trueCut: { firstFrame: number; lastFrame: number } | null
}

export interface CutReport {
  video: string
  /** Frames of the video. */
  frameCount: number
  /** Absolute, or null when only the list was converted. */
  output: string | null
  clips: CutClip[]
  written: number
  unchanged: number
  failed: number
  /** Entries of the list that are no segment of the video. */
  problems: SegmentProblem[]
  notes: string[]
  seconds: number
}

export interface CutHooks extends TaskHooks {
  onClip?: ((clip: CutClip) => void) | undefined
  /** Told of every entry that cannot be used, as soon as the list is read. */
  onProblem?: ((problem: SegmentProblem) => void) | undefined
}

/** Keeps what Kineo knows of the clips; hidden, so that it is no class. */
const recordsName = '.kineo-cut'
const millisecondsBetweenReports = 250
/** Bytes that a file system grants to one name, less what a partial one has more. */
const longestStem = 200

const frames = z.object({ firstFrame: z.number().int(), lastFrame: z.number().int() })
const record = z.object({
  version: z.literal(1),
  /** SHA-256 of the content of the video. */
  source: z.string(),
  table: packedFrameTable,
  /** By place, such as `wave/day_0-40.mp4`. */
  clips: z.record(z.string(), z.object({ settings: z.string(), size: z.number(), trueCut: frames })),
})
type CutRecord = z.infer<typeof record>

/**
 * Cuts a video into the clips of a list of segments, each in the folder of its class. A clip is whole or not there; one
 * that was cut before from the same content with the same settings stays as it is. Entries that cannot be used are
 * reported and the rest goes on. Where nothing can be cut, no folder is made.
 *
 * @throws KineoError `usage` for options that exclude each other, `input` when the video or the list cannot be read,
 *   `output` when the folder cannot be written; CancelledError, after which a second run goes on.
 */
export async function cutVideo(options: CutOptions, hooks: CutHooks = {}): Promise<CutReport> {
  const begun = performance.now()
  checkOptions(options)
  const video = resolve(options.video)
  await requireFile(video)
  await requireFile(resolve(options.segments))
  const output = options.output === null ? null : resolve(options.output)
  if (output !== null && (await stat(output).catch(() => null))?.isDirectory() === false) {
    throw new KineoError('output', 'The folder of the clips would have the place of a file', {
      where: output,
      remedy: 'Choose another --out',
    })
  }
  const source = await hashOfFile(video, hooks.signal)
  const known = output === null ? null : await readRecord(output, source)
  const table = known ? FrameTable.unpack(known.table) : await tableOf(video, hooks)
  const list = await readSegments(resolve(options.segments), table, basename(video))
  const notes = [...list.notes]
  if (table.damage !== null) notes.push(`The video is damaged; of its frames ${table.frameCount} can be read`)
  for (const note of notes) hooks.onLine?.(note)
  for (const problem of list.problems) hooks.onProblem?.(problem)
  if (options.writeSegments !== undefined && list.segments.length > 0) {
    await writeSegments(resolve(options.writeSegments), list.segments, table, basename(video))
  }
  const clips =
    output === null || list.segments.length === 0
      ? []
      : await cutInto(output, { video, source, table, segments: list.segments, known, options, hooks })
  const count = (status: CutClip['status']): number => clips.filter((clip) => clip.status === status).length
  return {
    video,
    frameCount: table.frameCount,
    output,
    clips,
    written: count('written'),
    unchanged: count('unchanged'),
    failed: count('failed'),
    problems: list.problems,
    notes,
    seconds: (performance.now() - begun) / 1000,
  }
}

function checkOptions({ keyframes, audio, lossless, output, writeSegments: list }: CutOptions): void {
  for (const [name, given] of Object.entries({ '--audio': audio, '--lossless': lossless })) {
    if (keyframes && given) {
      throw new KineoError('usage', `--keyframes and ${name} exclude each other`, {
        remedy: 'A copy between key frames is of the pictures as they are, without sound',
      })
    }
  }
  if (output === null && list === undefined) {
    throw new KineoError('usage', '--out is missing: the folder of the clips')
  }
  if (list !== undefined) requireSegmentFormat(list)
}

async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new KineoError('input', 'Cannot open the file', {
      where: path,
      remedy: 'Is it still there?',
      cause,
    })
  })
  if (!found.isFile()) throw new KineoError('input', 'Not a file', { where: path })
}

async function hashOfFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path), hash, { ...(signal && { signal }) })
  } catch (cause) {
    if (isCancelled(cause)) throw new CancelledError()
    throw new KineoError('input', 'Cannot read the file', { where: path, cause })
  }
  return hash.digest('hex')
}

async function tableOf(video: string, hooks: CutHooks): Promise<FrameTable> {
  let lastReport = -Infinity
  const onFrames = (done: number): void => {
    const now = performance.now()
    if (now - lastReport < millisecondsBetweenReports) return
    lastReport = now
    hooks.onProgress?.({ done, total: null, unit: 'frames seen', remainingSeconds: null })
  }
  return readFrameTable(video, { onFrames, signal: hooks.signal })
}

function recordPath(output: string, source: string): string {
  return join(output, recordsName, `${source.slice(0, 16)}.json`)
}

/** What is known of the clips of this video in the folder; null when nothing is. */
async function readRecord(output: string, source: string): Promise<CutRecord | null> {
  const text = await readFile(recordPath(output, source), 'utf8').catch(() => null)
  if (text === null) return null
  try {
    const known = record.safeParse(JSON.parse(text))
    return known.success && known.data.source === source ? known.data : null
  } catch {
    return null
  }
}

interface Work {
  video: string
  source: string
  table: FrameTable
  segments: readonly Segment[]
  known: CutRecord | null
  options: CutOptions
  hooks: CutHooks
}

/** Clips under way and what was known before; the folder of the records lies beside the classes. */
async function cutInto(output: string, work: Work): Promise<CutClip[]> {
  const { source, table, segments, known } = work
  const records = join(output, recordsName)
  const own = join(records, source.slice(0, 16))
  const madeHere: string[] = []
  for (let folder = records; !existsSync(folder); folder = dirname(folder)) madeHere.push(folder)
  let lock: FileLock | null = null
  try {
    await mkdir(records, { recursive: true })
    lock = takeLock(`${own}.lock`, output)
    await rm(`${own}.partial`, { recursive: true, force: true })
    const start: CutRecord = { version: 1, source, table: table.pack(), clips: { ...known?.clips } }
    return await new ClipCutter(output, `${own}.partial`, work, start).cutAll(segments)
  } catch (error) {
    throw outputError(error, output)
  } finally {
    if (lock !== null) {
      await rm(`${own}.partial`, { recursive: true, force: true })
      lock.release()
      await rm(`${own}.lock`, { force: true })
    }
    // Folders that got no clip were made in vain; one that holds something stays.
    for (const folder of madeHere) await rmdir(folder).catch(() => undefined)
  }
}

/** Two at once on the same video and folder would take each other's unfinished clips for leftovers. */
function takeLock(path: string, output: string): FileLock | null {
  let lock: FileLock | null
  try {
    lock = FileLock.tryAcquire(path, 2000)
  } catch {
    // Some network shares know no locks; the work can be done all the same.
    return null
  }
  if (lock !== null) return lock
  throw new KineoError('output', 'Another Kineo cuts this video into this folder', {
    where: output,
    remedy: 'Wait until it is done',
  })
}

/** A full disk or a folder that may not be written concerns all clips. */
function outputError(error: unknown, output: string): unknown {
  if (!(error instanceof Error) || error instanceof KineoError || isCancelled(error)) return error
  if (!('code' in error) || typeof error.code !== 'string') return error
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT'
  return new KineoError('output', full ? 'The disk is full' : 'The clips cannot be written', {
    where: output,
    remedy: full ? 'Make room and start again: whole clips are kept' : describeError(error),
    cause: error,
  })
}

/** Size in the record of a clip that is still to come: what stands in its place may be replaced. */
const pendingSize = -1

/** Makes the clips of one list and keeps the record of them. */
class ClipCutter {
  readonly #output: string
  readonly #workshop: string
  readonly #work: Work
  readonly #record: CutRecord
  readonly #settings: string
  readonly #clips = new Map<string, CutClip>()

  constructor(output: string, workshop: string, work: Work, start: CutRecord) {
    this.#output = output
    this.#workshop = workshop
    this.#work = work
    this.#record = start
    const { keyframes, audio, lossless } = work.options
    this.#settings = keyframes ? 'keyframes' : `exact-1${audio ? ' audio' : ''}${lossless ? ' lossless' : ''}`
  }

  async cutAll(segments: readonly Segment[]): Promise<CutClip[]> {
    const cuts: Cut[] = []
    for (const segment of segments) {
      const cut = await this.#plan(segment)
      if (cut !== null) cuts.push(cut)
    }
    if (cuts.length > 0) {
      await this.#save()
      try {
        await (this.#work.options.keyframes ? this.#copyAll(cuts) : this.#encodeAll(cuts))
      } catch (error) {
        throw isCancelled(error) ? this.#stopped() : error
      } finally {
        await this.#forgetPending(cuts)
      }
    }
    return [...this.#clips.values()]
  }

  /** What is to be cut of the segment, or null when its clip is there or cannot be made. */
  async #plan(segment: Segment): Promise<Cut | null> {
    const { className, firstFrame, lastFrame, line } = segment
    const { video, options } = this.#work
    const place = `${className}/${clipName(video, segment)}`
    const path = join(this.#output, className, clipName(video, segment))
    const clip: CutClip = {
      ...{ className, firstFrame, lastFrame, line, path },
      ...{ status: 'failed', reason: null, trueCut: null },
    }
    this.#clips.set(place, clip)
    const standing = await stat(path).catch(() => null)
    const known = this.#record.clips[place]
    if (standing?.isFile() && !options.force) {
      if (known?.settings === this.#settings && known.size === standing.size) {
        this.#finish(place, { status: 'unchanged', trueCut: known.trueCut })
        return null
      }
      if (known === undefined) {
        this.#finish(place, { reason: `another file has its place, ${path}; --force replaces it` })
        return null
      }
    } else if (standing !== null && !standing.isFile()) {
      this.#finish(place, { reason: `a folder has its place, ${path}` })
      return null
    }
    this.#record.clips[place] = {
      settings: this.#settings,
      size: pendingSize,
      trueCut: { firstFrame, lastFrame },
    }
    return { firstFrame, lastFrame, out: path }
  }

  #finish(place: string, outcome: Partial<CutClip>): void {
    const clip = this.#clips.get(place)
    if (!clip) return
    Object.assign(clip, outcome)
    this.#work.hooks.onClip?.(clip)
  }

  async #written(place: string, path: string, { firstFrame, lastFrame }: TrueCut): Promise<void> {
    const trueCut = { firstFrame, lastFrame }
    this.#record.clips[place] = { settings: this.#settings, size: (await stat(path)).size, trueCut }
    this.#finish(place, { status: 'written', trueCut })
  }

  async #encodeAll(cuts: readonly Cut[]): Promise<void> {
    const { video, table, options, hooks } = this.#work
    const total = cuts.reduce((sum, cut) => sum + cut.lastFrame - cut.firstFrame + 1, 0)
    const remaining = new RemainingTime()
    let lastReport = -Infinity
    await cutExactly(video, table, cuts, this.#workshop, {
      audio: options.audio,
      lossless: options.lossless,
      signal: hooks.signal,
      onFrames: (done) => {
        const now = performance.now()
        if (done < total && now - lastReport < millisecondsBetweenReports) return
        lastReport = now
        const remainingSeconds = remaining.update(done, total)
        hooks.onProgress?.({ done, total, unit: 'frames', remainingSeconds })
      },
      onClip: (cut) => this.#written(this.#placeOf(cut), cut.out, cut),
      onFailed: (cut, error) => this.#finish(this.#placeOf(cut), { reason: error.describe() }),
    })
  }

  async #copyAll(cuts: readonly Cut[]): Promise<void> {
    const { video, table, hooks } = this.#work
    const remaining = new RemainingTime()
    for (const [done, cut] of cuts.entries()) {
      const remainingSeconds = remaining.update(done, cuts.length)
      hooks.onProgress?.({ done, total: cuts.length, unit: 'clips', remainingSeconds })
      try {
        const trueCut = await cutAtKeyFrames(video, table, cut, this.#workshop, hooks.signal)
        await this.#written(this.#placeOf(cut), cut.out, trueCut)
      } catch (error) {
        if (!(error instanceof KineoError) || error.code !== 'input') throw error
        this.#finish(this.#placeOf(cut), { reason: error.describe() })
      }
    }
  }

  #placeOf(cut: Cut): string {
    return `${basename(dirname(cut.out))}/${basename(cut.out)}`
  }

  #stopped(): CancelledError {
    const clips = [...this.#clips.values()]
    const done = clips.filter(({ status }) => status !== 'failed').length
    return new CancelledError(
      `Stopped with ${done} of ${clips.length} clips there; start again to go on from there`,
    )
  }

  /** What was not cut stands in the record no longer, unless an older file of ours is still there. */
  async #forgetPending(cuts: readonly Cut[]): Promise<void> {
    for (const cut of cuts) {
      const place = this.#placeOf(cut)
      if (this.#record.clips[place]?.size === pendingSize && !existsSync(cut.out)) {
        delete this.#record.clips[place]
      }
    }
    if (Object.keys(this.#record.clips).length > 0) await this.#save()
    else await rm(recordPath(this.#output, this.#work.source), { force: true })
  }

  async #save(): Promise<void> {
    await writeJsonAtomic(recordPath(this.#output, this.#work.source), this.#record)
  }
}

/** `day_0-40.mp4`; a very long name of a video is cut and told apart by a hash. */
function clipName(video: string, { firstFrame, lastFrame }: Segment): string {
  let stem = basename(video, extname(video))
  if (Buffer.byteLength(stem) > longestStem) {
    const hash = createHash('sha256').update(stem).digest('hex').slice(0, 8)
    while (Buffer.byteLength(stem) > longestStem - 9) stem = [...stem].slice(0, -1).join('')
    stem += `_${hash}`
  }
  return `${stem}_${firstFrame}-${lastFrame}.mp4`
}
