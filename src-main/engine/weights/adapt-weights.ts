import { KineoError } from '../../core/errors.ts'
import { streamsOf, type Stream } from '../../core/streams.ts'
import type { NetworkConfig } from '../nets/network.ts'
import { stateEntries, type StateEntry } from '../nets/parameters.ts'
import type { Tensor, TensorMap } from '../tensor.ts'
import { averageChannels, inflateKernel } from './convert-tensor.ts'
import { backboneOf } from './resnet-shape.ts'

/** What became of the tensors of a file. Names are those of the network, in `unused` those of the file. */
export interface AdaptationReport {
  matched: string[]
  /** Taken in another form, and in which. */
  converted: { name: string; how: string }[]
  /** What the file lacks, or what was not taken from it: starts as in a new network. */
  random: string[]
  unused: string[]
}

export interface AdaptedWeights {
  /** Only what was taken. */
  parameters: TensorMap
  report: AdaptationReport
}

export interface AdaptOptions {
  /** Keep the scale of the first activations when its channels are averaged; TAO lets them grow. */
  rescale: boolean
  /** Take the last layers, too; otherwise they start at random, for another number of classes. */
  keepHead: boolean
  /** Only this stream of a joint network. */
  prefix?: 'model_rgb' | 'model_of'
  /** The file, for messages. */
  where?: string
}

/**
 * Fits the weights of a file to a network, as TAO does it (tao-facts 1.2 to 1.6): tensors of the same name and shape are
 * taken as they are; a 2D network's first convolution is averaged over its channels; 2D kernels are inflated for a 3D
 * network, except a first convolution with other channels, which stays random. torchvision's `fc` is not taken. A joint
 * network takes a joint file, or with `prefix` one of its streams takes a file of one stream.
 * @param source As readWeights gives it.
 * @throws KineoError (input) when the file is of another network, or a tensor does not fit.
 */
export function adaptWeights(
  source: TensorMap,
  network: NetworkConfig,
  options: AdaptOptions,
): AdaptedWeights {
  const prefix = options.prefix === undefined ? '' : `${options.prefix}.`
  const sourcePrefix = findSource(source, network, options)
  checkBackbone(source, sourcePrefix, network, options)

  const parameters: TensorMap = new Map()
  const report: AdaptationReport = { matched: [], converted: [], random: [], unused: [] }
  const used = new Set<string>()
  for (const entry of stateEntries(network)) {
    const { name } = entry
    if (!name.startsWith(prefix)) continue
    const sourceName = sourcePrefix + name.slice(prefix.length)
    const tensor = isHead(name) && !options.keepHead ? undefined : source.get(sourceName)
    const fitted = tensor === undefined ? undefined : fit(entry, tensor, sourceName, network, options)
    if (fitted === undefined) {
      // A counter that old files lack starts at 0, which is not random.
      if (entry.dtype === 'float32') report.random.push(name)
      continue
    }
    used.add(sourceName)
    parameters.set(name, fitted.tensor)
    if (fitted.how === undefined) report.matched.push(name)
    else report.converted.push({ name, how: fitted.how })
  }
  report.unused = [...source.keys()].filter((name) => !used.has(name))
  return { parameters, report }
}

/**
 * The report as lines for people, such as `Pretrained weights rgb.pth: 120 tensors as they are, 1 converted, ...`.
 * @param title What stands before the colon of the first line.
 */
export function describeAdaptation(report: AdaptationReport, title: string): string[] {
  const { matched, converted, random, unused } = report
  const lines = [`${title}: ${matched.length} tensors taken as they are, ${converted.length} converted.`]
  const names = new Map<string, string[]>()
  for (const { name, how } of converted) names.set(how, [...(names.get(how) ?? []), name])
  for (const [how, list] of names) lines.push(`  ${how}: ${shortList(list)}`)
  if (random.length > 0) lines.push(`  start at random: ${shortList(random)}`)
  if (unused.length > 0) lines.push(`  not used of the file: ${shortList(unused)}`)
  return lines
}

