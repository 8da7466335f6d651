import { open, type FileHandle } from 'node:fs/promises'

/** A box of an MP4 file: where its content begins and ends. */
interface Box {
  type: string
  start: number
  end: number
}

/**
 * Frames that an MP4 file holds, by its own index; without decoding, in a fraction of the time that ffprobe takes to start.
 *
 * @returns Null when the file is no whole MP4 with one video stream.
 */
export async function countMp4Frames(path: string): Promise<number | null> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const movie = (await boxesIn(file, 0, size)).find(({ type }) => type === 'moov')
    if (movie === undefined) return null
    for (const track of await boxesIn(file, movie.start, movie.end)) {
      if (track.type !== 'trak') continue
      const media = await boxAt(file, track, ['mdia'])
      const handler = media && (await boxAt(file, media, ['hdlr']))
      const sizes = media && (await boxAt(file, media, ['minf', 'stbl', 'stsz']))
      if (!handler || !sizes) continue
      // Version and flags take four bytes, then four more come before what is wanted.
      const kind = (await bytesAt(file, handler.start + 8, 4)).toString('latin1')
      if (kind === 'vide') return (await bytesAt(file, sizes.start + 8, 4)).readUInt32BE()
    }
    return null
  } finally {
    await file.close()
  }
}

async function boxAt(file: FileHandle, within: Box, path: readonly string[]): Promise<Box | null> {
  let box = within
  for (const type of path) {
    const found = (await boxesIn(file, box.start, box.end)).find((each) => each.type === type)
    if (found === undefined) return null
    box = found
  }
  return box
}

async function boxesIn(file: FileHandle, start: number, end: number): Promise<Box[]> {
  const boxes: Box[] = []
  for (let at = start; at + 8 <= end;) {
    const head = await bytesAt(file, at, Math.min(16, end - at))
    const short = head.readUInt32BE(0)
    // 1 means that 64 bits follow, 0 that the box goes to the end.
    const isLong = short === 1 && head.length === 16
    const length = isLong ? Number(head.readBigUInt64BE(8)) : short === 0 ? end - at : short
    if (length < 8 || at + length > end) break
    boxes.push({ type: head.toString('latin1', 4, 8), start: at + (isLong ? 16 : 8), end: at + length })
    at += length
  }
  return boxes
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}
