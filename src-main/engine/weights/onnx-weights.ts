import { KineoError } from '../../core/errors.ts'
import type { ByteSource } from '../checkpoint/byte-source.ts'
import { withoutWrappers } from '../checkpoint/parameter-order.ts'
import { modelProto } from '../onnx/schema.ts'
import type { TensorMap } from '../tensor.ts'
import { unfoldedBatchNorm } from './folded-batch-norm.ts'
import { tensorFromBytes, type NumberFormat } from './number-formats.ts'

/** protobuf's own limit. */
const largestModel = 2 ** 31 - 1

/** TensorProto.DataType. */
const formats: ReadonlyMap<number, NumberFormat> = new Map([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
  [5, 'int16'],
  [6, 'int32'],
  [7, 'int64'],
  [9, 'uint8'],
  [10, 'float16'],
  [11, 'float64'],
  [16, 'bfloat16'],
])

/** What protobufjs hands back; every field may be missing in a foreign file. */
interface DecodedTensor {
  name?: string
  dataType?: number
  dims?: number[]
  rawData?: Uint8Array
  floatData?: number[]
  int64Data?: number[]
  dataLocation?: number
}
interface DecodedNode {
  name?: string
  opType?: string
  input?: string[]
}
interface DecodedModel {
  metadataProps?: { key?: string; value?: string }[]
  graph?: { node?: DecodedNode[]; initializer?: DecodedTensor[] }
}

/** Weights of an ONNX model, by torch's names. */
export interface OnnxWeights {
  tensors: TensorMap
  metadata: Record<string, string>
  /** Convolutions that had lost their batch normalisation. */
  unfolded: string[]
}

/**
 * Reads the initializers of an ONNX model. Those that bear torch's names are taken as they are; where an exporter has
 * folded the batch normalisations into the convolutions (torch.onnx and so TAO do), the convolutions are known by their
 * nodes' names.
 * @throws KineoError (input) when it is no ONNX model, is damaged, or has its weights in another file.
 */
export async function readOnnxWeights(source: ByteSource, path: string): Promise<OnnxWeights> {
  const refuse = (reason: string, cause?: unknown): KineoError =>
    new KineoError('input', `Cannot take weights from the ONNX model: ${reason}`, {
      where: path,
      remedy: 'Use the .pth that it was exported from',
      cause,
    })
  if (source.size > largestModel) throw refuse('it is larger than ONNX allows')
  let decoded: DecodedModel
  try {
    const message = modelProto.decode(await source.read(0, source.size))
    decoded = modelProto.toObject(message, { longs: Number }) as DecodedModel
  } catch (error) {
    throw refuse('it is damaged or not in the ONNX format', error)
  }
  const { node = [], initializer = [] } = decoded.graph ?? {}
  const byName: TensorMap = new Map()
  for (const stored of initializer) {
    const name = stored.name ?? ''
    if ((stored.dataLocation ?? 0) !== 0) throw refuse('they stand in another file')
    const format = formats.get(stored.dataType ?? 0)
    if (format === undefined) continue
    const tensor = tensorFromBytes(format, stored.dims ?? [], contentOf(stored, format))
    if (tensor === undefined) throw refuse(`${name} is damaged`)
    byName.set(name, tensor)
  }
  const tensors: TensorMap = new Map()
  for (const [name, tensor] of byName) {
    if (isTorchName(name)) tensors.set(withoutWrappers(name), tensor)
  }
  const unfolded: string[] = []
  for (const { opType, name = '', input = [] } of node) {
    const weight = byName.get(input[1] ?? '')
    const bias = byName.get(input[2] ?? '')
    if (opType !== 'Conv' || weight === undefined || bias === undefined) continue
    const module = moduleOfNode(name)
    if (!/^(\w+\.)*(conv\d|downsample\.0)$/.test(module))
      throw refuse('its batch normalisations were folded away, and its layers have lost their names')
    for (const [part, tensor] of unfoldedBatchNorm(module, weight, bias)) tensors.set(part, tensor)
    unfolded.push(module)
  }
  if (tensors.size === 0) throw refuse('their names are lost')
  const metadata = (decoded.metadataProps ?? []).map(({ key, value }) => [key ?? '', value ?? ''] as const)
  return { tensors, metadata: Object.fromEntries(metadata), unfolded }
}

/** Values stand in `rawData` or, by older writers, in a list of their own. */
function contentOf(stored: DecodedTensor, format: NumberFormat): Uint8Array {
  if (stored.rawData !== undefined) return stored.rawData
  if (format === 'float32') return new Uint8Array(Float32Array.from(stored.floatData ?? []).buffer)
  if (format === 'int64')
    return new Uint8Array(BigInt64Array.from((stored.int64Data ?? []).map(BigInt)).buffer)
  return new Uint8Array()
}

function isTorchName(name: string): boolean {
  return /^[\w.]+\.(weight|bias|running_mean|running_var|num_batches_tracked)$/.test(name)
}

/**
 * The module of a node that torch.onnx named by its scopes: `/model/layer2/layer2.0/downsample/downsample.0/Conv` is
 * `layer2.0.downsample.0`, since a child of a torch.nn.Sequential repeats the parent's name.
 */
function moduleOfNode(name: string): string {
  const parts: string[] = []
  for (const scope of name.split('/').slice(0, -1)) {
    const parent = parts.at(-1)
    if (scope === '') continue
    if (parent !== undefined && scope.startsWith(`${parent}.`)) parts.pop()
    parts.push(scope)
  }
  return withoutWrappers(`${parts.join('.')}.`).slice(0, -1)
}
