import sharp from 'sharp'

/**
 * A drawing as PNG, in the size that its `width` and `height` say.
 * @param svg A whole SVG document.
 */
export async function svgToPng(svg: string): Promise<Uint8Array> {
  return await sharp(Buffer.from(svg), { limitInputPixels: false }).png({ compressionLevel: 9 }).toBuffer()
}

/** Whether this machine has a font to draw text with; some servers and containers have none. */
export async function canDrawText(): Promise<boolean> {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="20" height="20" fill="#fff"/>' +
    '<text x="4" y="16" font-family="sans-serif" font-size="16">8</text></svg>'
  const { channels } = await sharp(Buffer.from(svg)).stats()
  return (channels[0]?.min ?? 255) < 128
}
