import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KineoError } from '../core/errors.ts'
import { frameIndex, type FrameIndex } from '../core/units.ts'
import { seekWords, type Cut } from './exact-cut.ts'
import { readOutput, startFfmpeg } from './ffmpeg-process.ts'
import { readFrameTable, TimeLines, type FrameTable } from './frame-table.ts'

/** The frames that came out, which are at least those that were asked for. */
export interface TrueCut {
  firstFrame: FrameIndex
  lastFrame: FrameIndex
}

/**
 * Cuts one clip without encoding, in a moment: the clip begins at the key frame at or before the range, and ends with it or,
 * where frames are stored out of order, a few frames later. The file is whole or not there.
 *
 * @param table The frame table of this very file.
 * @param workshop Folder for the unfinished file, on the file system of the clip; made when missing, not removed.
 * @throws KineoError `input` when the video cannot be cut so; CancelledError.
 */
export async function cutAtKeyFrames(
  video: string,
  table: FrameTable,
  cut: Cut,
  workshop: string,
  signal?: AbortSignal,
): Promise<TrueCut> {
  const start = table.keyFrameAtOrBefore(cut.firstFrame)
  const partial = join(resolve(workshop), 'copy.mp4')
  await mkdir(workshop, { recursive: true })
  try {
    // A first try tells in which order the frames are stored.
    const wanted = cut.lastFrame - start + 1
    const stored = await copy(video, table, start, wanted + mostReordered, null, signal)
    const count = stored === null ? null : wholePrefix(stored, table, start, cut.lastFrame)
    if (stored === null || count === null) throw notSo(video)
    const copied = await copy(video, table, start, count, partial, signal)
    const lastFrame = frameIndex(start + count - 1)
    // What a decoder shows of the clip is what counts.
    const own = await readFrameTable(partial, { signal })
    if (copied?.length !== count || own.frameCount !== count) throw notSo(video)
    await mkdir(dirname(cut.out), { recursive: true })
    await rename(partial, cut.out)
    return { firstFrame: start, lastFrame }
  } finally {
    await rm(partial, { force: true })
  }
}

/** More frames than any codec holds back to store others first. */
const mostReordered = 34

function notSo(video: string): KineoError {
  return new KineoError('input', 'The range cannot be copied between key frames of this video', {
    where: video,
    remedy: 'Cut it without --keyframes',
  })
}

/** How many stored frames hold `start` to at least `last` without a gap, or null when none do. */
function wholePrefix(
  stored: readonly number[],
  table: FrameTable,
  start: FrameIndex,
  last: FrameIndex,
): number | null {
  let highest = -1
  for (const [index, pts] of stored.entries()) {
    const frame = table.frameOfPts(pts)
    // Something that is no frame, or one from before the key frame, would be shown or missing.
    if (frame === null || frame < start) return null
    highest = Math.max(highest, frame)
    if (highest >= last && highest - start === index) return index + 1
  }
  return null
}

/**
 * Copies so many stored frames from a key frame on into a file, or only looks at them.
 *
 * @returns Time stamps in the order of storage, or null when the key frame was not found.
 */
async function copy(
  video: string,
  table: FrameTable,
  start: FrameIndex,
  count: number,
  file: string | null,
  signal: AbortSignal | undefined,
): Promise<number[] | null> {
  const copied = ['-map', '0:V:0', '-an', '-sn', '-dn', '-c', 'copy', '-copypriorss:v', '0']
  const limit = ['-frames:v', String(count)]
  const process = await startFfmpeg({
    input: resolve(video),
    inputOptions: ['-y', '-copyts', ...seekWords(table, start)],
    outputOptions: [
      ...(file === null ? [] : [...copied, ...limit, '-map_metadata', '-1', '-fflags', '+bitexact']),
      ...(file === null
        ? []
        : ['-avoid_negative_ts', 'make_zero', '-movflags', '+faststart', '-f', 'mp4', file]),
      ...[...copied, ...limit, '-f', 'framecrc'],
    ],
    signal,
  })
  const lines = new TimeLines()
  const told: number[] = []
  const chunks = readOutput(process, signal)
  try {
    let next = await chunks.next()
    while (!next.done) {
      told.push(...lines.push(next.value).map(({ pts }) => pts))
      next = await chunks.next()
    }
    if (next.value.failure !== null) {
      throw new KineoError('input', 'The range cannot be copied into a clip', {
        where: video,
        remedy: `Cut it without --keyframes; ffmpeg says: ${next.value.messages.at(-1) ?? next.value.failure}`,
      })
    }
  } finally {
    await chunks.return({ failure: null, messages: [] })
  }
  return told[0] === table.ptsOf(start) ? told : null
}
