import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CancelledError } from '../../src-main/core/errors.ts'
import { frameIndex, seconds } from '../../src-main/core/units.ts'
import {
  cutExactly,
  decodeFrames,
  FrameTable,
  mediaTools,
  packedFrameTable,
  probe,
  readFrameTable,
  type DecodedFrame,
  type ExactCutOptions,
} from '../../src-main/media/index.ts'
import { ffmpeg, speaksNewOptions } from './make-video.ts'

// Each test starts some ffmpeg; a loaded machine takes its time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo cut 100%d '))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function decodeAll(path: string): Promise<DecodedFrame[]> {
  const frames: DecodedFrame[] = []
  for await (const frame of decodeFrames(path)) frames.push(frame)
  return frames
}

const digits = 8

/**
 * Words that make a picture of noise in motion with the number of each frame below it, as bars of black and white, lowest
 * digit first. They need no font.
 */
function numbered(frames: number, rate: string): string[] {
  const bit = `mod(floor(N/pow(2,floor(X/16))),2)`
  const picture =
    `testsrc2=s=${digits * 16}x64:r=${rate},format=yuv420p,noise=c0s=5:c0f=t,` +
    `geq=lum='if(lt(Y,48),lum(X,Y),16+219*${bit})':cb='if(lt(Y,24),cb(X,Y),128)':cr='if(lt(Y,24),cr(X,Y),128)'`
  return ['-f', 'lavfi', '-i', picture, '-frames:v', String(frames)]
}

/** Reads the number off a picture; `turned` tells where its lower edge is. */
function numberOf(frame: DecodedFrame, turned = false): number {
  let value = 0
  for (let digit = 0; digit < digits; digit++) {
    const along = digit * 16 + 8
    // A quarter turn to the left brings the lower edge to the right, and its left end down.
    const [x, y] = turned ? [56, frame.height - 1 - along] : [along, 56]
    if ((frame.rgb[(y * frame.width + x) * 3 + 1] ?? 0) > 128) value += 2 ** digit
  }
  return value
}

function meanSquareError(a: DecodedFrame, b: DecodedFrame): number {
  expect([a.width, a.height]).toEqual([b.width, b.height])
  let sum = 0
  for (const [i, value] of a.rgb.entries()) sum += (value - (b.rgb[i] ?? 0)) ** 2
  return sum / a.rgb.length
}

/** Cuts ranges and returns the decoded frames of each clip. */
async function cut(
  video: string,
  table: FrameTable,
  ranges: readonly (readonly [number, number])[],
  options: ExactCutOptions = {},
): Promise<{ frames: DecodedFrame[][]; paths: string[] }> {
  const place = await mkdtemp(join(folder, 'clips '))
  const cuts = ranges.map(([first, last]) => ({
    firstFrame: frameIndex(first),
    lastFrame: frameIndex(last),
    out: join(place, 'class', `${first}-${last}.mp4`),
  }))
  await cutExactly(video, table, cuts, join(place, 'workshop'), options)
  expect(await readdir(join(place, 'workshop'))).toEqual([])
  const paths = cuts.map(({ out }) => out)
  const frames: DecodedFrame[][] = []
  for (const path of paths) frames.push(await decodeAll(path))
  return { frames, paths }
}

/** Fails unless frame k of the clip is frame `first + k` of the source, and nearer to it than to its neighbours. */
function expectSameFrames(
  clip: readonly DecodedFrame[],
  source: readonly DecodedFrame[],
  [first, last]: readonly [number, number],
): void {
  expect(clip.length).toBe(last - first + 1)
  for (const [k, frame] of clip.entries()) {
    const own = meanSquareError(frame, source[first + k]!)
    // A peak signal-to-noise ratio of 33 dB at least, in pictures of noise and hard edges; real ones reach 45.
    expect(own).toBeLessThan(30)
    for (const neighbour of [source[first + k - 1], source[first + k + 1]]) {
      if (neighbour) expect(meanSquareError(frame, neighbour)).toBeGreaterThan(own * 2)
    }
  }
}

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '10', '-g', '20', '-pix_fmt', 'yuv420p']

