import { mkdtemp, readFile, rm, truncate, writeFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CancelledError } from '../../src-main/core/errors.ts'
import { isVideoFile } from '../../src-main/core/video-file.ts'
import {
  decodeFrames,
  ffmpegVersion,
  makeProxy,
  probe,
  thumbnail,
  type DecodedFrame,
  type DecodeOptions,
} from '../../src-main/media/index.ts'
import { ffmpeg, makeSound, makeVideo, speaksNewOptions } from './make-video.ts'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-media-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function decodeAll(path: string, options: DecodeOptions = {}): Promise<DecodedFrame[]> {
  const frames: DecodedFrame[] = []
  for await (const frame of decodeFrames(path, options)) frames.push(frame)
  return frames
}

/** Mean colour of a part of a frame. */
function colour(frame: DecodedFrame, left: number, top: number, size: number): number[] {
  const sums = [0, 0, 0]
  for (let y = top; y < top + size; y++) {
    for (let x = left; x < left + size; x++) {
      for (let c = 0; c < 3; c++) sums[c]! += frame.rgb[(y * frame.width + x) * 3 + c]! / size ** 2
    }
  }
  return sums.map(Math.round)
}

describe('probing', () => {
  it('knows the ffmpeg in use', async () => {
    expect(await ffmpegVersion()).toMatch(/\d/)
  })

  it('tells size, length, rate and codec', async () => {
    await makeVideo(at('plain.mp4'), { width: 64, height: 48, frames: 12, rate: 12 })
    const info = await probe(at('plain.mp4'))
    expect(info).toMatchObject({ hasVideo: true, hasAudio: false, width: 64, height: 48, codec: 'h264' })
    expect(info).toMatchObject({ frameCount: 12, frameRate: 12, pixelFormat: 'yuv420p', playable: true })
    expect(info.durationSeconds).toBeCloseTo(1, 1)
  })

  it('knows what Chromium does not play', async () => {
    await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=d=0.3:s=64x48', '-c:v', 'mpeg4', at('old.avi'))
    await makeVideo(at('deep.mp4'), { options: ['-pix_fmt', 'yuv444p'] })
    expect(await probe(at('old.avi'))).toMatchObject({ codec: 'mpeg4', playable: false })
    expect(await probe(at('deep.mp4'))).toMatchObject({ pixelFormat: 'yuv444p', playable: false })
  })

  it('sees a file with sound only as one without video', async () => {
    await makeSound(at('song.mp4'))
    expect(await probe(at('song.mp4'))).toMatchObject({ hasVideo: false, hasAudio: true, playable: false })
  })

  it('says of a missing, an empty and a foreign file what is wrong', async () => {
    await writeFile(at('empty.mp4'), '')
    await writeFile(at('text.mp4'), 'this is no video, whatever its name says '.repeat(50))
    await expect(probe(at('missing.mp4'))).rejects.toThrow('Cannot open the file')
    await expect(probe(at('empty.mp4'))).rejects.toThrow('The file is empty')
    await expect(probe(at('text.mp4'))).rejects.toMatchObject({ code: 'input', where: at('text.mp4') })
  })

  it('takes names for videos by their extension, but not hidden ones', () => {
    expect(['a.mp4', 'b.c d.MOV', 'x.webm', 'y.gif', '🎬.mkv'].every((name) => isVideoFile(name))).toBe(true)
    expect(['a.txt', '._a.mp4', 'mp4', '.mp4'].some((name) => isVideoFile(name))).toBe(false)
  })
})

