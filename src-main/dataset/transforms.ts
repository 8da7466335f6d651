import { KineoError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { ImageSize } from './resize.ts'
import type { ModelType } from './samples.ts'

/**
 * How a frame comes to the size of the network's input, tao-facts 2.3. `random_crop` (training) and `center_crop`
 * (TAO's `val_center_crop`) resize the short side to `cropSmallerEdge` and cut `height` x `width` out; `no_crop`
 * resizes straight to `height` x `width` and does not keep the aspect.
 */
export type Crop = 'random_crop' | 'center_crop' | 'no_crop'

export interface TransformConfig {
  crop: Crop
  /** Input height of the network in pixels. */
  height: number
  /** Input width of the network in pixels. */
  width: number
  /** Short side in pixels before a crop; without meaning for `no_crop`. */
  cropSmallerEdge: number
  /** Probability that a training clip is mirrored; not looked at in center mode. */
  horizontalFlipProbability: number
  /** Mean of each channel on a scale of 0..1; one value stands for all channels. */
  mean: readonly number[]
  /** Standard deviation of each channel on a scale of 0..1; one value stands for all channels. */
  std: readonly number[]
}

/** Random choices of one clip, the same for all its frames. */
export interface ClipChoices {
  /** Where the crop lies in the room it has, 0 = left, towards 1 = right. */
  cropX: number
  /** 0 = top, towards 1 = bottom. */
  cropY: number
  /** Mirror left and right. */
  flip: boolean
}

/** Channels of one frame: R, G, B or u, v. */
export function channelsOf(modelType: ModelType): 2 | 3 {
  return modelType === 'rgb' ? 3 : 2
}

/**
 * Checks what can be known before an image is read.
 * @throws KineoError `spec`
 */
export function checkTransform(transform: TransformConfig, modelType: ModelType): void {
  const { height, width, crop, cropSmallerEdge } = transform
  const channels = channelsOf(modelType)
  for (const [name, values] of [
    ['mean', transform.mean],
    ['std', transform.std],
  ] as const) {
    if (values.length !== 1 && values.length !== channels) {
      throw new KineoError('spec', `The input ${name} has ${values.length} values`, {
        remedy: `Give one value, or one for each of the ${channels} channels`,
      })
    }
  }
  if (transform.std.some((value) => !(value > 0))) {
    throw new KineoError('spec', 'The input std has a value that is not above 0', {
      where: transform.std.join(', '),
    })
  }
  if (crop !== 'no_crop' && cropSmallerEdge < Math.min(height, width)) throw tooSmall(transform)
}

/** True when whether a crop fits depends on the shape of the images. */
export function cropDependsOnImages(transform: TransformConfig): boolean {
  return (
    transform.crop !== 'no_crop' && transform.cropSmallerEdge < Math.max(transform.height, transform.width)
  )
}

/**
 * Size to which a frame is resized before a crop; torchvision's Resize truncates the long side.
 * @throws KineoError `input` when the crop does not fit into the resized frame.
 */
export function resizedSize(image: ImageSize, transform: TransformConfig, file: string): ImageSize {
  const { crop, height, width, cropSmallerEdge: edge } = transform
  if (crop === 'no_crop') return { width, height }
  const resized =
    image.width <= image.height
      ? { width: edge, height: Math.trunc((edge * image.height) / image.width) }
      : { width: Math.trunc((edge * image.width) / image.height), height: edge }
  if (resized.width < width || resized.height < height) throw tooSmall(transform, image, file)
  return resized
}

function tooSmall(transform: TransformConfig, image?: ImageSize, file?: string): KineoError {
  const { crop, height, width, cropSmallerEdge } = transform
  const size = image === undefined ? '' : ` (${image.width}x${image.height})`
  return new KineoError(
    image === undefined ? 'spec' : 'input',
    `A ${crop} of ${height} rows and ${width} columns does not fit into a frame whose short side is resized to ${cropSmallerEdge}`,
    {
      ...(file === undefined ? {} : { where: file + size }),
      remedy: `Set crop_smaller_edge to ${Math.max(height, width)} or more, or use no crop`,
    },
  )
}

/** Draws the choices of a training clip. */
export function drawChoices(transform: TransformConfig, random: Random): ClipChoices {
  // Always three draws, so that turning one augmentation off leaves the others as they were.
  return {
    cropX: random.uniform(),
    cropY: random.uniform(),
    flip: random.uniform() < transform.horizontalFlipProbability,
  }
}

/** The choices of center evaluation: nothing mirrored. A center crop has no choice. */
export const centerChoices: ClipChoices = { cropX: 0, cropY: 0, flip: false }

/**
 * Left upper corner of the crop in a resized frame: uniform over all places that fit for `random_crop`, torchvision's
 * CenterCrop (half rounds to even) for `center_crop`.
 */
export function cropOrigin(
  resized: ImageSize,
  transform: TransformConfig,
  choices: ClipChoices,
): { x: number; y: number } {
  const roomX = resized.width - transform.width
  const roomY = resized.height - transform.height
  if (transform.crop === 'random_crop') {
    return { x: Math.floor(choices.cropX * (roomX + 1)), y: Math.floor(choices.cropY * (roomY + 1)) }
  }
  return { x: roundHalfToEven(roomX / 2), y: roundHalfToEven(roomY / 2) }
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * What each 8-bit value of one channel becomes: (x / 255 - mean) / std, in float32 steps as torch computes it.
 *
 * @param negated For the u of mirrored flow. Motion to the left becomes motion to the right, so u changes its sign
 * (TAO leaves it as it is). Stored is trunc(u / r * 127.999 + 128): value x holds all u * 127.999 / r in
 * [x - 128, x - 127), and the negatives of these, (127 - x, 128 - x], are held by 255 - x, but for the one point
 * u * 127.999 / r = x - 128. So 255 - x is exact almost everywhere, its own inverse, and negates a value normalised
 * with mean 0.5. It moves 128 of a still pixel to 127, by the half step by which 128 itself is off zero; 256 - x
 * would keep 128 and be a whole step off for every pixel that moves.
 */
export function normaliseTable(mean: number, std: number, negated = false): Float32Array {
  return Float32Array.from({ length: 256 }, (_, value) => {
    const fraction = Math.fround((negated ? 255 - value : value) / 255)
    return Math.fround(Math.fround(fraction - Math.fround(mean)) / Math.fround(std))
  })
}

/** An 8-bit frame or plane after resizing: interleaved channels, rows from the top. */
export interface Pixels extends ImageSize {
  data: Uint8Array
}

/** Turns the resized frames of a clip into the input of the network. */
export class FrameStacker {
  readonly #transform: TransformConfig
  readonly #modelType: ModelType
  /** By channel; the last is for the u of mirrored flow. */
  readonly #tables: Float32Array[]
  readonly #mirroredU: Float32Array

  constructor(transform: TransformConfig, modelType: ModelType) {
    this.#transform = transform
    this.#modelType = modelType
    const at = (values: readonly number[], channel: number): number => values[channel] ?? values[0] ?? 0
    this.#tables = Array.from({ length: channelsOf(modelType) }, (_, channel) =>
      normaliseTable(at(transform.mean, channel), at(transform.std, channel)),
    )
    this.#mirroredU = normaliseTable(at(transform.mean, 0), at(transform.std, 0), true)
  }

  /**
   * Crops, mirrors and normalises, and stacks channel-major as TAO's 2D networks want it: R of all frames, then G,
   * then B; or u of all frames, then v.
   *
   * @param images rgb: `length` frames of 3 channels; of: 2 * `length` planes of 1 channel, u and v of a frame
   * in turn.
   * @param output Receives float32 [channels * length, height, width].
   */
  stack(images: readonly Pixels[], choices: ClipChoices, output: Float32Array): void {
    const { height, width } = this.#transform
    const channels = channelsOf(this.#modelType)
    const interleaved = this.#modelType === 'rgb' ? 3 : 1
    const length = (images.length * interleaved) / channels
    const plane = height * width
    for (const [index, image] of images.entries()) {
      const origin = cropOrigin(image, this.#transform, choices)
      const frame = interleaved === 3 ? index : Math.floor(index / 2)
      for (let part = 0; part < interleaved; part++) {
        const channel = interleaved === 3 ? part : index % 2
        const mirroredU = choices.flip && this.#modelType === 'of' && channel === 0
        const table = mirroredU ? this.#mirroredU : (this.#tables[channel] ?? this.#mirroredU)
        copyPlane(image, interleaved, part, origin, choices.flip, table, {
          data: output,
          offset: (channel * length + frame) * plane,
          height,
          width,
        })
      }
    }
  }
}

function copyPlane(
  image: Pixels,
  interleaved: number,
  part: number,
  origin: { x: number; y: number },
  flip: boolean,
  table: Float32Array,
  target: { data: Float32Array; offset: number; height: number; width: number },
): void {
  const { data, offset, height, width } = target
  const step = flip ? -interleaved : interleaved
  const firstColumn = flip ? origin.x + width - 1 : origin.x
  let position = offset
  for (let y = 0; y < height; y++) {
    let source = ((origin.y + y) * image.width + firstColumn) * interleaved + part
    for (let x = 0; x < width; x++) {
      data[position++] = table[image.data[source] ?? 0] ?? 0
      source += step
    }
  }
}