/** Videos whose frames are hard to count by time, by name: how each is made. */
const kinds: Record<string, (path: string) => Promise<unknown>> = {
  'constant rate': (path) => ffmpeg(...numbered(90, '25'), ...h264, '-bf', '0', path),
  '29.97 frames a second with B-frames': (path) =>
    ffmpeg(...numbered(90, '30000/1001'), ...h264, '-bf', '3', path),
  'variable frame rate': (path) =>
    ffmpeg(
      ...numbered(90, '25'),
      ...[
        '-vf',
        "setpts='(N*40+7*mod(N*7,5)+400*gt(N,50))/1000/TB'",
        '-vsync',
        '0',
        '-enc_time_base',
        '1:1000',
      ],
      ...h264,
      // Old ffmpeg would hide the last frame in MP4.
      ...['-f', 'matroska'],
      path,
    ),
  'a start offset, with sound': (path) =>
    ffmpeg(
      ...['-itsoffset', '1.5', ...numbered(90, '25').slice(0, -2)],
      ...['-f', 'lavfi', '-i', 'sine=duration=5.1', '-frames:v', '90', '-map', '0:v', '-map', '1:a'],
      ...['-vsync', '0', ...h264],
      path,
    ),
  'an MPEG transport stream': (path) => ffmpeg(...numbered(90, '25'), ...h264, '-f', 'mpegts', path),
  'open groups of pictures': (path) =>
    ffmpeg(...numbered(90, '25'), ...h264, '-x264-params', 'open-gop=1:bframes=3:keyint=15', path),
  'Matroska with full-range colour': (path) =>
    ffmpeg(
      ...numbered(90, '24'),
      '-c:v',
      'mjpeg',
      '-q:v',
      '2',
      '-pix_fmt',
      'yuvj420p',
      '-f',
      'matroska',
      path,
    ),
}

describe.each(Object.keys(kinds))('a video of %s', (kind) => {
  const path = (): string => at(`${kind}.mp4`)
  let table: FrameTable
  let source: DecodedFrame[]

  beforeAll(async () => {
    await kinds[kind]!(path())
    table = await readFrameTable(path())
    source = await decodeAll(path())
  })

  it('has a time for every frame that is decoded', () => {
    expect(source.map((frame) => numberOf(frame))).toEqual(source.map((_, index) => index))
    expect(table).toMatchObject({ frameCount: 90, damage: null, hasDistinctTimes: true })
    for (let frame = 0; frame < 90; frame++) {
      const own = frameIndex(frame)
      expect(table.frameAt(table.timeOf(own))).toBe(frame)
      expect(table.frameAt(seconds((table.timeOf(own) + table.endOf(own)) / 2))).toBe(frame)
    }
  })

  it('gives clips of the frames of their ranges, to the picture, in few passes', async () => {
    // Neighbours, an overlap, one frame, the first and the last.
    const ranges = [
      [0, 6],
      [7, 30],
      [25, 41],
      [53, 53],
      [77, 89],
    ] as const
    const told: number[] = []
    const { frames, paths } = await cut(path(), table, ranges, { onFrames: (done) => told.push(done) })
    for (const [index, range] of ranges.entries()) expectSameFrames(frames[index]!, source, range)
    expect(told.at(-1)).toBe(7 + 24 + 17 + 1 + 13)
    for (const [index, [first, last]] of ranges.entries()) {
      const own = await readFrameTable(paths[index]!)
      expect(own.timeOf(frameIndex(0))).toBe(0)
      for (let k = 0; k <= last - first; k++) {
        const elapsed = table.timeOf(frameIndex(first + k)) - table.timeOf(frameIndex(first))
        expect(own.timeOf(frameIndex(k))).toBeCloseTo(elapsed, 3)
      }
    }
  })

  it('gives pictures that are equal bit for bit without loss', async () => {
    const { frames } = await cut(path(), table, [[18, 37]], { lossless: true })
    expect(frames[0]!.map((frame) => Buffer.from(frame.rgb).equals(source[18 + frame.index]!.rgb))).toEqual(
      Array.from({ length: 20 }, () => true),
    )
  })
})