function shortList(names: readonly string[]): string {
  const shown = 6
  const rest = names.length - shown
  return names.slice(0, shown).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

function fail(options: AdaptOptions, what: string, remedy: string): never {
  throw new KineoError('input', what, {
    ...(options.where === undefined ? {} : { where: options.where }),
    remedy,
  })
}

/** The layers whose size depends on the number of classes. */
function isHead(name: string): boolean {
  return /(^|\.)(fc_cls|fc1|fc2)\.(weight|bias)$/.test(name)
}

/** What stands before the names of the wanted part in the file: nothing, or the stream of a joint file. */
function findSource(source: TensorMap, network: NetworkConfig, options: AdaptOptions): string {
  const hasStem = (prefix: string): boolean => source.has(`${prefix}conv1.weight`)
  const joint = streamsOf('joint').map((stream) => `model_${stream}.`)
  const wanted = options.prefix?.slice('model_'.length) ?? network.modelType
  if (wanted === 'joint') {
    if (joint.every(hasStem)) return ''
    if (hasStem('')) {
      fail(
        options,
        'The weights are of a network with one stream, the spec asks for a joint one',
        'Give them as model.rgb_pretrained_model_path or model.of_pretrained_model_path',
      )
    }
  } else {
    if (hasStem('')) return ''
    if (hasStem(`model_${wanted}.`)) return `model_${wanted}.`
  }
  const [first] = source.keys()
  return fail(
    options,
    `The file holds no weights of a ResNet by torchvision's or TAO's names${first === undefined ? '' : ` (its first is ${first})`}`,
    'Give a file with names such as conv1.weight and layer1.0.conv1.weight: of torchvision, TAO or Kineo',
  )
}

/** A file of a deeper network would fit in part, and train badly. */
function checkBackbone(
  source: TensorMap,
  sourcePrefix: string,
  network: NetworkConfig,
  options: AdaptOptions,
): void {
  const isWholeJoint = network.modelType === 'joint' && options.prefix === undefined
  const prefixes = isWholeJoint ? ['model_rgb.', 'model_of.'] : [sourcePrefix]
  for (const prefix of prefixes) {
    const found = backboneOf(source.keys(), prefix)
    if (found === undefined || found === network.backbone) continue
    fail(
      options,
      `The weights are of a ${found}, the spec asks for ${network.backbone}`,
      `Set model.backbone: ${found}, or give weights of a ${network.backbone}`,
    )
  }
}

/** The tensor as the network wants it, and how it was changed; undefined where TAO leaves it random. */
function fit(
  { name, shape, dtype }: StateEntry,
  tensor: Tensor,
  sourceName: string,
  network: NetworkConfig,
  options: AdaptOptions,
): { tensor: Tensor; how?: string } | undefined {
  if (dtype === 'int64') {
    const count = Math.trunc(Number(tensor.data[0] ?? 0))
    return { tensor: { dtype, shape, data: BigInt64Array.of(BigInt(Number.isFinite(count) ? count : 0)) } }
  }
  const from = tensor.shape
  const isStem = /(^|\.)conv1\.weight$/.test(name) && !name.includes('layer')
  if (tensor.dtype === 'float32') {
    if (from.join() === shape.join()) return { tensor }
    const sameBut = (axes: readonly number[]): boolean =>
      from.length === shape.length && from.every((size, axis) => axes.includes(axis) || size === shape[axis])
    if (isStem && network.inputType === '2d' && sameBut([1])) {
      const [, old = 1] = from
      const [, wanted = 1] = shape
      const how = `averaged over ${old} input channels and copied to ${wanted}`
      return {
        tensor: averageChannels(tensor, wanted, options.rescale),
        how: options.rescale ? `${how}, times ${old}/${wanted}` : `${how}, not rescaled`,
      }
    }
    const [out, channels, frames = 1, height, width] = shape
    if (from.length === 4 && shape.length === 5) {
      if (from.join() === [out, channels, height, width].join()) {
        return {
          tensor: inflateKernel(tensor, frames),
          how:
            frames === 1
              ? 'given one frame of time'
              : `repeated over ${frames} frames and divided by ${frames}`,
        }
      }
      if (isStem && from.join() === [out, from[1], height, width].join()) return undefined
    }
  }
  return refuse(name, shape, tensor, sourceName, network, options)
}

function refuse(
  name: string,
  shape: readonly number[],
  tensor: Tensor,
  sourceName: string,
  network: NetworkConfig,
  options: AdaptOptions,
): never {
  const found = `${tensor.dtype === 'float32' ? '' : `${tensor.dtype} `}[${tensor.shape.join(', ')}]`
  const what = `${sourceName} is ${found} in the weights, the network needs [${shape.join(', ')}]`
  const stream: Stream | undefined = streamsOf(network.modelType).find(
    (candidate) => network.modelType !== 'joint' || options.prefix === `model_${candidate}`,
  )
  if (isHead(name)) {
    const classes = tensor.shape[0] ?? 0
    const key = stream === undefined ? undefined : `model.${stream}_pretrained_num_classes`
    fail(
      options,
      what,
      key === undefined
        ? 'Use the label_map and num_fc that they were trained with'
        : `The weights know ${classes} classes, the spec has ${network.classCount}. Set ${key}: ${classes} to replace the last layer`,
    )
  }
  if (tensor.shape.length === 5 && shape.length === 4) {
    fail(
      options,
      what,
      'The weights are of a 3D network. Set model.input_type: 3d, or give weights of a 2D one',
    )
  }
  if (/(^|\.)conv1\.weight$/.test(name) && tensor.shape.length === 5) {
    fail(
      options,
      what,
      'The weights are of another stream: use colour weights for rgb and flow weights for of',
    )
  }
  fail(options, what, `Give weights of a ${network.backbone} with model.input_type ${network.inputType}`)
}
