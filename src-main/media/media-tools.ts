import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { KineoError } from '../core/errors.ts'

const run = promisify(execFile)
const requireFrom = createRequire(import.meta.url)

/** The ffmpeg and ffprobe in use. */
export interface MediaTools {
  ffmpeg: string
  ffprobe: string
  /** As the program calls itself, such as `5.1.9-0+deb12u1`. */
  version: string
  /** Version of its libavutil: comparable also for builds that carry a git hash for a version. */
  avutil: readonly [major: number, minor: number]
}

let located: Promise<MediaTools> | undefined

/**
 * Finds ffmpeg and ffprobe, once a process: KINEO_FFMPEG (with ffprobe beside it, or KINEO_FFPROBE), else the ones
 * on PATH when they are newer than the ones carried by npm, else the carried ones.
 *
 * @throws KineoError `machine` when none can be run.
 */
export function mediaTools(): Promise<MediaTools> {
  located ??= locate().catch((error: unknown) => {
    located = undefined
    throw error
  })
  return located
}

/** Version of the ffmpeg in use, or null when none can be run. */
export async function ffmpegVersion(): Promise<string | null> {
  try {
    return (await mediaTools()).version
  } catch {
    return null
  }
}

async function locate(): Promise<MediaTools> {
  const chosen = process.env['KINEO_FFMPEG']
  if (chosen !== undefined && chosen !== '') return chosenTools(chosen)

  const [onPath, carried] = await Promise.all([
    inspect(findOnPath('ffmpeg'), findOnPath('ffprobe')),
    inspect(carriedTool('@ffmpeg-installer/ffmpeg'), carriedTool('@ffprobe-installer/ffprobe')),
  ])
  if (onPath && (!carried || isNewer(onPath, carried))) return onPath
  if (carried) return carried
  throw new KineoError('machine', 'ffmpeg is missing on this machine', {
    remedy: 'Install ffmpeg, or name one with KINEO_FFMPEG=/path/to/ffmpeg',
  })
}

async function chosenTools(ffmpeg: string): Promise<MediaTools> {
  const beside = join(dirname(ffmpeg), basename(ffmpeg).replace('ffmpeg', 'ffprobe'))
  const ffprobe = process.env['KINEO_FFPROBE'] ?? (existsSync(beside) ? beside : findOnPath('ffprobe'))
  const tools = await inspect(ffmpeg, ffprobe ?? carriedTool('@ffprobe-installer/ffprobe'))
  if (tools) return tools
  throw new KineoError('machine', 'The ffmpeg named by KINEO_FFMPEG cannot be run', {
    where: ffmpeg,
    remedy: 'Name a working one with ffprobe beside it (or in KINEO_FFPROBE), or unset the variable',
  })
}

async function inspect(
  ffmpeg: string | undefined,
  ffprobe: string | undefined,
): Promise<MediaTools | undefined> {
  if (ffmpeg === undefined || ffprobe === undefined) return undefined
  try {
    const [{ stdout }] = await Promise.all([
      run(ffmpeg, ['-version'], { timeout: 20_000, windowsHide: true }),
      run(ffprobe, ['-version'], { timeout: 20_000, windowsHide: true }),
    ])
    const version = /^ffmpeg version (\S+)/m.exec(stdout)?.[1]
    const avutil = /libavutil\s+(\d+)\.\s*(\d+)\./.exec(stdout)
    if (version === undefined || !avutil) return undefined
    return { ffmpeg, ffprobe, version, avutil: [Number(avutil[1]), Number(avutil[2])] }
  } catch {
    return undefined
  }
}

function findOnPath(name: string): string | undefined {
  const file = process.platform === 'win32' ? `${name}.exe` : name
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, file))
    .find((path) => existsSync(path))
}

/** The installer packages throw on platforms for which they carry nothing. */
function carriedTool(packageName: string): string | undefined {
  try {
    const carried: unknown = requireFrom(packageName)
    if (typeof carried !== 'object' || carried === null || !('path' in carried)) return undefined
    // Inside a packaged app the program stands beside the archive, not in it.
    return String(carried.path).replace('app.asar', 'app.asar.unpacked')
  } catch {
    return undefined
  }
}

function isNewer(a: MediaTools, b: MediaTools): boolean {
  return a.avutil[0] !== b.avutil[0] ? a.avutil[0] > b.avutil[0] : a.avutil[1] > b.avutil[1]
}