it('cuts upright pictures out of a rotated video', async () => {
  const turned = (await speaksNewOptions()).displayRotation
    ? ['-display_rotation', '-90', '-i', at('flat.mp4'), '-c', 'copy']
    : ['-i', at('flat.mp4'), '-c', 'copy', '-metadata:s:v:0', 'rotate=90']
  await ffmpeg(...numbered(40, '25'), ...h264, at('flat.mp4'))
  await ffmpeg(...turned, at('turned.mp4'))
  const source = await decodeAll(at('turned.mp4'))
  expect(source[0]).toMatchObject({ width: 64, height: digits * 16 })
  expect(source.map((frame) => numberOf(frame, true))).toEqual(source.map((_, index) => index))
  const table = await readFrameTable(at('turned.mp4'))
  const { frames } = await cut(at('turned.mp4'), table, [[22, 35]])
  expectSameFrames(frames[0]!, source, [22, 35])
})

it('cuts HEVC', async (ctx) => {
  const made = await ffmpeg(
    ...numbered(60, '25'),
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', '10', '-pix_fmt', 'yuv420p'],
    ...['-x265-params', 'log-level=error:keyint=20:pools=1', at('hevc.mp4')],
  ).then(
    () => true,
    () => false,
  )
  if (!made) {
    console.log('skipped: the ffmpeg in use cannot encode HEVC')
    ctx.skip('the ffmpeg in use cannot encode HEVC')
  }
  const table = await readFrameTable(at('hevc.mp4'))
  const source = await decodeAll(at('hevc.mp4'))
  const ranges = [
    [19, 30],
    [41, 59],
  ] as const
  const { frames, paths } = await cut(at('hevc.mp4'), table, ranges)
  for (const [index, range] of ranges.entries()) expectSameFrames(frames[index]!, source, range)
  expect(await probe(paths[0]!)).toMatchObject({ codec: 'h264', playable: true })
})

it('keeps colours, also those of a video that names its matrix', async () => {
  const tags = [
    '-colorspace',
    'bt709',
    '-color_primaries',
    'bt709',
    '-color_trc',
    'bt709',
    '-color_range',
    'tv',
  ]
  await ffmpeg(...numbered(20, '25'), ...h264, ...tags, at('bt709.mp4'))
  const source = await decodeAll(at('bt709.mp4'))
  const { frames } = await cut(at('bt709.mp4'), await readFrameTable(at('bt709.mp4')), [[3, 12]])
  expectSameFrames(frames[0]!, source, [3, 12])
})

it('leaves out the last row and column of odd sides, and nothing without loss', async () => {
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc=s=65x47', '-frames:v', '8', '-c:v', 'ffv1', '-pix_fmt', 'yuv444p'],
    at('odd.mkv'),
  )
  const table = await readFrameTable(at('odd.mkv'))
  const { paths } = await cut(at('odd.mkv'), table, [[2, 5]])
  expect(await probe(paths[0]!)).toMatchObject({ width: 64, height: 46, pixelFormat: 'yuv420p' })
  const whole = await cut(at('odd.mkv'), table, [[2, 5]], { lossless: true })
  expect(whole.frames[0]![0]).toMatchObject({ width: 65, height: 47 })
})

it('cuts what there is of a video that breaks off', async () => {
  await ffmpeg(...numbered(80, '25'), ...h264, '-f', 'mpegts', at('whole.ts'))
  const { readFile, writeFile } = await import('node:fs/promises')
  const bytes = await readFile(at('whole.ts'))
  bytes.fill(0xa5, Math.round(bytes.length * 0.4), Math.round(bytes.length * 0.45))
  await writeFile(at('broken.ts'), bytes.subarray(0, Math.round(bytes.length * 0.8)))
  const source = await decodeAll(at('broken.ts'))
  const table = await readFrameTable(at('broken.ts'))
  expect(table.frameCount).toBe(source.length)
  const range = [source.length - 12, source.length - 2] as const
  const { frames } = await cut(at('broken.ts'), table, [range])
  expect(frames[0]!.map((frame) => numberOf(frame))).toEqual(
    source.slice(range[0], range[1] + 1).map((frame) => numberOf(frame)),
  )
})

