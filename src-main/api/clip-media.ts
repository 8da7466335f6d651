import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { partialPath } from '../core/atomic-file.ts'
import { KineoError } from '../core/errors.ts'
import { makeProxy, probe, thumbnail } from '../media/index.ts'
import type { ClipRecord, Project } from '../project/index.ts'
import { Concurrency } from './concurrency.ts'

/** Twice the width at which grids show it, for dense screens. */
const thumbnailWidth = 384

/**
 * Pictures and playable files of a project's clips, made when they are first asked for and kept in its cache folder.
 * Two requests for the same thing wait for one making.
 */
export class ClipMedia {
  readonly #project: Project
  readonly #key: string
  readonly #sourceFolder: string
  /** Clips of a TAO dataset have frames but no video. */
  readonly #framesOnly: boolean
  readonly #thumbnails = new Concurrency(2)
  readonly #proxies = new Concurrency(1)
  readonly #making = new Map<string, Promise<string>>()
  readonly #stop = new AbortController()

  constructor(project: Project) {
    this.#project = project
    const { key, sourceFolder, kind } = project.record()
    this.#key = key
    this.#sourceFolder = sourceFolder
    this.#framesOnly = kind === 'tao-dataset'
  }

  /** Address of a file that Chromium plays, on both hosts; it changes when the file does. */
  videoUrl(clip: ClipRecord): string {
    return this.#url(clip, 'video')
  }

  thumbnailUrl(clip: ClipRecord): string {
    return this.#url(clip, 'thumbnail')
  }

  #url(clip: ClipRecord, what: string): string {
    return `/media/${this.#key}/clips/${clip.id}/${what}?v=${clip.modifiedMs.toString(36)}`
  }

  /** Ends what is being made. */
  close(): void {
    this.#stop.abort()
  }

  /**
   * Path of a picture of the clip.
   *
   * @throws KineoError when the clip has no frame that can be shown.
   */
  async thumbnailFile(clip: ClipRecord): Promise<string> {
    if (this.#framesOnly) {
      const frames = await listFrames(clip)
      const middle = frames.files[Math.floor(frames.files.length / 2)]
      if (middle === undefined) throw noFrames(clip)
      return join(frames.folder, middle)
    }
    return this.#made(`thumbnails/${clip.id}-${clip.modifiedMs.toString(36)}.jpg`, (out) =>
      this.#thumbnails.run(async () => {
        const atSeconds = (clip.durationSeconds ?? 0) / 2
        const options = { atSeconds, width: thumbnailWidth, signal: this.#stop.signal }
        const picture = await thumbnail(this.videoPath(clip), options)
        const partial = partialPath(out)
        await writeFile(partial, picture)
        await rename(partial, out)
      }),
    )
  }

  /**
   * Path of a file that Chromium plays: the video itself, or a proxy of it or of the prepared frames.
   *
   * @throws KineoError when the video cannot be read.
   */
  async playableFile(clip: ClipRecord): Promise<string> {
    const signal = this.#stop.signal
    if (this.#framesOnly) {
      return this.#made(`previews/${clip.id}-${clip.modifiedMs.toString(36)}.mp4`, (out) =>
        this.#proxies.run(async () => makeProxy(await framePattern(clip), out, signal)),
      )
    }
    const path = this.videoPath(clip)
    const playable = clip.playable ?? (await probe(path)).playable
    if (playable) return path
    return this.#made(`proxies/${clip.id}-${clip.modifiedMs.toString(36)}.mp4`, (out) =>
      this.#proxies.run(() => makeProxy(path, out, signal)),
    )
  }

  /** Absolute path of the clip's own file. */
  videoPath(clip: ClipRecord): string {
    return join(this.#sourceFolder, clip.path)
  }

  async #made(name: string, make: (out: string) => Promise<void>): Promise<string> {
    const out = join(this.#project.cacheFolder, name)
    const running = this.#making.get(out)
    if (running !== undefined) return running
    const making = (async () => {
      if ((await stat(out).catch(() => null)) !== null) return out
      await mkdir(dirname(out), { recursive: true })
      await make(out)
      return out
    })()
    this.#making.set(out, making)
    try {
      return await making
    } finally {
      this.#making.delete(out)
    }
  }
}

function noFrames(clip: ClipRecord): KineoError {
  return new KineoError('input', 'The clip holds no frames', { where: clip.path })
}

async function listFrames(clip: ClipRecord): Promise<{ folder: string; files: string[] }> {
  if (clip.framesFolder === null) throw noFrames(clip)
  const folder = join(clip.framesFolder, clip.hasRgb ? 'rgb' : 'u')
  const files = (await readdir(folder)).filter((name) => /\.(png|jpe?g)$/i.test(name)).sort()
  return { folder, files }
}

/** ffmpeg's name for a clip's numbered frames: `rgb/%06d.png`. */
async function framePattern(clip: ClipRecord): Promise<string> {
  const { folder, files } = await listFrames(clip)
  const [, prefix = '', digits, extension = ''] = /^(.*?)(\d+)(\.\w+)$/.exec(files[0] ?? '') ?? []
  // ffmpeg looks for the first number from 0 to 4.
  if (digits === undefined || Number(digits) > 4) {
    throw new KineoError('input', 'These frames cannot be played: they are not numbered from 0 or 1', {
      where: folder,
    })
  }
  const escape = (text: string): string => text.replaceAll('%', '%%')
  return join(escape(folder), `${escape(prefix)}%0${digits.length}d${extension}`)
}
