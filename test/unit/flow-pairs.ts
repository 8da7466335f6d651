import { Random } from '../../src-main/core/random.ts'

/** How what is seen moves about the middle of the frame. */
export interface Motion {
  dx?: number
  dy?: number
  degrees?: number
  scale?: number
}

/** Two gray frames of a moving texture, and the true flow from the first to the second. */
export interface MovedPair {
  width: number
  height: number
  first: Uint8Array
  second: Uint8Array
  u: Float32Array
  v: Float32Array
}

const width = 320
const height = 240
const side = 512
/** Standard deviation of the noise of the camera, in gray levels. */
const noise = 1.5

/** Renders a texture of noise at several scales before and after a motion; each frame has its own noise. */
export function movedPair(motion: Motion, seed: number): MovedPair {
  const { dx = 0, dy = 0, degrees = 0, scale = 1 } = motion
  const texture = makeTexture(new Random(seed))
  const random = new Random(seed, 1)
  const a = Math.cos((degrees * Math.PI) / 180) * scale
  const b = Math.sin((degrees * Math.PI) / 180) * scale
  const squared = a * a + b * b
  const pair: MovedPair = {
    ...{ width, height, first: new Uint8Array(width * height), second: new Uint8Array(width * height) },
    ...{ u: new Float32Array(width * height), v: new Float32Array(width * height) },
  }
  const noisy = (value: number): number =>
    Math.max(0, Math.min(255, Math.round(value + noise * random.normal())))
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const i = row * width + column
      const [x, y] = [column - width / 2, row - height / 2]
      pair.first[i] = noisy(look(texture, x, y))
      pair.second[i] = noisy(
        look(texture, (a * (x - dx) + b * (y - dy)) / squared, (a * (y - dy) - b * (x - dx)) / squared),
      )
      pair.u[i] = a * x - b * y + dx - x
      pair.v[i] = b * x + a * y + dy - y
    }
  }
  return pair
}

function makeTexture(random: Random): Float32Array {
  const texture = new Float32Array(side * side)
  let weight = 1
  for (let cells = 8; cells <= 128; cells *= 2, weight *= 0.62) {
    const knots = Float32Array.from({ length: cells * cells }, () => random.uniform())
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const value = bilinear(knots, cells, (x * cells) / side, (y * cells) / side, smooth)
        texture[y * side + x]! += weight * value
      }
    }
  }
  const [low, high] = [texture.reduce((a, b) => Math.min(a, b)), texture.reduce((a, b) => Math.max(a, b))]
  return texture.map((value) => 20 + (215 * (value - low)) / (high - low))
}

function look(texture: Float32Array, x: number, y: number): number {
  return bilinear(texture, side, x + side / 2, y + side / 2, (t) => t)
}

/** Value between the knots of a periodic grid. */
function bilinear(
  knots: Float32Array,
  cells: number,
  x: number,
  y: number,
  ease: (t: number) => number,
): number {
  const [left, top] = [Math.floor(x), Math.floor(y)]
  const [fx, fy] = [ease(x - left), ease(y - top)]
  const knot = (column: number, row: number): number =>
    knots[(((row % cells) + cells) % cells) * cells + (((column % cells) + cells) % cells)]!
  const upper = knot(left, top) + (knot(left + 1, top) - knot(left, top)) * fx
  const lower = knot(left, top + 1) + (knot(left + 1, top + 1) - knot(left, top + 1)) * fx
  return upper + (lower - upper) * fy
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t)
}
