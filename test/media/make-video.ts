import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { mediaTools } from '../../src-main/media/index.ts'

const run = promisify(execFile)

/** Runs the ffmpeg that Kineo uses. */
export async function ffmpeg(...words: string[]): Promise<void> {
  const { ffmpeg: program } = await mediaTools()
  await run(program, ['-v', 'error', '-nostdin', '-y', ...words])
}

export interface VideoOptions {
  width?: number
  height?: number
  frames?: number
  rate?: number
  /** Another picture for another seed. */
  seed?: number
  /** Words for the output, before its name. */
  options?: string[]
}

/** Makes a small H.264 video of ffmpeg's moving test picture. */
export async function makeVideo(path: string, wanted: VideoOptions = {}): Promise<void> {
  const { width = 64, height = 48, frames = 6, rate = 10, seed = 0, options = [] } = wanted
  await mkdir(dirname(path), { recursive: true })
  // With noise, because the test picture of old ffmpeg repeats itself.
  const picture = `testsrc2=size=${width}x${height}:rate=${rate}`
  const source = `${picture},hue=h=${(seed * 47) % 360},noise=alls=16:allf=t`
  await ffmpeg(
    ...['-f', 'lavfi', '-i', source, '-frames:v', String(frames)],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...options, path],
  )
}

/** Makes a file with sound but no picture. */
export async function makeSound(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await ffmpeg('-f', 'lavfi', '-i', 'sine=duration=0.5', '-c:a', 'aac', path)
}

/** Whether the ffmpeg in use has `-fps_mode` and `-display_rotation` in place of older options. */
export async function speaksNewOptions(): Promise<{ fpsMode: boolean; displayRotation: boolean }> {
  const { avutil } = await mediaTools()
  return {
    fpsMode: avutil[0] > 57 || (avutil[0] === 57 && avutil[1] >= 28),
    displayRotation: avutil[0] >= 58,
  }
}