describe('decoding', () => {
  it('gives every frame once, in order, whatever the name of the file', async () => {
    const options = ['-preset', 'medium', '-bf', '2']
    await makeVideo(at('plain 1.0 – 🎬 %03d.mp4'), { frames: 25, options })
    const frames = await decodeAll(at('plain 1.0 – 🎬 %03d.mp4'))
    expect(frames.map(({ index }) => index)).toEqual([...Array(25).keys()])
    expect(frames.every(({ rgb }) => rgb.length === 64 * 48 * 3)).toBe(true)
    expect(new Set(frames.map(({ rgb }) => Buffer.from(rgb).toString('base64'))).size).toBe(25)
  })

  it('gives exactly the frames of a variable frame rate', async () => {
    const { fpsMode } = await speaksNewOptions()
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=s=64x48:rate=10:duration=2,noise=alls=16:allf=t'],
      ...['-vf', "setpts='if(lt(N,10),N,10+(N-10)*4)*0.1/TB'"],
      ...(fpsMode ? ['-fps_mode', 'passthrough'] : ['-vsync', '0']),
      ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-bf', '0', at('vfr.mp4')],
    )
    const frames = await decodeAll(at('vfr.mp4'))
    expect(frames).toHaveLength(20)
    expect(new Set(frames.map(({ rgb }) => Buffer.from(rgb).toString('base64'))).size).toBe(20)
  })

  it('gives every frame of a file whose times stand still or go back, without calling it damaged', async () => {
    const { fpsMode } = await speaksNewOptions()
    const times = { still: 'floor(N/3)*3', back: 'if(lt(N,15),N,N-10)' }
    for (const [name, time] of Object.entries(times)) {
      await ffmpeg(
        ...['-f', 'lavfi', '-i', 'testsrc2=s=64x48:rate=10:duration=3', '-vf', `setpts='(${time})*0.1/TB'`],
        ...(fpsMode ? ['-fps_mode', 'passthrough'] : ['-vsync', '0']),
        ...['-c:v', 'ffv1', '-f', 'nut', at(`${name}.nut`)],
      )
      const complaints: string[] = []
      const frames = await decodeAll(at(`${name}.nut`), { onDamage: (text) => complaints.push(text) })
      expect({ name, frames: frames.length, complaints }).toEqual({ name, frames: 30, complaints: [] })
    }
  })

  it('resamples to a frame rate when asked to', async () => {
    await makeVideo(at('steady.mp4'), { frames: 40, rate: 20 })
    expect(await decodeAll(at('steady.mp4'), { fps: 5 })).toHaveLength(10)
    expect(await decodeAll(at('steady.mp4'), { fps: 40 })).toHaveLength(80)
  })

  it('turns frames as the file asks for', async () => {
    const halves = 'color=red:s=32x48:d=0.3,pad=64:48:0:0:blue'
    await ffmpeg('-f', 'lavfi', '-i', halves, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', at('upright.mp4'))
    const { displayRotation } = await speaksNewOptions()
    const before = displayRotation ? ['-display_rotation', '90'] : []
    const after = displayRotation ? [] : ['-metadata:s:v:0', 'rotate=90']
    await ffmpeg(...before, '-i', at('upright.mp4'), '-c', 'copy', ...after, at('turned.mp4'))
    const info = await probe(at('turned.mp4'))
    expect([info.width, info.height]).toEqual([48, 64])
    const [frame] = await decodeAll(at('turned.mp4'), { maxFrames: 1 })
    expect([frame!.width, frame!.height]).toEqual([48, 64])
    const [top, bottom] = [colour(frame!, 20, 10, 8), colour(frame!, 20, 46, 8)]
    // A quarter turn: one half red, one half blue, one above the other.
    const [red, blue] = top[0]! > 128 ? [top, bottom] : [bottom, top]
    expect(red[0]).toBeGreaterThan(200)
    expect(red[2]).toBeLessThan(60)
    expect(blue[2]).toBeGreaterThan(200)
    expect(blue[0]).toBeLessThan(60)
  })

  it('scales larger frames down and leaves smaller ones alone', async () => {
    await makeVideo(at('wide.mp4'), { width: 200, height: 100, frames: 2 })
    expect((await decodeAll(at('wide.mp4'), { maxSide: 50 }))[0]).toMatchObject({ width: 50, height: 25 })
    expect((await decodeAll(at('wide.mp4'), { maxSide: 400 }))[0]).toMatchObject({ width: 200, height: 100 })
  })

  it('keeps the first size when the size changes within the file', async () => {
    await makeVideo(at('a.h264'), { width: 64, height: 48, frames: 4 })
    await makeVideo(at('b.h264'), { width: 128, height: 96, frames: 4 })
    await writeFile(
      at('both.h264'),
      Buffer.concat([await readFile(at('a.h264')), await readFile(at('b.h264'))]),
    )
    const frames = await decodeAll(at('both.h264'))
    expect(frames.length).toBeGreaterThanOrEqual(7)
    expect(new Set(frames.map(({ width, height }) => `${width}x${height}`))).toEqual(new Set(['64x48']))
  })

  it('gives the frames before the break of a file that was cut off, and tells', async () => {
    await makeVideo(at('cut.mp4'), {
      ...{ width: 160, height: 120, frames: 40 },
      options: ['-movflags', '+faststart', '-g', '10'],
    })
    const { size } = await stat(at('cut.mp4'))
    await truncate(at('cut.mp4'), Math.round(size / 2))
    const complaints: string[] = []
    const frames = await decodeAll(at('cut.mp4'), { onDamage: (complaint) => complaints.push(complaint) })
    expect(frames.length).toBeGreaterThan(5)
    expect(frames.length).toBeLessThan(40)
    expect(complaints).toHaveLength(1)
  })

  it('says why a file without an index, with sound only, or without content gives no frames', async () => {
    await makeVideo(at('index.mp4'), { frames: 30 })
    const { size } = await stat(at('index.mp4'))
    await truncate(at('index.mp4'), Math.round(size / 2))
    await makeSound(at('sound.mp4'))
    await writeFile(at('nothing.mp4'), '')
    await expect(decodeAll(at('index.mp4'))).rejects.toThrow('cut off or damaged')
    await expect(decodeAll(at('sound.mp4'))).rejects.toThrow('sound but no video')
    await expect(decodeAll(at('nothing.mp4'))).rejects.toThrow('The file is empty')
  })

  it('stops at once when cancelled or left, and leaves no process behind', async () => {
    await makeVideo(at('long.mp4'), { width: 320, height: 240, frames: 100 })
    const children = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
    const noneLeft = (): Promise<void> => vi.waitFor(() => expect(children()).toBe(0), { timeout: 5000 })
    await noneLeft()
    for await (const frame of decodeFrames(at('long.mp4'))) if (frame.index === 3) break
    await noneLeft()
    const stop = new AbortController()
    const cancelled = (async () => {
      for await (const frame of decodeFrames(at('long.mp4'), { signal: stop.signal })) {
        if (frame.index === 3) stop.abort()
      }
    })()
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError)
    await noneLeft()
    await expect(decodeAll(at('long.mp4'), { signal: stop.signal })).rejects.toBeInstanceOf(CancelledError)
  })
})

