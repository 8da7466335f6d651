import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  truncate,
  utimes,
  writeFile,
  stat,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { CancelledError } from '../../src-main/core/errors.ts'
import { flowToGray, OpticalFlow, rgbToGray } from '../../src-main/flow/index.ts'
import { decodeFrames } from '../../src-main/media/index.ts'
import { preprocess, type PreprocessOptions, type PreprocessReport } from '../../src-main/tasks/preprocess.ts'
import { planClips } from '../../src-main/tasks/preprocess-plan.ts'
import { makeSound, makeVideo } from './make-video.ts'

const launcher = fileURLToPath(new URL('../../src-main/cli/kineo.mjs', import.meta.url))
let store: string
let folder: string
let input: string
let output: string

beforeAll(async () => {
  store = await mkdtemp(join(tmpdir(), 'kineo-videos-'))
  for (let seed = 0; seed < 6; seed++) await makeVideo(join(store, `${seed}.mp4`), { seed, frames: 4 + seed })
  await makeVideo(join(store, 'again.avi'), { seed: 3, frames: 3 })
  await makeSound(join(store, 'sound.mp4'))
})
afterAll(() => rm(store, { recursive: true, force: true }))
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-preprocess-'))
  input = join(folder, 'in')
  output = join(folder, 'out')
  return () => rm(folder, { recursive: true, force: true })
})

/** Copies one of the six videos, which have 4 to 9 frames. */
async function put(name: string, seed: number | 'again' | 'sound' = 0): Promise<void> {
  const file = seed === 'again' ? 'again.avi' : `${seed}.mp4`
  await mkdir(join(input, name, '..'), { recursive: true })
  await copyFile(join(store, file), join(input, name))
}

function make(options: Partial<PreprocessOptions> = {}, hooks = {}): Promise<PreprocessReport> {
  return preprocess({ input, output, flow: 'none', preset: 'medium', seed: 1, workers: 2, ...options }, hooks)
}

/** Every file below a folder with its content, hidden ones aside. */
async function contents(root: string, place = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(join(root, place), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue
    const path = place === '' ? entry.name : `${place}/${entry.name}`
    if (entry.isDirectory()) for (const [key, value] of await contents(root, path)) found.set(key, value)
    else found.set(path, (await readFile(join(root, path))).toString('base64'))
  }
  return found
}

const places = ({ clips }: PreprocessReport): string[] => clips.map(({ place }) => place).sort()
const numbered = (count: number, extension: string): string[] =>
  Array.from({ length: count }, (_, index) => `${String(index).padStart(6, '0')}.${extension}`)

