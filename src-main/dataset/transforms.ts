import { KineoError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { channelsOf, streamsOf, type ModelType, type Stream } from '../core/streams.ts'
import { checkColorJitter, drawColorJitter, type ColorJitter, type JitterStep } from './color-jitter.ts'
import { cropCannotFit, type Crop } from './crops.ts'

/** Mean and standard deviation of pixels on a scale of 0..1: one value for each channel, or one for all. */
export interface Normalisation {
  mean: readonly number[]
  std: readonly number[]
}

/** How a frame becomes input of the network, tao-facts 2.3 and 2.4. */
export interface TransformConfig {
  crop: Crop
  /** Input height of the network in pixels. */
  height: number
  /** Input width of the network in pixels. */
  width: number
  /** Short side in pixels before a crop; without meaning for `no_crop`. */
  cropSmallerEdge: number
  /** Sides of a `multi_scale_crop` as parts of the short side, one of which is drawn for each clip. */
  scales: readonly number[]
  /** Probability that a training clip is mirrored; not looked at outside training. */
  horizontalFlipProbability: number
  /** Whether mirrored flow gets the opposite horizontal motion, as it would have been recorded. TAO leaves it. */
  flipNegateU: boolean
  /** Class that a mirrored clip shows, by its own class index (see flippedClasses); null where mirroring keeps it. */
  flippedClasses: readonly number[] | null
  /** Colours of rgb training clips are varied by this; null leaves them. */
  colorJitter: ColorJitter | null
  /** For each stream of the network. */
  normalisation: Partial<Record<Stream, Normalisation>>
}

/** Random choices of one clip, the same for all its frames and for both streams. */
export interface ClipChoices {
  /** Where the crop lies in the room it has, 0 = left, towards 1 = right; of `multi_scale_crop` which place. */
  cropX: number
  /** 0 = top, towards 1 = bottom. */
  cropY: number
  /** Which of the scales, 0 = the first, towards 1 = the last. */
  scale: number
  /** Mirror left and right. */
  flip: boolean
  /** Changes of colour in their order. */
  jitter: readonly JitterStep[]
}

/**
 * Checks what can be known before an image is read.
 * @throws KineoError `spec`
 */
export function checkTransform(transform: TransformConfig, modelType: ModelType): void {
  for (const stream of streamsOf(modelType)) checkNormalisation(transform.normalisation[stream], stream)
  if (transform.crop === 'multi_scale_crop') {
    const wrong = transform.scales.find((scale) => !(scale > 0 && Number.isFinite(scale)))
    if (transform.scales.length === 0 || wrong !== undefined) {
      throw new KineoError('spec', 'multi_scale_crop needs scales above 0', {
        where: `scales [${transform.scales.join(', ')}]`,
      })
    }
  }
  if (transform.colorJitter !== null) checkColorJitter(transform.colorJitter)
  const misfit = cropCannotFit(transform)
  if (misfit !== null) throw misfit
}

function checkNormalisation(normalisation: Normalisation | undefined, stream: Stream): void {
  if (normalisation === undefined) throw new RangeError(`no mean and std for ${stream}`)
  const channels = channelsOf(stream)
  for (const [name, values] of Object.entries(normalisation) as [string, readonly number[]][]) {
    if (values.length !== 1 && values.length !== channels) {
      throw new KineoError('spec', `${stream}_input_${name} has ${values.length} values`, {
        remedy: `Give one value, or one for each of the ${channels} channels`,
      })
    }
  }
  if (normalisation.std.some((value) => !(value > 0))) {
    throw new KineoError('spec', `${stream}_input_std has a value that is not above 0`, {
      where: normalisation.std.join(', '),
    })
  }
}

/** Draws the choices of a training clip. */
export function drawChoices(transform: TransformConfig, random: Random): ClipChoices {
  // The same draws whatever is switched on, so that turning one augmentation off leaves the others as they were.
  const [cropX, cropY, flip, scale] = [random.uniform(), random.uniform(), random.uniform(), random.uniform()]
  return {
    cropX,
    cropY,
    scale,
    flip: flip < transform.horizontalFlipProbability,
    jitter: transform.colorJitter === null ? [] : drawColorJitter(transform.colorJitter, random),
  }
}

/** The choices outside training: nothing mirrored, no colour changed. A center crop has no choice. */
export const centerChoices: ClipChoices = { cropX: 0, cropY: 0, scale: 0, flip: false, jitter: [] }
