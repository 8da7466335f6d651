import { KineoError } from '../core/errors.ts'
import type { ModelType } from '../core/streams.ts'
import type { ImageSize } from './resize.ts'
import type { ClipChoices, TransformConfig } from './transforms.ts'

/**
 * How a frame comes to the size of the network's input, tao-facts 2.3.
 *
 * - `random_crop` (training) and `center_crop` (TAO's `val_center_crop`) resize the short side to `cropSmallerEdge` and
 *   cut `height` x `width` out.
 * - `multi_scale_crop` (training) cuts a square out, whose side is a part of the short side, at one of 13 places, and
 *   resizes it to `height` x `width`. Before that the short side is resized to `cropSmallerEdge`, but not for `joint`.
 * - `no_crop` resizes straight to `height` x `width` and does not keep the aspect.
 */
export type Crop = 'random_crop' | 'multi_scale_crop' | 'center_crop' | 'no_crop'

/** A part of a frame in pixels; that of a `multi_scale_crop` with a scale above 1 reaches beyond it. */
export interface Region extends ImageSize {
  x: number
  y: number
}

/** Below this distance in pixels a scaled crop takes the size of the network's input itself. */
const snapDistance = 3

/**
 * The 13 places of a `multi_scale_crop` in quarters of the room it has, in TAO's order: corners, centre, middles of the
 * edges, and the centres of the quarters.
 */
const places: readonly (readonly [number, number])[] = [
  [0, 0],
  [4, 0],
  [0, 4],
  [4, 4],
  [2, 2],
  [0, 2],
  [4, 2],
  [2, 4],
  [2, 0],
  [1, 1],
  [3, 1],
  [1, 3],
  [3, 3],
]

/** True when whether a crop fits depends on the shape of the images. */
export function cropDependsOnImages({ crop, cropSmallerEdge, height, width }: TransformConfig): boolean {
  return (crop === 'random_crop' || crop === 'center_crop') && cropSmallerEdge < Math.max(height, width)
}

/** The failure of a crop that fits into no image, or null. */
export function cropCannotFit(transform: TransformConfig): KineoError | null {
  const { crop, cropSmallerEdge, height, width } = transform
  const fixed = crop === 'random_crop' || crop === 'center_crop'
  return fixed && cropSmallerEdge < Math.min(height, width) ? tooSmall(transform) : null
}

/**
 * Size to which a frame is resized before a crop; torchvision's Resize truncates the long side.
 * @throws KineoError `input` when the crop does not fit into the resized frame.
 */
export function resizedSize(
  image: ImageSize,
  transform: TransformConfig,
  modelType: ModelType,
  file: string,
): ImageSize {
  const { crop, height, width, cropSmallerEdge: edge } = transform
  if (crop === 'no_crop') return { width, height }
  if (crop === 'multi_scale_crop' && modelType === 'joint')
    return { width: image.width, height: image.height }
  const resized =
    image.width <= image.height
      ? { width: edge, height: Math.trunc((edge * image.height) / image.width) }
      : { width: Math.trunc((edge * image.width) / image.height), height: edge }
  if (crop !== 'multi_scale_crop' && (resized.width < width || resized.height < height)) {
    throw tooSmall(transform, image, file)
  }
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

/**
 * The part of a resized frame that becomes input. `random_crop`: uniform over all places that fit. `center_crop`:
 * torchvision's CenterCrop (half rounds to even). `multi_scale_crop`: TAO's, after TSN; places are counted in whole
 * quarter steps, so that the right and lower ones may miss the edge by up to 3 pixels.
 */
export function cropRegion(resized: ImageSize, transform: TransformConfig, choices: ClipChoices): Region {
  const { crop, height, width } = transform
  if (crop === 'multi_scale_crop') return scaledRegion(resized, transform, choices)
  const roomX = resized.width - width
  const roomY = resized.height - height
  if (crop === 'random_crop') {
    const x = Math.floor(choices.cropX * (roomX + 1))
    return { x, y: Math.floor(choices.cropY * (roomY + 1)), width, height }
  }
  return { x: roundHalfToEven(roomX / 2), y: roundHalfToEven(roomY / 2), width, height }
}

function scaledRegion(image: ImageSize, transform: TransformConfig, choices: ClipChoices): Region {
  const { scales } = transform
  const scale = scales[Math.floor(choices.scale * scales.length)] ?? 1
  const side = Math.trunc(Math.min(image.width, image.height) * scale)
  const snapped = (input: number): number => Math.max(1, Math.abs(side - input) < snapDistance ? input : side)
  const [width, height] = [snapped(transform.width), snapped(transform.height)]
  const [right, down] = places[Math.floor(choices.cropX * places.length)] ?? [2, 2]
  return {
    x: right * Math.floor((image.width - width) / 4),
    y: down * Math.floor((image.height - height) / 4),
    width,
    height,
  }
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}