describe('the layout of the dataset', () => {
  it('is that of TAO: N frames, N-1 flow images, numbered from 000000', async () => {
    await put('wave/anna 1.0 🎬.mp4', 2)
    const report = await make({ flow: 'dis' })
    expect(report).toMatchObject({ written: 1, failed: 0, frames: 6 })
    const clip = join(output, 'wave', 'anna 1.0 🎬')
    expect((await readdir(join(clip, 'rgb'))).sort()).toEqual(numbered(6, 'png'))
    expect((await readdir(join(clip, 'u'))).sort()).toEqual(numbered(5, 'jpg'))
    expect((await readdir(join(clip, 'v'))).sort()).toEqual(numbered(5, 'jpg'))
    // TAO takes every entry of a class folder for a video, and of the root for a class.
    expect(await readdir(output)).toEqual(['wave'])
    expect(await readdir(join(output, 'wave'))).toEqual(['anna 1.0 🎬'])
  })

  it('holds the decoded frames exactly and their flow as gray JPEG', async () => {
    await put('wave/a.mp4', 5)
    await make({ flow: 'dis' })
    const frames: Uint8Array[] = []
    for await (const { rgb } of decodeFrames(join(input, 'wave/a.mp4'))) frames.push(rgb)
    const clip = join(output, 'wave/a')
    for (const [index, frame] of frames.entries()) {
      const png = sharp(join(clip, 'rgb', numbered(9, 'png')[index]!))
      expect(await png.metadata()).toMatchObject({ format: 'png', width: 64, height: 48, channels: 3 })
      expect(Buffer.compare(await png.raw().toBuffer(), frame)).toBe(0)
    }
    const flow = OpticalFlow.create(64, 48, 'medium')
    flow.next(rgbToGray(frames[3]!))
    const found = flow.next(rgbToGray(frames[4]!))!
    const expected = flowToGray(found.u, found.v)
    for (const component of ['u', 'v'] as const) {
      const jpeg = sharp(join(clip, component, '000003.jpg'))
      expect(await jpeg.metadata()).toMatchObject({ format: 'jpeg', channels: 1, width: 64, height: 48 })
      const pixels = await jpeg.extractChannel(0).raw().toBuffer()
      const difference = pixels.reduce((sum, value, i) => sum + Math.abs(value - expected[component][i]!), 0)
      expect(difference / pixels.length).toBeLessThan(2)
    }
  })

  it('keeps train/ and val/, and takes test/ for val/', async () => {
    await put('train/wave/a.mp4')
    await put('train/nod/b.mp4', 1)
    await put('test/wave/c.mp4', 2)
    await put('unused/d.mp4', 3)
    const notes: string[] = []
    const report = await make({}, { onLine: (text: string) => notes.push(text) })
    expect(places(report)).toEqual(['train/nod/b', 'train/wave/a', 'val/wave/c'])
    expect(notes).toEqual(['Left out beside train: unused'])
  })

  it('keeps test/ beside train/ and val/', async () => {
    await put('train/wave/a.mp4')
    await put('val/wave/b.mp4', 1)
    await put('test/wave/c.mp4', 2)
    expect(places(await make())).toEqual(['test/wave/c', 'train/wave/a', 'val/wave/b'])
  })

  it('knows a class named train from a split', async () => {
    await put('train/a.mp4')
    await put('bus/b.mp4', 1)
    expect(places(await make())).toEqual(['bus/b', 'train/a'])
  })

  it('gives the clips of one video, or of a folder of videos, no class', async () => {
    await put('door.mp4')
    await put('hall.mp4', 1)
    expect(places(await make())).toEqual(['door', 'hall'])
    const report = await make({ input: join(input, 'door.mp4'), output: join(folder, 'one') })
    expect(places(report)).toEqual(['door'])
    expect(await readdir(join(folder, 'one', 'door', 'rgb'))).toHaveLength(4)
  })

  it('keeps videos apart that differ only in their extension', async () => {
    await put('wave/a.mp4')
    await put('wave/a.avi', 'again')
    const report = await make()
    expect(places(report)).toEqual(['wave/a_avi', 'wave/a_mp4'])
    expect(report.clips.map(({ frames }) => frames).sort()).toEqual([3, 4])
  })

  it('finds a name for every clip, also where two would share one that is as long as names may be', async () => {
    const long = 'é'.repeat(125)
    await put(`wave/${long}.mp4`)
    await put(`wave/${long}.avi`, 'again')
    await put('wave/b.mp4', 1)
    await put('wave/B.MP4', 2)
    await put('wave/b_mp4.mp4', 3)
    const report = await make()
    expect(report).toMatchObject({ written: 5, failed: 0 })
    expect(await readdir(join(output, 'wave'))).toHaveLength(5)
  })

  it('says what it leaves out: folders within a class, and what is no file', async (context) => {
    await put('wave/a.mp4')
    await put('wave/take 2/b.mp4', 1)
    const pipe = join(input, 'wave/pipe.mp4')
    if (spawnSync('mkfifo', [pipe]).status !== 0) {
      console.log('skipped: no named pipes here')
      context.skip('no named pipes')
    }
    const notes: string[] = []
    const report = await make({}, { onLine: (text: string) => notes.push(text) })
    expect(report).toMatchObject({ written: 1, failed: 0, ignored: [pipe] })
    expect(notes).toEqual(['Left out, being folders within class wave: take 2'])
    await expect(make({ input: pipe })).rejects.toMatchObject({ code: 'input' })
  })

  it('scales, resamples and leaves flow out as asked', async () => {
    await put('wave/a.mp4', 4)
    const report = await make({ maxSide: 32, fps: 5 })
    expect(report.clips[0]).toMatchObject({ width: 32, height: 24, frames: 4 })
    expect(await readdir(join(output, 'wave/a/u'))).toEqual([])
    expect(await readdir(join(output, 'wave/a/v'))).toEqual([])
  })

  it('does not depend on the number of workers', async () => {
    for (let seed = 0; seed < 4; seed++) await put(`wave/${seed}.mp4`, seed)
    await make({ flow: 'dis', preset: 'fast', workers: 1 })
    const one = await contents(output)
    await make({ flow: 'dis', preset: 'fast', workers: 3, output: join(folder, 'three') })
    expect(await contents(join(folder, 'three'))).toEqual(one)
    expect(one.size).toBe(4 + 5 + 6 + 7 + 2 * (3 + 4 + 5 + 6))
  })
})

