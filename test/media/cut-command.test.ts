import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { cutCommand } from '../../src-main/cli/commands/cut.ts'
import { createTerminal } from '../../src-main/cli/terminal.ts'
import { CancelledError, exitCodeOf } from '../../src-main/core/errors.ts'
import { decodeFrames } from '../../src-main/media/index.ts'
import { cutVideo, type CutHooks, type CutOptions, type CutReport } from '../../src-main/tasks/cut-video.ts'
import { makeVideo } from './make-video.ts'

vi.setConfig({ testTimeout: 240_000 })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo cut '))
  await makeVideo(join(folder, 'day.mp4'), { frames: 60, rate: 25, options: ['-g', '20'] })
  return () => rm(folder, { recursive: true, force: true })
})

const list = (...lines: string[]): string => ['class,first_frame,last_frame', ...lines, ''].join('\n')

async function cut(
  text: string,
  options: Partial<CutOptions> = {},
  hooks: CutHooks = {},
): Promise<CutReport> {
  await writeFile(join(folder, 'list.csv'), text)
  const [video, segments, output] = ['day.mp4', 'list.csv', 'out'].map((name) => join(folder, name))
  const usual = { keyframes: false, audio: false, lossless: false, force: false }
  return cutVideo({ video: video!, segments: segments!, output: output!, ...usual, ...options }, hooks)
}

/** Clips in the folder, without the hidden record. */
async function clips(): Promise<string[]> {
  const files = await readdir(join(folder, 'out'), { recursive: true })
  return files
    .filter((file) => file.endsWith('.mp4'))
    .map((file) => file.replaceAll('\\', '/'))
    .sort()
}

async function frameCount(path: string): Promise<number> {
  let count = 0
  for await (const frame of decodeFrames(path)) count = frame.index + 1
  return count
}

it('cuts each segment into the folder of its class, and unchanged ones only once', async () => {
  const first = await cut(list('wave,0,10', 'clap,12,40'))
  expect(first).toMatchObject({ written: 2, unchanged: 0, failed: 0, frameCount: 60 })
  expect(await clips()).toEqual(['clap/day_12-40.mp4', 'wave/day_0-10.mp4'])
  expect(await frameCount(join(folder, 'out/clap/day_12-40.mp4'))).toBe(29)
  const before = await stat(join(folder, 'out/wave/day_0-10.mp4'))
  expect(await cut(list('wave,0,10', 'clap,12,41'))).toMatchObject({ written: 1, unchanged: 1 })
  expect((await stat(join(folder, 'out/wave/day_0-10.mp4'))).mtimeMs).toBe(before.mtimeMs)
  expect(await cut(list('wave,0,10'), { lossless: true })).toMatchObject({ written: 1, unchanged: 0 })
  expect(await cut(list('wave,0,10'), { lossless: true, force: true })).toMatchObject({ written: 1 })
})

it('leaves alone a file that it did not make, unless it is forced', async () => {
  await cut(list('wave,3,5'))
  await rm(join(folder, 'out/.kineo-cut'), { recursive: true })
  await writeFile(join(folder, 'out/wave/day_3-5.mp4'), 'mine')
  const report = await cut(list('wave,3,5', 'wave,6,7'))
  expect(report).toMatchObject({ written: 1, failed: 1 })
  expect(report.clips[0]!.reason).toContain('another file has its place')
  expect(await readFile(join(folder, 'out/wave/day_3-5.mp4'), 'utf8')).toBe('mine')
  expect(await cut(list('wave,3,5'), { force: true })).toMatchObject({ written: 1, failed: 0 })
  expect(await frameCount(join(folder, 'out/wave/day_3-5.mp4'))).toBe(3)
})

it('makes no folder when nothing can be cut', async () => {
  const report = await cut(list('wave,10,9'), { output: join(folder, 'deep/out') })
  expect(report).toMatchObject({ written: 0, problems: [{ line: 2 }] })
  expect((await readdir(folder)).sort()).toEqual(['day.mp4', 'list.csv'])
})

it('goes on after a stop, with whole clips only', async () => {
  const stop = new AbortController()
  const text = list('wave,0,20', 'wave,10,50', 'clap,30,59')
  const stopping = cut(text, {}, { signal: stop.signal, onClip: () => stop.abort() })
  await expect(stopping).rejects.toThrow(CancelledError)
  const left = await clips()
  expect(left.length).toBeGreaterThan(0)
  expect(left.length).toBeLessThan(3)
  for (const file of left) expect(await frameCount(join(folder, 'out', file))).toBeGreaterThan(20)
  expect(await readdir(join(folder, 'out/.kineo-cut'))).toHaveLength(1)
  expect(await cut(text)).toMatchObject({ written: 3 - left.length, unchanged: left.length })
})

it('tells what came out when it copies between key frames', async () => {
  const { clips: made } = await cut(list('wave,25,33', 'clap,40,59'), { keyframes: true })
  for (const { trueCut, path, firstFrame, lastFrame } of made) {
    expect(trueCut!.firstFrame % 20).toBe(0)
    expect(trueCut!.firstFrame).toBeLessThanOrEqual(firstFrame)
    expect(trueCut!.lastFrame).toBeGreaterThanOrEqual(lastFrame)
    const source: Uint8Array[] = []
    for await (const { rgb } of decodeFrames(join(folder, 'day.mp4'))) source.push(rgb)
    for await (const { rgb, index } of decodeFrames(path)) {
      expect(Buffer.from(rgb).equals(source[trueCut!.firstFrame + index]!)).toBe(true)
    }
    expect(await frameCount(path)).toBe(trueCut!.lastFrame - trueCut!.firstFrame + 1)
  }
})

it('exits with 0 when all is cut and 1 with the list of what cannot be', async () => {
  await writeFile(join(folder, 'list.csv'), list('wave,1,5', 'wave,5,1'))
  const [shown, warned] = [[] as string[], [] as string[]]
  const terminal = createTerminal(
    false,
    { write: (text: string) => shown.push(text) },
    { write: (text: string) => warned.push(text) },
  )
  const run = (...more: string[]): Promise<number> =>
    cutCommand.run([join(folder, 'day.mp4'), join(folder, 'list.csv'), ...more], {
      terminal,
      signal: new AbortController().signal,
    })
  expect(await run('--out', join(folder, 'out'))).toBe(1)
  expect(warned.join('')).toContain('line 3: the last frame, 1, is before the first, 5')
  expect(shown.join('')).toContain('Clips: 1 written')
  await writeFile(join(folder, 'list.csv'), list('wave,1,5'))
  expect(await run('--out', join(folder, 'out'))).toBe(0)
  for (const words of [[], ['--out', 'x', '--keyframes', '--lossless'], ['--write-segments', 'x.doc']]) {
    const error: unknown = await run(...words).catch((thrown: unknown) => thrown)
    expect(exitCodeOf(error)).toBe(2)
  }
})
