import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CancelledError } from '../../src-main/core/errors.ts'
import { OpticalFlow, rgbToGray } from '../../src-main/flow/index.ts'
import { decodeFrames, probe } from '../../src-main/media/index.ts'
import { renderSample, sampleClasses } from '../../src-main/tasks/render-sample.ts'

let folder: string
const seen: { done: number; total: number | null }[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-sample-'))
  await renderSample(folder, { onProgress: ({ done, total }) => seen.push({ done, total }) })
}, 180_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Means over a clip of the flow, of its turn and of its growth about the middle, per pixel. */
async function motionOf(path: string): Promise<{ u: number; v: number; turn: number; growth: number }> {
  const sums = { u: 0, v: 0, turn: 0, growth: 0 }
  let flow: OpticalFlow | undefined
  let pixels = 0
  for await (const { rgb, width, height } of decodeFrames(path, { maxFrames: 6 })) {
    flow ??= OpticalFlow.create(width, height, 'medium')
    const found = flow.next(rgbToGray(rgb))
    if (!found) continue
    for (let i = 0; i < found.u.length; i++) {
      const [x, y] = [(i % width) - width / 2, Math.floor(i / width) - height / 2]
      const [u, v] = [found.u[i]!, found.v[i]!]
      const radius = x * x + y * y || 1
      sums.u += u
      sums.v += v
      sums.turn += (x * v - y * u) / radius
      sums.growth += (x * u + y * v) / radius
    }
    pixels += found.u.length
  }
  return {
    ...{ u: sums.u / pixels, v: sums.v / pixels },
    ...{ turn: sums.turn / pixels, growth: sums.growth / pixels },
  }
}

describe('the sample', () => {
  it('is a folder of class-named folders of clips in train/ and val/, told as it grows', async () => {
    expect(sampleClasses.length).toBeGreaterThanOrEqual(4)
    for (const [split, count] of [
      ['train', 16],
      ['val', 5],
    ] as const) {
      expect((await readdir(join(folder, split))).sort()).toEqual([...sampleClasses].sort())
      for (const name of sampleClasses) expect(await readdir(join(folder, split, name))).toHaveLength(count)
    }
    expect(seen.at(-1)).toEqual({ done: 126, total: 126 })
  })

  it('plays in the app', async () => {
    const info = await probe(join(folder, 'val/left/left_17.mp4'))
    expect(info).toMatchObject({ width: 160, height: 120, frameRate: 15, frameCount: 24, playable: true })
  })

  it('moves as its classes say', async () => {
    for (const number of [17, 18, 19]) {
      const of = (name: string): ReturnType<typeof motionOf> =>
        motionOf(join(folder, `val/${name}/${name}_${number}.mp4`))
      const [left, right, up, down] = [await of('left'), await of('right'), await of('up'), await of('down')]
      expect(left.u).toBeLessThan(-1)
      expect(right.u).toBeGreaterThan(1)
      expect(up.v).toBeLessThan(-1)
      expect(down.v).toBeGreaterThan(1)
      // Seen on a screen, where y points down, clockwise is positive.
      const [clockwise, zoom] = [await of('clockwise'), await of('zoom')]
      expect(clockwise.turn).toBeGreaterThan(0.015)
      expect(Math.abs(clockwise.growth)).toBeLessThan(0.008)
      expect(zoom.growth).toBeGreaterThan(0.008)
      expect(Math.abs(zoom.turn)).toBeLessThan(0.008)
    }
  })

  it('is finished by a second call after a cancelled one, with the same clips', async () => {
    const path = join(folder, 'val/up/up_18.mp4')
    const before = await readFile(path)
    await rm(path)
    const stop = new AbortController()
    stop.abort()
    await expect(renderSample(folder, { signal: stop.signal })).rejects.toBeInstanceOf(CancelledError)
    await renderSample(folder)
    expect(await readdir(join(folder, 'val/up'))).toHaveLength(5)
    expect(Buffer.compare(await readFile(path), before)).toBe(0)
  })
})
