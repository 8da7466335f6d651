import { KineoError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'

/**
 * How far colours are varied, as torchvision's ColorJitter: `brightness`, `contrast` and `saturation` are multiplied by
 * a factor drawn from max(0, 1 - value)..1 + value, `hue` is turned by -value..value of the whole circle. 0 changes
 * nothing.
 */
export interface ColorJitter {
  brightness: number
  contrast: number
  saturation: number
  /** At most 0.5. */
  hue: number
}

/** One change of colour: a factor, or for `hue` a part of the circle. */
export interface JitterStep {
  kind: keyof ColorJitter
  amount: number
}

/** @throws KineoError `spec` for values out of range. */
export function checkColorJitter(jitter: ColorJitter): void {
  for (const [name, value] of Object.entries(jitter) as [keyof ColorJitter, number][]) {
    const most = name === 'hue' ? 0.5 : Infinity
    if (!(value >= 0 && value <= most && Number.isFinite(value))) {
      throw new KineoError(
        'spec',
        `color_jitter.${name} must be ${name === 'hue' ? '0 to 0.5' : '0 or more'}`,
        {
          where: String(value),
        },
      )
    }
  }
}

/** Draws the changes of a clip, in a random order as torchvision. */
export function drawColorJitter(jitter: ColorJitter, random: Random): JitterStep[] {
  const around = (value: number, least: number, middle: number): number => {
    const low = Math.max(least, middle - value)
    return low + random.uniform() * (middle + value - low)
  }
  const steps: JitterStep[] = [
    { kind: 'brightness', amount: around(jitter.brightness, 0, 1) },
    { kind: 'contrast', amount: around(jitter.contrast, 0, 1) },
    { kind: 'saturation', amount: around(jitter.saturation, 0, 1) },
    { kind: 'hue', amount: around(jitter.hue, -0.5, 0) },
  ]
  return random.shuffle(steps).filter(({ kind }) => jitter[kind] > 0)
}

/**
 * Changes the colours of a frame in place, 8-bit steps as torchvision does on Pillow images (ImageEnhance, and HSV with
 * a hue of 0..255).
 *
 * @param pixels R, G, B of each pixel.
 */
export function applyColorJitter(pixels: Uint8Array, steps: readonly JitterStep[]): void {
  for (const { kind, amount } of steps) {
    if (kind === 'hue') turnHue(pixels, amount)
    else if (kind === 'saturation') blendWithGray(pixels, amount)
    else blendWith(pixels, kind === 'brightness' ? 0 : meanGray(pixels), amount)
  }
}

/** Pillow's conversion to gray: ITU-R 601-2, fixed point of 16 bits, rounded. */
function grayOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
}

function meanGray(pixels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < pixels.length; i += 3) {
    sum += grayOf(pixels[i] ?? 0, pixels[i + 1] ?? 0, pixels[i + 2] ?? 0)
  }
  return Math.trunc(sum / (pixels.length / 3) + 0.5)
}

/** Pillow's Image.blend from one value to another: truncated, cut at 0 and 255. `factor` is a float32. */
function blended(from: number, to: number, factor: number): number {
  const value = Math.fround(from + Math.fround(factor * (to - from)))
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value)
}

function blendWith(pixels: Uint8Array, from: number, factor: number): void {
  const table = Uint8Array.from({ length: 256 }, (_, value) => blended(from, value, Math.fround(factor)))
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[pixels[i] ?? 0] ?? 0
}

function blendWithGray(pixels: Uint8Array, amount: number): void {
  const factor = Math.fround(amount)
  for (let i = 0; i < pixels.length; i += 3) {
    const [red, green, blue] = [pixels[i] ?? 0, pixels[i + 1] ?? 0, pixels[i + 2] ?? 0]
    const gray = grayOf(red, green, blue)
    pixels[i] = blended(gray, red, factor)
    pixels[i + 1] = blended(gray, green, factor)
    pixels[i + 2] = blended(gray, blue, factor)
  }
}

/** Which of most (0), between (1) and low (2) red, green and blue are, by sixth of the circle; last for gray. */
const partOfChannel = [
  [0, 1, 2],
  [1, 0, 2],
  [2, 0, 1],
  [2, 1, 0],
  [1, 2, 0],
  [0, 2, 1],
  [0, 0, 0],
] as const

/** Turns the hue by a part of the circle, with Pillow's conversions to HSV and back. */
function turnHue(pixels: Uint8Array, part: number): void {
  const turn = Math.trunc(part * 255) & 255
  for (let i = 0; i < pixels.length; i += 3) {
    const [red, green, blue] = [pixels[i] ?? 0, pixels[i + 1] ?? 0, pixels[i + 2] ?? 0]
    const most = Math.max(red, green, blue)
    const range = most - Math.min(red, green, blue)
    // A gray has no hue.
    if (range === 0) continue
    const saturation = Math.trunc(Math.fround(range / most) * 255)
    const hue = (hueOf(red, green, blue, most, range) + turn) & 255
    const place = (hue * 6) / 255
    const sector = Math.floor(place)
    const rest = Math.fround(place - sector)
    const strength = Math.fround(saturation / 255)
    const low = roundByte(most * (1 - strength))
    const falling = roundByte(most * (1 - strength * rest))
    const rising = roundByte(most * (1 - strength * (1 - rest)))
    const between = sector % 2 === 0 ? rising : falling
    const order = partOfChannel[saturation === 0 ? 6 : sector % 6] ?? partOfChannel[6]
    for (let channel = 0; channel < 3; channel++) {
      const part = order[channel]
      pixels[i + channel] = part === 0 ? most : part === 1 ? between : low
    }
  }
}

/** 0..255 for once around the circle, in Pillow's steps of float32. */
function hueOf(red: number, green: number, blue: number, most: number, range: number): number {
  const from = (channel: number): number => Math.fround((most - channel) / range)
  const sixths =
    red === most
      ? from(blue) - from(green)
      : green === most
        ? 2 + from(red) - from(blue)
        : 4 + from(green) - from(red)
  const turns = Math.fround((Math.fround(sixths) / 6 + 1) % 1)
  return Math.trunc(turns * 255)
}

function roundByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)))
}
