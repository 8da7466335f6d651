import { KineoError, throwIfCancelled } from '../core/errors.ts'
import { RemainingTime, type ReportProgress } from '../core/progress.ts'
import { streamsOf, type ModelType, type Stream } from '../core/streams.ts'
import { mapBounded } from './bounded.ts'
import { resizedSize } from './crops.ts'
import { deepFlow, plainReason, readFrame } from './frame-image.ts'
import { readImageHeader, type ImageHeader } from './image-header.ts'
import { problemsError, type ReportNote } from './problems.ts'
import type { ImageSize } from './resize.ts'
import type { VideoSample } from './samples.ts'
import type { TransformConfig } from './transforms.ts'

export interface DatasetCheck {
  modelType: ModelType
  /** What the images will go through; crops that do not fit an image are told. */
  transforms?: readonly TransformConfig[]
  signal?: AbortSignal | undefined
  onProgress?: ReportProgress | undefined
  /** Told what is converted, one sentence for each kind of image. */
  onNote?: ReportNote | undefined
}

const headersAtOnce = 16
const imagesPerReport = 500

/**
 * Reads the header of every image that a network of `modelType` would look at, before any long work begins, and tells
 * all that cannot be used at once: missing, empty, cut off, of an unknown format, flow in colours or of 16 bits, frames
 * of different sizes within a video, crops that do not fit. An image whose end looks wrong is decoded to be sure. About
 * 10,000 images a second; damage in the middle of a file is found when it is read only.
 *
 * @throws KineoError `input` naming the images; CancelledError on abort.
 */
export async function checkDataset(samples: readonly VideoSample[], check: DatasetCheck): Promise<void> {
  const images = samples.flatMap((sample) => imagesOf(sample, check.modelType))
  const report = progressOf(images.length, check.onProgress)
  const conversions = new Conversions()
  const found = await mapBounded(images, headersAtOnce, async (image) => {
    throwIfCancelled(check.signal)
    const result = await headerOf(image).catch((error: unknown) => problemOf(image, error))
    report()
    return result
  })
  for (const [index, result] of found.entries()) {
    const image = images[index]
    if (image !== undefined && !(result instanceof KineoError)) conversions.count(image, result)
  }
  const unreadable = found.filter((result) => result instanceof KineoError)
  const problems = [...unreadable, ...shapeProblems(images, found, check)]
  if (problems.length > 0) {
    throw problemsError(
      problems,
      `The images of the data set have ${problems.length} problems`,
      'Prepare their videos again with `kineo preprocess`, or remove them',
    )
  }
  for (const note of conversions.notes()) check.onNote?.(note)
}

interface ListedImage {
  file: string
  stream: Stream
  /** Position in its stream; u and v of one frame count as two. */
  position: number
}

function imagesOf(sample: VideoSample, modelType: ModelType): ListedImage[] {
  return streamsOf(modelType).flatMap((stream) => {
    const files = stream === 'rgb' ? sample.rgb : [...sample.u, ...sample.v]
    return files.map((file, position) => ({ file, stream, position }))
  })
}

async function headerOf({ file, stream, position }: ListedImage): Promise<ImageHeader> {
  const header = await readImageHeader(file)
  if (header.width < 1 || header.height < 1) throw new Error('its header is damaged')
  const isFlow = stream === 'of'
  if (isFlow && header.depth > 8) throw new Error(deepFlow)
  // Whether flow that is stored in colour is gray shows in the pixels only; one image of a video has to do.
  const suspicious = !header.complete || (isFlow && position === 0 && header.color !== 'gray')
  if (suspicious) await readFrame(file, isFlow ? 'gray' : 'rgb')
  return header
}

function problemOf({ file, stream }: ListedImage, error: unknown): KineoError {
  if (error instanceof KineoError) return error
  const reason = error instanceof Error ? plainReason(error.message) : String(error)
  return new KineoError('input', `Cannot read a ${stream === 'rgb' ? 'frame' : 'flow image'} (${reason})`, {
    where: file,
    remedy: 'Prepare its video again with `kineo preprocess`, or remove the video',
    cause: error,
  })
}