describe('setting clips aside for validation', () => {
  it('takes a share of every class, at least one, the same for the same seed', async () => {
    for (let seed = 0; seed < 5; seed++) await put(`wave/${seed}.mp4`, seed)
    await put('nod/x.mp4', 0)
    await put('nod/y.mp4', 5)
    const first = places(await make({ valFraction: 0.4 }))
    const inVal = (className: string): number =>
      first.filter((place) => place.startsWith(`val/${className}`)).length
    expect([inVal('wave'), inVal('nod')]).toEqual([2, 1])
    expect(first).toHaveLength(7)
    const planned = async (seed: number): Promise<string[]> =>
      (await planClips(input, 0.4, seed)).clips.map(({ place }) => place).sort()
    expect(await planned(1)).toEqual(first)
    const others = await Promise.all([2, 3, 4, 5].map(planned))
    expect(others.some((found) => String(found) !== String(first))).toBe(true)
  })

  it('keeps copies of one file on one side', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await put(`wave/${name}.mp4`, 0)
    await put('wave/e.mp4', 1)
    for (const seed of [1, 2, 3, 4]) {
      const { clips } = await planClips(input, 0.2, seed)
      const copies = clips.filter(({ source }) => !source.endsWith('e.mp4'))
      const sides = copies.map(({ place }) => place.split('/')[0])
      expect(new Set(sides).size).toBe(1)
    }
  })

  it('moves clips instead of making them anew, and leaves none in two splits', async () => {
    for (let seed = 0; seed < 5; seed++) await put(`wave/${seed}.mp4`, seed)
    await make()
    const report = await make({ valFraction: 0.2 })
    expect(report).toMatchObject({ written: 0, unchanged: 5 })
    expect((await readdir(output)).sort()).toEqual(['train', 'val'])
    expect(await readdir(join(output, 'val/wave'))).toHaveLength(1)
    expect(await readdir(join(output, 'train/wave'))).toHaveLength(4)
  })

  it('splits a train/ that stands alone', async () => {
    for (let seed = 0; seed < 3; seed++) await put(`train/wave/${seed}.mp4`, seed)
    const sides = places(await make({ valFraction: 0.3 })).map((place) => place.split('/')[0])
    expect(sides).toEqual(['train', 'train', 'val'])
  })

  it('is refused where there is a split or no class', async () => {
    await put('train/wave/a.mp4')
    await put('val/wave/b.mp4', 1)
    await expect(make({ valFraction: 0.2 })).rejects.toMatchObject({ code: 'usage' })
    await put('../in2/a.mp4')
    await expect(make({ input: join(folder, 'in2'), valFraction: 0.2 })).rejects.toMatchObject({
      code: 'usage',
    })
  })
})

