import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { Random } from '../../src-main/core/random.ts'

export interface TinyDataset {
  /** Class folder name -> number of videos. */
  videos: Record<string, number>
  frames?: number
  size?: number
  seed?: number
}

/**
 * Writes a dataset in TAO's layout: noise whose brightness (rgb) and horizontal motion (flow) depend on the class, so
 * that a network can tell the classes apart after few steps.
 */
export async function writeTinyDataset(root: string, options: TinyDataset): Promise<void> {
  const { videos, frames = 5, size = 40, seed = 1 } = options
  const classes = Object.keys(videos).sort()
  for (const [classIndex, name] of classes.entries()) {
    for (let video = 0; video < (videos[name] ?? 0); video++) {
      const folder = join(root, name, `video_${video}`)
      const random = new Random(seed, classIndex, video)
      const level = 60 + (135 * classIndex) / Math.max(1, classes.length - 1)
      for (const [stream, count, channels] of [
        ['rgb', frames, 3],
        ['u', frames - 1, 1],
        ['v', frames - 1, 1],
      ] as const) {
        await mkdir(join(folder, stream), { recursive: true })
        for (let frame = 0; frame < count; frame++) {
          const pixels = Uint8Array.from({ length: size * size * channels }, () => level + random.integer(40))
          const image = sharp(pixels, { raw: { width: size, height: size, channels } })
          const file = join(folder, stream, String(frame).padStart(6, '0'))
          if (stream === 'rgb') await image.png({ compressionLevel: 1 }).toFile(`${file}.png`)
          else await image.toColourspace('b-w').jpeg().toFile(`${file}.jpg`)
        }
      }
    }
  }
}