describe('pictures and copies for the app', () => {
  it('makes a thumbnail, also past the end', async () => {
    await makeVideo(at('film.mp4'), { width: 320, height: 240, frames: 20 })
    for (const atSeconds of [0, 1, 99]) {
      const { format, width, height } = await sharp(
        await thumbnail(at('film.mp4'), { atSeconds, width: 160 }),
      ).metadata()
      expect({ format, width, height }).toEqual({ format: 'jpeg', width: 160, height: 120 })
    }
  })

  it('makes a proxy that plays, with the same frames at the same times', async () => {
    await ffmpeg(
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=81x61:r=10:d=1.5',
      '-c:v',
      'mpeg4',
      '-q:v',
      '2',
      at('foreign.avi'),
    )
    await makeProxy(at('foreign.avi'), at('proxy.mp4'))
    const info = await probe(at('proxy.mp4'))
    expect(info).toMatchObject({ playable: true, codec: 'h264', frameRate: 10 })
    expect(await decodeAll(at('proxy.mp4'))).toHaveLength((await decodeAll(at('foreign.avi'))).length)
  })

  it('leaves nothing behind when a proxy cannot be made', async () => {
    await writeFile(at('bad.avi'), 'nonsense')
    await expect(makeProxy(at('bad.avi'), at('out/bad.mp4'))).rejects.toMatchObject({ code: 'input' })
    await expect(stat(at('out/bad.mp4'))).rejects.toThrow('ENOENT')
  })
})
