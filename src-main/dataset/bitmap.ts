import type { ImageHeader } from './image-header.ts'

/** What is needed to find the pixels of a BMP image. */
interface BitmapLayout {
  width: number
  height: number
  /** True when the first row is the top one; BMP files usually begin at the bottom. */
  topDown: boolean
  /** 1, 4 or 8 with a colour table, 24 or 32. */
  bitsPerPixel: number
  /** Of the first pixel. */
  offset: number
  rowBytes: number
  /** Of the colour table: blue, green, red, unused of each entry. */
  palette: Buffer
}

/** Reads the header of a BMP image, which libvips does not know; null for another format. */
export function readBitmapHeader(start: Buffer, size: number): ImageHeader | null {
  if (start[0] !== 0x42 || start[1] !== 0x4d) return null
  const { width, height, bitsPerPixel, offset, rowBytes } = bitmapLayout(start)
  return {
    width,
    height,
    color: bitsPerPixel <= 8 ? 'palette' : 'rgb',
    alpha: false,
    depth: 8,
    orientation: 1,
    complete: size >= offset + rowBytes * height,
  }
}

/**
 * Decodes an uncompressed BMP image to R, G, B of each pixel, rows from the top. A fourth channel is left out, as Pillow does.
 *
 * @throws Error in plain words for other kinds and for a file that is cut off.
 */
export function decodeBitmap(file: Buffer): { data: Uint8Array; width: number; height: number } {
  const { width, height, topDown, bitsPerPixel, offset, rowBytes, palette } = bitmapLayout(file)
  if (file.length < offset + rowBytes * height) throw new Error('the BMP image is cut off')
  const data = new Uint8Array(width * height * 3)
  const source = bitsPerPixel <= 8 ? palette : file
  let target = 0
  for (let row = 0; row < height; row++) {
    const start = offset + (topDown ? row : height - 1 - row) * rowBytes
    for (let x = 0; x < width; x++) {
      const bit = x * bitsPerPixel
      const byte = start + Math.floor(bit / 8)
      const entry = ((file[byte] ?? 0) >> (8 - bitsPerPixel - (bit % 8))) & (2 ** bitsPerPixel - 1)
      const at = bitsPerPixel <= 8 ? entry * 4 : byte
      data[target++] = source[at + 2] ?? 0
      data[target++] = source[at + 1] ?? 0
      data[target++] = source[at] ?? 0
    }
  }
  return { data, width, height }
}

function bitmapLayout(file: Buffer): BitmapLayout {
  if (file.length < 54) throw new Error('the BMP header is cut off')
  const headerBytes = file.readUInt32LE(14)
  const compression = file.readUInt32LE(30)
  const bitsPerPixel = file.readUInt16LE(28)
  // 3 names the channels' bits; written for 32 bits, and then in the usual order.
  const plain = compression === 0 || (compression === 3 && bitsPerPixel === 32)
  if (headerBytes < 40 || !plain || ![1, 4, 8, 24, 32].includes(bitsPerPixel)) {
    throw new Error(`a BMP image of ${bitsPerPixel} bits, compression ${compression}, cannot be read`)
  }
  const offset = file.readUInt32LE(10)
  const width = file.readInt32LE(18)
  const rows = file.readInt32LE(22)
  if (width <= 0 || rows === 0) throw new Error('the BMP header is damaged')
  return {
    width,
    height: Math.abs(rows),
    topDown: rows < 0,
    bitsPerPixel,
    offset,
    rowBytes: Math.ceil((width * bitsPerPixel) / 32) * 4,
    palette: file.subarray(14 + headerBytes, offset),
  }
}
