import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KineoError } from '../core/errors.ts'
import type { FrameIndex } from '../core/units.ts'
import { keepEveryFrame, readOutput, startFfmpeg } from './ffmpeg-process.ts'
import { cornerOfFrame, TimeLines, tellTimes, type FrameTable } from './frame-table.ts'
import { countMp4Frames } from './mp4-frames.ts'
import { mediaTools } from './media-tools.ts'
import { streamFacts } from './stream-facts.ts'

/** A range of frames and the file that gets it. */
export interface Cut {
  /** Inclusive, both. */
  firstFrame: FrameIndex
  lastFrame: FrameIndex
  /** Absolute path of an MP4 file; its folder is made when missing, and an older file goes. */
  out: string
}

export interface ExactCutOptions {
  /** Every picture as it was decoded, to the bit, in larger files that not every player opens. */
  lossless?: boolean | undefined
  /** Take the sound of the range along. */
  audio?: boolean | undefined
  /** Told of each clip that is whole, in its place. */
  onClip?: ((cut: Cut) => void | Promise<void>) | undefined
  /** Told of each clip that cannot be cut, whereupon the others go on; without it the failure is thrown. */
  onFailed?: ((cut: Cut, error: KineoError) => void) | undefined
  /** Told now and then how many frames of the clips were written. */
  onFrames?: ((frames: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** A new pass costs the start of an ffmpeg, in which about so many frames are decoded instead. */
const framesWorthAStart = 60
/** Windows grants 32767 characters to a whole command. */
const mostCutsOfPass = 200

/** Major version of libavutil of ffmpeg 5.0; some before it give the last frame no length, and edit lists hide it then. */
const durationsSince = 57

/** Cuts that one ffmpeg makes, in ascending order and without overlap, and the key frame that it starts at. */
interface Pass {
  cuts: Cut[]
  start: FrameIndex
}

/**
 * Cuts clips out of a video: every frame of each range and no other, at their times, encoded anew (H.264 in MP4 at a
 * quality at which no difference is seen). The first frame of a clip is at time 0. Pictures are upright, without the
 * last row or column where a side is odd. Each file is whole or not there.
 *
 * Few ffmpeg do all clips: one decodes from a key frame through neighbouring clips in one go. It reports the time stamp of
 * every frame that it encodes; where these are not those of the range, as happens in files whose index is wrong, the
 * clips are cut again by counting frames from the start of the file.
 *
 * @param table The frame table of this very file.
 * @param workshop Folder for unfinished files, on the file system of the clips; made when missing, not removed.
 * @throws KineoError `input` when the frames do not come, `output` when a file cannot be written; CancelledError.
 */
export async function cutExactly(
  video: string,
  table: FrameTable,
  cuts: readonly Cut[],
  workshop: string,
  options: ExactCutOptions = {},
): Promise<void> {
  if (cuts.length === 0) return
  const encoder = await encoderWords(video, options)
  const fromStart = table.damage !== null || !table.hasDistinctTimes
  let framesDone = 0
  for (const pass of planPasses(cuts, table, options.audio === true ? 1 : mostCutsOfPass, fromStart)) {
    const frames = pass.cuts.reduce((sum, cut) => sum + lengthOf(cut), 0)
    const onFrames = (done: number): void => options.onFrames?.(framesDone + Math.min(done, frames))
    const attempt = { video, table, workshop, encoder, options, onFrames }
    try {
      if (!(await runPass(pass, !fromStart, attempt))) await runPass(pass, false, attempt)
      for (const cut of pass.cuts) await options.onClip?.(cut)
    } catch (error) {
      if (!options.onFailed || !(error instanceof KineoError) || error.code !== 'input') throw error
      for (const cut of pass.cuts) options.onFailed(cut, error)
    }
    framesDone += frames
  }
}

/** Groups cuts so that little is decoded in vain and few ffmpeg are started. */
function planPasses(cuts: readonly Cut[], table: FrameTable, most: number, fromStart: boolean): Pass[] {
  const passes: Pass[] = []
  for (const cut of cuts.toSorted((a, b) => a.firstFrame - b.firstFrame || a.lastFrame - b.lastFrame)) {
    const start = table.keyFrameAtOrBefore(cut.firstFrame)
    const joined = passes.find((pass) => {
      const end = pass.cuts.at(-1)?.lastFrame ?? Infinity
      return end < cut.firstFrame && pass.cuts.length < most && (fromStart || start - end < framesWorthAStart)
    })
    if (joined) joined.cuts.push(cut)
    else passes.push({ cuts: [cut], start })
  }
  return passes
}

function lengthOf({ firstFrame, lastFrame }: Cut): number {
  return lastFrame - firstFrame + 1
}

interface Attempt {
  video: string
  table: FrameTable
  workshop: string
  encoder: string[]
  options: ExactCutOptions
  onFrames: (frames: number) => void
}

/**
 * @param seek Whether to start at a key frame and choose frames by time, or at the start and choose by number.
 * @returns False when seeking gave other frames.
 */
async function runPass({ cuts, start }: Pass, seek: boolean, attempt: Attempt): Promise<boolean> {
  const { video, table, workshop, encoder, options } = attempt
  const frames = cuts.reduce((sum, cut) => sum + lengthOf(cut), 0)
  const ranges = cuts.map(({ firstFrame, lastFrame }) =>
    seek
      ? `between(pts,${table.ptsOf(firstFrame)},${table.ptsOf(lastFrame)})`
      : `between(n,${firstFrame},${lastFrame})`,
  )
  // Old ffmpeg resets the times of the second file of its splitting and those after it, but not of the first.
  const shape = [
    ...(options.lossless === true
      ? []
      : ["crop=w='iw-mod(iw,2)':h='ih-mod(ih,2)':x=0:y=0", 'format=yuv420p']),
    'setpts=PTS-STARTPTS',
  ]
  const choose = `select='${ranges.join('+')}'`
  const every = [...(await keepEveryFrame()), '-frames:v', String(frames)]
  const { avutil } = await mediaTools()
  const isOld = avutil[0] < durationsSince
  await mkdir(workshop, { recursive: true })
  const process = await startFfmpeg({
    input: resolve(video),
    inputOptions: ['-y', '-copyts', ...(seek ? seekWords(table, start) : [])],
    outputOptions: [
      ...['-map', '0:V:0', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...['-filter:v', [choose, ...shape].join(','), '-enc_time_base', '-1', ...every, ...encoder],
      ...(options.audio === true ? soundWords(cuts, table) : ['-an']),
      ...['-fflags', '+bitexact', ...fileWords(cuts, workshop, options.audio === true, isOld)],
      // The same choice once more, for the time stamps that prove it.
      ...['-map', '0:V:0', '-an', '-sn', '-dn', '-filter:v', `${choose},${cornerOfFrame}`, ...every],
      ...tellTimes,
    ],
    signal: options.signal,
  })
  const lines = new TimeLines()
  const told: number[] = []
  const chunks = readOutput(process, options.signal)
  try {
    let next = await chunks.next()
    while (!next.done) {
      told.push(...lines.push(next.value).map(({ pts }) => pts))
      attempt.onFrames(told.length)
      next = await chunks.next()
    }
    const { failure, messages } = next.value
    const isRight = await holdsExactly(cuts, told, table, workshop)
    if (!isRight && seek) return false
    if (!isRight || failure !== null) {
      throw cutError(video, messages.at(-1) ?? failure)
    }
    for (const [index, cut] of cuts.entries()) {
      await mkdir(dirname(cut.out), { recursive: true })
      await rename(join(workshop, `${index}.mp4`), cut.out)
    }
    return true
  } finally {
    await chunks.return({ failure: null, messages: [] })
    for (const index of cuts.keys()) await rm(join(workshop, `${index}.mp4`), { force: true })
  }
}

/** Whether the frames that came are those of the ranges, and each file has its share of them. */
async function holdsExactly(
  cuts: readonly Cut[],
  told: readonly number[],
  table: FrameTable,
  workshop: string,
): Promise<boolean> {
  const wanted = cuts.flatMap(({ firstFrame, lastFrame }) => {
    const pts: number[] = []
    for (let frame: number = firstFrame; frame <= lastFrame; frame++) {
      pts.push(table.ptsOf(frame as FrameIndex))
    }
    return pts
  })
  if (wanted.length !== told.length || wanted.some((pts, at) => pts !== told[at])) return false
  for (const [index, cut] of cuts.entries()) {
    const count = await countMp4Frames(join(workshop, `${index}.mp4`)).catch(() => null)
    if (count !== lengthOf(cut)) return false
  }
  return true
}

function cutError(video: string, said: string | null): KineoError {
  if (said !== null && /No space left|Disk quota/.test(said)) {
    return new KineoError('output', 'The disk is full', {
      where: said,
      remedy: 'Make room and start again: whole clips are kept',
    })
  }
  return new KineoError('input', 'The frames of the range cannot be cut', {
    where: video,
    remedy: said === null ? 'Other frames came out of the file than before' : `ffmpeg says: ${said}`,
  })
}

/** Words to start at the key frame: the time is rounded down, so that it never lies behind it. */
export function seekWords(table: FrameTable, keyFrame: FrameIndex): string[] {
  const { numerator, denominator } = table.timeBase
  const time = Math.floor((table.ptsOf(keyFrame) * numerator * 1e6) / denominator) / 1e6
  // At the start there is nothing to seek, and some formats cannot.
  return keyFrame === 0 ? [] : ['-noaccurate_seek', '-seek_timestamp', '1', '-ss', time.toFixed(6)]
}

/** Names that every ffmpeg takes for each of the three. */
const namedColours = new Set(['bt709', 'smpte170m', 'smpte240m'])

async function encoderWords(video: string, { lossless }: ExactCutOptions): Promise<string[]> {
  const { pixelFormat, colorSpace, colorPrimaries, colorTransfer } = await streamFacts(video)
  // Nothing refers to frames that are shown later: each reader of a clip counts its frames alike.
  const common = ['-preset', 'veryfast', '-bf', '0']
  // Old ffmpeg forgets which colours the numbers stand for.
  const colours = { colorspace: colorSpace, color_primaries: colorPrimaries, color_trc: colorTransfer }
  for (const [option, value] of Object.entries(colours)) {
    if (value !== null && namedColours.has(value)) common.push(`-${option}`, value)
  }
  if (lossless === true) {
    const isRgb = /^(?:rgb|bgr|gbr|0rgb|0bgr|argb|abgr|pal8)/.test(pixelFormat ?? '')
    return ['-c:v', isRgb ? 'libx264rgb' : 'libx264', '-qp', '0', ...common]
  }
  return ['-c:v', 'libx264', '-crf', '14', ...common]
}

/** Words for the sound from the first frame of the one clip to the end of its last. */
function soundWords([cut]: readonly Cut[], table: FrameTable): string[] {
  if (cut === undefined) return ['-an']
  const origin = (table.originPts * table.timeBase.numerator) / table.timeBase.denominator
  const [start, end] = [table.timeOf(cut.firstFrame) + origin, table.endOf(cut.lastFrame) + origin]
  const trim = `atrim=start=${start.toFixed(6)}:end=${end.toFixed(6)},asetpts=PTS-STARTPTS`
  return ['-map', '0:a:0?', '-filter:a', trim, '-c:a', 'aac']
}

/** Words for the files. ffmpeg splits what it encodes where each further clip begins, at a key frame made there. */
function fileWords(cuts: readonly Cut[], workshop: string, audio: boolean, isOld: boolean): string[] {
  const first = [resolve(workshop, '0.mp4')]
  if (audio) {
    // The edit list makes up for the lead of the sound; without it both begin some milliseconds later.
    return ['-movflags', '+faststart', ...(isOld ? ['-use_editlist', '0'] : []), '-f', 'mp4', ...first]
  }
  const starts: number[] = []
  let frames = 0
  for (const cut of cuts.slice(0, -1)) starts.push((frames += lengthOf(cut)))
  const keyFrames = starts.map((start) => `eq(n,${start})`).join('+')
  return [
    ...(starts.length === 0 ? [] : ['-force_key_frames', `expr:${keyFrames}`, '-forced-idr', '1']),
    ...[
      '-f',
      'segment',
      '-segment_format',
      'mp4',
      '-segment_format_options',
      'movflags=+faststart:use_editlist=0',
    ],
    ...['-segment_frames', starts.join(',') || String(lengthOf(cuts[0] as Cut)), '-reset_timestamps', '1'],
    join(resolve(workshop).replaceAll('%', '%%'), '%d.mp4'),
  ]
}
