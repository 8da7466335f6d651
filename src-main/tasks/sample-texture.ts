import type { Random } from '../core/random.ts'

/** A picture that repeats without a seam in both directions. */
export interface Texture {
  /** Side in pixels, a power of two. */
  side: number
  /** `side * side * 3` values of 0..255. */
  rgb: Float32Array
}

/** Where a pixel of the frame looks into the texture: `x' = a x + b y + dx`, `y' = -b x + a y + dy`. */
export interface View {
  a: number
  b: number
  dx: number
  dy: number
}

const side = 256
/** Height steps of the paper layers. */
const layers = 7

/** From shadow to light; each reads well in a light and in a dark surrounding. */
const palettes: readonly (readonly string[])[] = [
  ['#12263a', '#1f5673', '#4b9da9', '#a9d6c8', '#f4efe1'],
  ['#2b1d3a', '#643a71', '#b5577c', '#eb9486', '#f9dcc4'],
  ['#13322b', '#2d6a4f', '#74a57f', '#c5d6a3', '#f5f0d8'],
  ['#3a1f14', '#8a4b2a', '#cf8a45', '#ecc580', '#fbf1d5'],
  ['#1b2140', '#3d4f8f', '#7a8fcf', '#b9c4ea', '#f3eef6'],
  ['#33161f', '#7d2f3c', '#c8594f', '#e9a178', '#f7e3c6'],
  ['#0f2e33', '#26676b', '#61a398', '#d3b88c', '#f3dfc1'],
  ['#24252b', '#4f5566', '#8b93a3', '#c5c9d0', '#f2efe9'],
]

/** Hills of random noise at several scales, coloured as layers of paper out of a random palette. */
export function paperTexture(random: Random): Texture {
  const height = noise(random)
  const palette = (palettes[random.integer(palettes.length)] ?? []).map(channels)
  if (random.uniform() < 0.5) palette.reverse()
  const rgb = new Float32Array(side * side * 3)
  for (let i = 0; i < side * side; i++) {
    const step = (height[i] ?? 0) * layers
    const layer = Math.min(layers - 1, Math.floor(step))
    const within = step - layer
    // Layers are flat with a soft lower edge in their shadow, and a little of the slope stays for fine detail.
    const shade = 0.82 + 0.18 * smooth(Math.min(1, within / 0.35))
    const tone = (layer + 0.25 * within) / (layers - 0.75)
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = gradient(palette, tone, c) * shade
  }
  return { side, rgb }
}

/** Samples a frame of `width * height * 3` bytes out of the texture, bilinearly. The view turns about the middle. */
export function viewTexture(texture: Texture, view: View, width: number, height: number): Uint8Array {
  const { rgb } = texture
  const mask = texture.side - 1
  const frame = new Uint8Array(width * height * 3)
  let out = 0
  for (let row = 0; row < height; row++) {
    const y = row - height / 2
    for (let column = 0; column < width; column++) {
      const x = column - width / 2
      const sourceX = view.a * x + view.b * y + view.dx
      const sourceY = view.a * y - view.b * x + view.dy
      const left = Math.floor(sourceX)
      const top = Math.floor(sourceY)
      const fx = sourceX - left
      const fy = sourceY - top
      const upper = (top & mask) * texture.side
      const lower = ((top + 1) & mask) * texture.side
      const a = (upper + (left & mask)) * 3
      const b = (upper + ((left + 1) & mask)) * 3
      const c = (lower + (left & mask)) * 3
      const d = (lower + ((left + 1) & mask)) * 3
      for (let channel = 0; channel < 3; channel++) {
        const above = mix(rgb[a + channel] ?? 0, rgb[b + channel] ?? 0, fx)
        const below = mix(rgb[c + channel] ?? 0, rgb[d + channel] ?? 0, fx)
        frame[out++] = mix(above, below, fy) + 0.5
      }
    }
  }
  return frame
}

function mix(a: number, b: number, fraction: number): number {
  return a + (b - a) * fraction
}

/** Value noise over five octaves, periodic, spread evenly over [0, 1) so that every layer covers the same area. */
function noise(random: Random): Float32Array {
  const sum = new Float32Array(side * side)
  const coarsest = 4 + random.integer(3)
  let weight = 1
  for (let octave = 0; octave < 5; octave++, weight *= 0.5)
    addOctave(sum, random, coarsest * 2 ** octave, weight)
  return equalize(sum)
}

/** Replaces each value by the share of values below it, to a 4096th. */
function equalize(values: Float32Array): Float32Array {
  const bins = 4096
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const bin = (value: number): number => Math.floor(((value - low) / (high - low)) * (bins - 1))
  const below = new Float32Array(bins + 1)
  for (const value of values) below[bin(value) + 1] = (below[bin(value) + 1] ?? 0) + 1 / values.length
  for (let i = 1; i <= bins; i++) below[i] = (below[i] ?? 0) + (below[i - 1] ?? 0)
  return values.map((value) => below[bin(value)] ?? 0)
}

function addOctave(sum: Float32Array, random: Random, cells: number, weight: number): void {
  const knots = Float32Array.from({ length: cells * cells }, () => random.uniform())
  const knot = (x: number, y: number): number => knots[(y % cells) * cells + (x % cells)] ?? 0
  for (let y = 0; y < side; y++) {
    const v = (y * cells) / side
    const top = Math.floor(v)
    const fy = smooth(v - top)
    for (let x = 0; x < side; x++) {
      const u = (x * cells) / side
      const left = Math.floor(u)
      const fx = smooth(u - left)
      const above = mix(knot(left, top), knot(left + 1, top), fx)
      const below = mix(knot(left, top + 1), knot(left + 1, top + 1), fx)
      sum[y * side + x] = (sum[y * side + x] ?? 0) + weight * mix(above, below, fy)
    }
  }
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t)
}

function gradient(palette: readonly (readonly number[])[], tone: number, channel: number): number {
  const at = Math.min(1, tone) * (palette.length - 1)
  const lower = Math.min(palette.length - 2, Math.floor(at))
  const [a = 0, b = 0] = [palette[lower]?.[channel], palette[lower + 1]?.[channel]]
  return mix(a, b, at - lower)
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
}