describe('a second run', () => {
  it('skips what has not changed, and does again what has', async () => {
    await put('wave/a.mp4', 0)
    await put('wave/b.mp4', 1)
    await make()
    const before = await stat(join(output, 'wave/a/rgb/000000.png'))
    await utimes(join(input, 'wave/a.mp4'), new Date(), new Date())
    await put('wave/b.mp4', 2)
    expect(await make()).toMatchObject({ written: 1, unchanged: 1, frames: 6 })
    expect((await stat(join(output, 'wave/a/rgb/000000.png'))).mtimeMs).toBe(before.mtimeMs)
    expect(await readdir(join(output, 'wave/b/rgb'))).toHaveLength(6)
    expect(await make({ maxSide: 20 })).toMatchObject({ written: 2, unchanged: 0 })
  })

  it('leaves the classes of a whole input alone when a part of it comes anew', async () => {
    await put('train/wave/a.mp4', 0)
    await put('train/nod/b.mp4', 1)
    await make()
    await make({ input: join(input, 'train') })
    await make({ input: join(input, 'train/wave') })
    const found = new Set([...(await contents(output)).keys()].map((path) => path.split('/rgb')[0]))
    expect([...found].sort()).toEqual(['a', 'nod/b', 'train/nod/b', 'train/wave/a', 'wave/a'])
  })

  it('removes the clip of a video that is gone or broken now', async () => {
    await put('wave/a.mp4', 0)
    await put('wave/b.mp4', 1)
    await put('nod/c.mp4', 2)
    await make()
    await rm(join(input, 'nod'), { recursive: true })
    await writeFile(join(input, 'wave/b.mp4'), 'broken')
    expect(await make()).toMatchObject({ unchanged: 1, failed: 1 })
    expect([...(await contents(output)).keys()].every((path) => path.startsWith('wave/a/'))).toBe(true)
    expect(await readdir(output)).toEqual(['wave'])
  })

  it('never touches a folder that Kineo did not make', async () => {
    await put('wave/a.mp4')
    await mkdir(join(output, 'wave/a'), { recursive: true })
    await writeFile(join(output, 'wave/a/mine.txt'), 'mine')
    const done: string[] = []
    const hooks = { onClip: () => done.push('clip') }
    await expect(make({}, hooks)).rejects.toMatchObject({ code: 'output', where: join(output, 'wave/a') })
    expect(await readFile(join(output, 'wave/a/mine.txt'), 'utf8')).toBe('mine')
    expect(await readdir(output)).toEqual(['wave'])
    await put('nod/b.mp4', 1)
    await rm(join(output, 'wave'), { recursive: true })
    await writeFile(join(output, 'wave'), 'a file')
    await expect(make({}, hooks)).rejects.toMatchObject({ code: 'output', where: join(output, 'wave') })
    // It is seen before the work, not in the midst of it.
    expect(done).toEqual([])
  })

  it('keeps the clip that another input has under the same name', async () => {
    await put('wave/a.mp4', 0)
    await put('../other/wave/a.mp4', 1)
    await put('../other/wave/b.mp4', 2)
    await make()
    const report = await make({ input: join(folder, 'other') })
    expect(report).toMatchObject({ written: 1, failed: 1 })
    expect(report.clips[0]!.reason).toContain(join(input, 'wave/a.mp4'))
    expect(await readdir(join(output, 'wave/a/rgb'))).toHaveLength(4)
    // The other one is gone: its place is free.
    await rm(input, { recursive: true })
    expect(await make({ input: join(folder, 'other') })).toMatchObject({
      written: 1,
      unchanged: 1,
      failed: 0,
    })
    expect(await readdir(join(output, 'wave/a/rgb'))).toHaveLength(5)
  })

  it('goes on where a cancelled one stopped, which left whole clips only', async () => {
    for (let seed = 0; seed < 6; seed++) await put(`wave/${seed}.mp4`, seed)
    const stop = new AbortController()
    const hooks = { signal: stop.signal, onClip: () => stop.abort() }
    await expect(make({ flow: 'dis', workers: 2 }, hooks)).rejects.toBeInstanceOf(CancelledError)
    const kept = await readdir(join(output, 'wave'))
    expect(kept.length).toBeGreaterThanOrEqual(1)
    expect(kept.length).toBeLessThan(6)
    for (const clip of kept) {
      expect(await readdir(join(output, 'wave', clip, 'rgb'))).toHaveLength(4 + Number(clip))
      expect(await readdir(join(output, 'wave', clip, 'v'))).toHaveLength(3 + Number(clip))
    }
    expect(await readdir(output)).toEqual(['wave'])
    expect(await make({ flow: 'dis' })).toMatchObject({ unchanged: kept.length, written: 6 - kept.length })
  })
})

describe('two runs at a time', () => {
  it('are refused in one folder, and the first is not harmed', async () => {
    for (let seed = 0; seed < 6; seed++) await put(`wave/${seed}.mp4`, seed)
    let second: Promise<unknown> | undefined
    const onClip = (): void => {
      second ??= expect(make({ flow: 'dis' })).rejects.toMatchObject({ code: 'output', where: output })
    }
    expect(await make({ flow: 'dis', workers: 1 }, { onClip })).toMatchObject({ written: 6, failed: 0 })
    await second
    expect(await readdir(output)).toEqual(['wave'])
    expect(await make({ flow: 'dis' })).toMatchObject({ unchanged: 6 })
  })

  it('are told apart from one that was killed, whose leftovers go', async () => {
    for (let seed = 0; seed < 6; seed++) await put(`wave/${seed}.mp4`, seed)
    const child = spawn(process.execPath, [launcher, 'preprocess', input, '--out', output, '--workers', '1'])
    const ended = new Promise((resolve) => child.on('close', resolve))
    // An unfinished clip lies beside the lock.
    const workshop = join(output, '.kineo-partial')
    await vi.waitFor(async () => expect((await readdir(workshop)).length).toBeGreaterThan(1), 30_000)
    await expect(make()).rejects.toMatchObject({ code: 'output', where: output })
    child.kill('SIGKILL')
    await ended
    expect(await make()).toMatchObject({ failed: 0 })
    expect(await readdir(output)).toEqual(['wave'])
    expect(await readdir(join(output, 'wave'))).toHaveLength(6)
  })
})

