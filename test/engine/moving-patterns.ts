import { Random } from '../../src-main/core/random.ts'
import type { NetworkConfig } from '../../src-main/engine/index.ts'

/** A small task that only motion solves: a random texture that drifts to the left, to the right, or stands still. */
export const movingPatterns: NetworkConfig = {
  modelType: 'rgb',
  backbone: 'resnet_18',
  inputType: '2d',
  rgbSequenceLength: 3,
  ofSequenceLength: 3,
  height: 32,
  width: 32,
  classCount: 3,
  dropoutRatio: 0,
  fusionFeatures: 8,
}

const shifts = [-3, 0, 3]

/** `count` clips with labels, drawn from `seed` alone. */
export function drawPatterns(
  seed: number,
  count: number,
): { inputs: { rgb: Float32Array }; labels: Int32Array; count: number } {
  const { rgbSequenceLength: sequenceLength, height, width } = movingPatterns
  const random = new Random(seed)
  const rgb = new Float32Array(count * 3 * sequenceLength * height * width)
  const labels = new Int32Array(count)
  let at = 0
  for (let sample = 0; sample < count; sample++) {
    const label = random.integer(shifts.length)
    labels[sample] = label
    // A coarse random texture, larger than the frame, of blocks of 4 pixels.
    const texture = Array.from({ length: 24 * 24 }, () => random.normal())
    for (let channel = 0; channel < 3; channel++)
      for (let frame = 0; frame < sequenceLength; frame++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const column = Math.floor((x + 24 - frame * (shifts[label] ?? 0)) / 4)
            rgb[at++] = (texture[Math.floor(y / 4) * 24 + column] ?? 0) * (1 + 0.1 * channel)
          }
  }
  return { inputs: { rgb }, labels, count }
}