/** Videos whose images differ in size where that matters, and crops that do not fit, one problem for each. */
function shapeProblems(
  images: readonly ListedImage[],
  found: readonly (ImageHeader | KineoError)[],
  check: DatasetCheck,
): KineoError[] {
  const { modelType, transforms = [], onNote } = check
  const cropped = transforms.some(({ crop }) => crop !== 'no_crop')
  const problems: KineoError[] = []
  const uneven: string[] = []
  let first: ImageSize | null = null
  let told = false
  for (const [index, { file, stream, position }] of images.entries()) {
    const header = found[index]
    if (position === 0) [first, told] = [null, false]
    if (header === undefined || header instanceof KineoError || told) continue
    const size = seenSize(header, stream)
    if (first === null) {
      first = size
      const problem = cropProblem(size, transforms, modelType, file)
      if (problem !== null) problems.push(problem)
      told = problem !== null
    } else if (size.width !== first.width || size.height !== first.height) {
      told = true
      if (cropped) problems.push(unevenProblem(first, size, file))
      else uneven.push(file)
    }
  }
  if (uneven.length > 0) {
    onNote?.(
      `The images of ${uneven.length} ${uneven.length === 1 ? 'video' : 'videos'} differ in size (such as ${uneven[0] ?? ''}); each is resized by itself`,
    )
  }
  return problems
}

/** As readFrame gives it: EXIF turns frames, flow is taken as it stands. */
function seenSize({ width, height, orientation }: ImageHeader, stream: Stream): ImageSize {
  return stream === 'rgb' && orientation >= 5 ? { width: height, height: width } : { width, height }
}

function cropProblem(
  size: ImageSize,
  transforms: readonly TransformConfig[],
  modelType: ModelType,
  file: string,
): KineoError | null {
  for (const transform of transforms) {
    try {
      resizedSize(size, transform, modelType, file)
    } catch (error) {
      if (error instanceof KineoError) return error
      throw error
    }
  }
  return null
}

function unevenProblem(first: ImageSize, size: ImageSize, file: string): KineoError {
  return new KineoError(
    'input',
    `The frames of a video have different shapes (${first.width}x${first.height} and ${size.width}x${size.height})`,
    { where: file, remedy: 'Prepare the video again with `kineo preprocess`' },
  )
}

/** Counts the images that are read otherwise than they stand. */
class Conversions {
  readonly #kinds = new Map<string, { kind: string; stream: Stream; count: number; example: string }>()

  count({ file, stream }: ListedImage, header: ImageHeader): void {
    for (const kind of conversionsOf(header, stream)) {
      const known = this.#kinds.get(`${stream} ${kind}`)
      if (known === undefined) this.#kinds.set(`${stream} ${kind}`, { kind, stream, count: 1, example: file })
      else known.count += 1
    }
  }

  notes(): string[] {
    return [...this.#kinds.values()].map(
      ({ kind, stream, count, example }) =>
        `${count} ${stream === 'rgb' ? 'colour' : 'flow'} ${count === 1 ? 'image' : 'images'} ${kind} (such as ${example})`,
    )
  }
}

function conversionsOf({ color, alpha, depth, orientation }: ImageHeader, stream: Stream): string[] {
  const kinds: string[] = []
  if (alpha) kinds.push('with an alpha channel, which is left out')
  if (stream === 'rgb') {
    if (depth > 8) kinds.push(`of ${depth} bits, read with 8`)
    if (color === 'gray') kinds.push('in gray, read as three equal channels')
    if (color === 'palette') kinds.push('with a palette, read as RGB')
    if (color === 'cmyk') kinds.push('in CMYK, read as RGB')
    if (orientation !== 1) kinds.push('with an EXIF orientation, turned upright')
  } else if (color !== 'gray') {
    kinds.push('stored in colour or with a palette, read as gray')
  }
  return kinds
}

function progressOf(total: number, onProgress: ReportProgress | undefined): () => void {
  const remaining = new RemainingTime()
  remaining.update(0, total)
  let done = 0
  return () => {
    done += 1
    if (done % imagesPerReport !== 0 && done !== total) return
    const remainingSeconds = remaining.update(done, total)
    onProgress?.({ done, total, unit: 'images', remainingSeconds, note: 'checking the images' })
  }
}