describe('files that cannot be read', () => {
  it('are told by name and reason while the rest goes on', async () => {
    await put('wave/good.mp4', 1)
    await put('wave/sound.mp4', 'sound')
    await writeFile(join(input, 'wave/empty.mp4'), '')
    await writeFile(join(input, 'wave/text.mp4'), 'no video '.repeat(99))
    await writeFile(join(input, 'wave/notes.txt'), 'notes')
    const report = await make()
    expect(report).toMatchObject({ written: 1, failed: 3 })
    const reasons = new Map(report.clips.map(({ place, reason }) => [place, reason]))
    expect(reasons.get('wave/good')).toBeNull()
    expect(reasons.get('wave/sound')).toContain('sound but no video')
    expect(reasons.get('wave/empty')).toContain('empty')
    expect(reasons.get('wave/text')).toContain('Not a video')
    expect(report.ignored).toEqual([join(input, 'wave/notes.txt')])
    expect(await readdir(join(output, 'wave'))).toEqual(['good'])
  })

  it('are kept as far as they go when they break off, with a warning', async () => {
    const path = join(input, 'wave/cut.mp4')
    await makeVideo(path, {
      width: 160,
      height: 120,
      frames: 40,
      options: ['-movflags', '+faststart', '-g', '10'],
    })
    await truncate(path, Math.round((await stat(path)).size / 2))
    const { clips, failed } = await make()
    expect(failed).toBe(0)
    expect(clips[0]!.warning).toMatch(/damaged, \d+ frames could be decoded/)
    expect(await readdir(join(output, 'wave/cut/rgb'))).toHaveLength(clips[0]!.frames)
  })

  it('leave no dataset when there is nothing else', async () => {
    await put('wave/sound.mp4', 'sound')
    expect(await make({ output: join(folder, 'new/out') })).toMatchObject({ written: 0, failed: 1 })
    expect(existsSync(join(folder, 'new'))).toBe(false)
    await rm(join(input, 'wave/sound.mp4'))
    await expect(make()).rejects.toThrow('There are no videos in this folder')
    expect(existsSync(output)).toBe(false)
  })
})

describe('what cannot be asked for', () => {
  it('is a dataset in the input', async () => {
    await put('wave/a.mp4')
    await expect(make({ output: input })).rejects.toThrow('Input and output are the same')
    await expect(make({ output: join(input, 'out') })).rejects.toThrow('lies in the input')
    await expect(make({ output: '' })).rejects.toThrow('output is empty')
    expect((await make({ output: `${input}-out` })).written).toBe(1)
    // A class that is called as the input is, and the folder around it for the output.
    await put('in/b.mp4', 1)
    await expect(make({ output: folder })).rejects.toMatchObject({ code: 'usage' })
    expect(await readdir(join(input, 'in'))).toEqual(['b.mp4'])
  })

  it.each([{ maxSide: 0 }, { maxSide: 1.5 }, { fps: 0 }, { workers: 0 }, { valFraction: 1 }, { seed: -1 }])(
    'is %o',
    async (options) => {
      await put('wave/a.mp4')
      await expect(make(options)).rejects.toMatchObject({ code: 'usage' })
    },
  )
})

describe('kineo preprocess', () => {
  const kineo = (...args: string[]): Promise<{ code: number | null; output: string; errors: string }> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [launcher, 'preprocess', ...args])
      let [out, errors] = ['', '']
      child.stdout.on('data', (chunk) => (out += chunk))
      child.stderr.on('data', (chunk) => (errors += chunk))
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, output: out, errors }))
    })

  it('exits with 0 when all is well, 1 with a list when a file is not, 2 when used wrongly', async () => {
    await put('wave/a.mp4')
    const good = await kineo(input, '--out', output, '--flow', 'none')
    expect(good).toMatchObject({ code: 0, errors: '' })
    expect(good.output).toContain(`Dataset: ${output}`)

    await put('wave/sound only.mp4', 'sound')
    const bad = await kineo(input, '--out', output, '--flow', 'none')
    expect(bad.code).toBe(1)
    expect(bad.errors).toContain('1 of 2 could not be read:')
    expect(bad.errors).toContain('sound only.mp4: The file holds sound but no video')

    const json = await kineo(input, '--out', output, '--flow', 'none', '--json')
    const lines = json.output.trim().split('\n')
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ type: 'result', unchanged: 1, failed: 1 })

    for (const wrong of [
      [input],
      [input, '--out', output, '--flow', 'x'],
      [input, '--out', output, '--worker', '2'],
      [input, '--out', output, '--fps', '-5'],
    ]) {
      const refused = await kineo(...wrong)
      expect(refused.code).toBe(2)
      expect(refused.errors).toMatch(/--out is missing|--flow is|Did you mean --workers|--fps needs a value/)
    }
    expect((await kineo(join(folder, 'nowhere'), '--out', output)).code).toBe(1)
  })
})