it('takes the sound of the range along when asked to', async () => {
  await ffmpeg(
    ...numbered(50, '25').slice(0, -2),
    ...['-f', 'lavfi', '-i', 'sine=duration=2', '-frames:v', '50', '-map', '0:v', '-map', '1:a'],
    ...[...h264, '-c:a', 'aac', at('loud.mp4')],
  )
  const table = await readFrameTable(at('loud.mp4'))
  const loud = await cut(at('loud.mp4'), table, [[10, 34]], { audio: true })
  expectSameFrames(loud.frames[0]!, await decodeAll(at('loud.mp4')), [10, 34])
  const info = await probe(loud.paths[0]!)
  expect(info).toMatchObject({ hasAudio: true, frameCount: 25 })
  expect(info.durationSeconds).toBeCloseTo(1, 1)
  const silent = await cut(at('loud.mp4'), table, [[10, 34]])
  expect(await probe(silent.paths[0]!)).toMatchObject({ hasAudio: false })
})

it('cuts by counting where the times of a video cannot be trusted', async () => {
  await ffmpeg(...numbered(60, '25'), ...h264, at('plain.mp4'))
  const source = await decodeAll(at('plain.mp4'))
  const { timeBase, firstPts, keyFrames, originPts } = (await readFrameTable(at('plain.mp4'))).pack()
  const pts = Array.from({ length: 60 }, (_, n) => firstPts + n * 512)
  // Key frames that are none: seeking there ends up elsewhere.
  const wrong = new FrameTable({
    timeBase: { numerator: timeBase[0], denominator: timeBase[1] },
    pts,
    keyFrames: [...keyFrames, 33],
    originPts,
    damage: null,
  })
  const seeking = await cut(at('plain.mp4'), wrong, [[35, 44]])
  expectSameFrames(seeking.frames[0]!, source, [35, 44])
  const equal = new FrameTable({ ...wrongContent(pts), damage: null })
  await expect(cut(at('plain.mp4'), equal, [[35, 44]])).rejects.toMatchObject({ code: 'input' })
})

function wrongContent(pts: readonly number[]) {
  const timeBase = { numerator: 1, denominator: 12_800 }
  return { timeBase, pts: pts.map((each) => each + 1), keyFrames: [0], originPts: 0 }
}

it('leaves nothing behind when it is stopped', async () => {
  await ffmpeg(...numbered(90, '25'), ...h264, at('stopped.mp4'))
  const table = await readFrameTable(at('stopped.mp4'))
  const stop = new AbortController()
  const out = at('stopped/class/clip.mp4')
  const cuts = [{ firstFrame: frameIndex(5), lastFrame: frameIndex(80), out }]
  const options = { signal: stop.signal, onFrames: () => stop.abort() }
  const cutting = cutExactly(at('stopped.mp4'), table, cuts, at('stopped/workshop'), options)
  await expect(cutting).rejects.toThrow(CancelledError)
  expect(await readdir(at('stopped'), { recursive: true })).toEqual(['workshop'])
})

describe('a frame table', () => {
  it('is the same after storing it', async () => {
    const table = new FrameTable({
      timeBase: { numerator: 1, denominator: 1000 },
      pts: [7, 47, 87, 120, 160],
      keyFrames: [0, 3],
      originPts: 7,
      damage: 'torn',
    })
    const stored: unknown = JSON.parse(JSON.stringify(table.pack()))
    const again = FrameTable.unpack(packedFrameTable.parse(stored))
    expect(again.pack()).toEqual(table.pack())
    expect(table.pack().steps).toEqual([
      [40, 2],
      [33, 1],
      [40, 1],
    ])
    expect(again.timeOf(frameIndex(3))).toBe(0.113)
    expect(again.endOf(frameIndex(4))).toBe(0.193)
    expect([again.keyFrameAtOrBefore(frameIndex(2)), again.isKeyFrame(frameIndex(3))]).toEqual([0, true])
    expect(again.frameAt(seconds(-1))).toBe(0)
    expect(again.frameAt(seconds(99))).toBe(4)
    expect(() => again.timeOf(frameIndex(5))).toThrow('no frame 5')
  })

  it('is read by the ffmpeg in use', async () => {
    expect((await mediaTools()).version).not.toBe('')
  })
})
