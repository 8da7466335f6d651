import { readFileSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { BilinearResizer } from '../../src-main/dataset/resize.ts'

interface ResizeCase {
  name: string
  channels: 1 | 3
  from: [number, number]
  to: [number, number]
  deflated: string
}

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/resize/resize.json', import.meta.url), 'utf8'),
) as { cases: ResizeCase[] }

/** The images of make_resize.py. */
function pixels(width: number, height: number, channels: number): Uint8Array {
  let state = BigInt(width * 31 + height * 17 + channels)
  return Uint8Array.from({ length: width * height * channels }, () => {
    state = (state * 1103515245n + 12345n) % 2n ** 31n
    return Number((state >> 16n) % 256n)
  })
}

describe('the bilinear resizer', () => {
  for (const { name, channels, from, to, deflated } of fixture.cases) {
    it(`gives Pillow's result bit for bit: ${name}`, () => {
      const [width, height] = from
      const resizer = new BilinearResizer({ width, height }, { width: to[0], height: to[1] }, channels)
      const expected = new Uint8Array(inflateSync(Buffer.from(deflated, 'base64')))
      const image = pixels(width, height, channels)
      expect(resizer.resize(image)).toEqual(expected)
      // Again, since a resizer keeps its sums between images.
      expect(resizer.resize(image)).toEqual(expected)
    })
  }

  it('refuses an image of another size', () => {
    const resizer = new BilinearResizer({ width: 4, height: 4 }, { width: 2, height: 2 }, 1)
    expect(() => resizer.resize(new Uint8Array(15))).toThrow(RangeError)
  })
})
