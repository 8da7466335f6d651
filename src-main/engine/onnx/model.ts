import { KineoError } from '../../core/errors.ts'
import { modelProto } from './schema.ts'

/** Element types Kineo uses, with ONNX's numbers (TensorProto.DataType). */
export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9 } as const
export type ElementType = keyof typeof elementTypes

/** A known size, or the name of one known only at run time, such as `batch`. */
export type Dimension = number | string
export type Shape = readonly Dimension[]

/** Value of a node attribute: float, whole number, text, or a list of whole numbers. */
export type Attribute = { float: number } | number | string | readonly number[]

export interface OnnxNode {
  type: string
  name: string
  /** Empty for the standard operators. */
  domain: string
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: Readonly<Record<string, Attribute>>
}

export interface OnnxTensor {
  name: string
  type: ElementType
  shape: readonly number[]
  /** Little-endian, row-major. */
  data: Uint8Array
}

export interface OnnxValueInfo {
  name: string
  type: ElementType
  shape: Shape
}

export interface OnnxModel {
  irVersion: number
  producerName: string
  producerVersion: string
  /** Operator set versions by domain; the standard domain is the empty string. */
  opsets: Readonly<Record<string, number>>
  metadata: Readonly<Record<string, string>>
  graphName: string
  nodes: readonly OnnxNode[]
  initializers: readonly OnnxTensor[]
  inputs: readonly OnnxValueInfo[]
  outputs: readonly OnnxValueInfo[]
}

/** AttributeProto.AttributeType. */
const attributeKinds = { float: 1, int: 2, string: 3, ints: 7 } as const

/** Writes a model in ONNX's wire format. */
export function encodeModel(model: OnnxModel): Uint8Array {
  return modelProto
    .encode({
      irVersion: model.irVersion,
      producerName: model.producerName,
      producerVersion: model.producerVersion,
      opsetImport: Object.entries(model.opsets).map(([domain, version]) => ({ domain, version })),
      metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: model.graphName,
        node: model.nodes.map((node) => ({
          input: node.inputs,
          output: node.outputs,
          name: node.name,
          opType: node.type,
          domain: node.domain,
          attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
        })),
        initializer: model.initializers.map((tensor) => ({
          name: tensor.name,
          dataType: elementTypes[tensor.type],
          dims: tensor.shape,
          rawData: tensor.data,
        })),
        input: model.inputs.map(encodeValueInfo),
        output: model.outputs.map(encodeValueInfo),
      },
    })
    .finish()
}

function encodeAttribute(name: string, value: Attribute): Record<string, unknown> {
  if (typeof value === 'number') return { name, i: value, type: attributeKinds.int }
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: attributeKinds.string }
  if ('float' in value) return { name, f: value.float, type: attributeKinds.float }
  return { name, ints: value, type: attributeKinds.ints }
}

function encodeValueInfo(value: OnnxValueInfo): Record<string, unknown> {
  const dim = value.shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name: value.name, type: { tensorType: { elemType: elementTypes[value.type], shape: { dim } } } }
}

/** What protobufjs hands back; every field may be missing in a foreign file. */
interface DecodedTensor {
  name?: string
  dataType?: number
  dims?: number[]
  rawData?: Uint8Array
  floatData?: number[]
  int32Data?: number[]
  int64Data?: number[]
  dataLocation?: number
}
interface DecodedAttribute {
  name?: string
  type?: number
  f?: number
  i?: number
  s?: Uint8Array
  ints?: number[]
}
interface DecodedValueInfo {
  name?: string
  type?: { tensorType?: { elemType?: number; shape?: { dim?: { dimValue?: number; dimParam?: string }[] } } }
}
interface DecodedModel {
  irVersion?: number
  producerName?: string
  producerVersion?: string
  opsetImport?: { domain?: string; version?: number }[]
  metadataProps?: { key?: string; value?: string }[]
  graph?: {
    name?: string
    node?: {
      input?: string[]
      output?: string[]
      name?: string
      opType?: string
      domain?: string
      attribute?: DecodedAttribute[]
    }[]
    initializer?: DecodedTensor[]
    input?: DecodedValueInfo[]
    output?: DecodedValueInfo[]
  }
}

/**
 * Reads a model in ONNX's wire format.
 * @throws KineoError `input` when the bytes are no ONNX model, or hold what Kineo never writes (tensors in other
 *   files, other element types, attributes that are graphs).
 */
export function decodeModel(bytes: Uint8Array, where = 'ONNX model'): OnnxModel {
  const refuse = (reason: string, cause?: unknown): KineoError =>
    new KineoError('input', `Cannot read the ONNX model, ${reason}`, { where, cause })
  let decoded: DecodedModel
  try {
    decoded = modelProto.toObject(modelProto.decode(bytes), { longs: Number }) as DecodedModel
  } catch (error) {
    throw refuse('it is not in the ONNX format', error)
  }
  const graph = decoded.graph
  if (graph === undefined || decoded.opsetImport === undefined) throw refuse('it holds no graph')

  const elementType = (number: number | undefined): ElementType => {
    for (const [name, value] of Object.entries(elementTypes)) if (value === number) return name as ElementType
    throw refuse(`element type ${number ?? 'none'} is not supported`)
  }
  const tensor = (from: DecodedTensor): OnnxTensor => {
    if ((from.dataLocation ?? 0) !== 0) throw refuse('its weights stand in another file')
    return {
      name: from.name ?? '',
      type: elementType(from.dataType),
      shape: from.dims ?? [],
      data: from.rawData ?? typedBytes(from),
    }
  }
  const attribute = (from: DecodedAttribute): Attribute => {
    switch (from.type) {
      case attributeKinds.float:
        return { float: from.f ?? 0 }
      case attributeKinds.int:
        return from.i ?? 0
      case attributeKinds.string:
        return Buffer.from(from.s ?? []).toString()
      case attributeKinds.ints:
        return from.ints ?? []
      default:
        throw refuse(`attribute ${from.name ?? ''} has an unsupported type`)
    }
  }
  const valueInfo = (from: DecodedValueInfo): OnnxValueInfo => ({
    name: from.name ?? '',
    type: elementType(from.type?.tensorType?.elemType),
    shape: (from.type?.tensorType?.shape?.dim ?? []).map((size) => size.dimParam ?? size.dimValue ?? '?'),
  })

  return {
    irVersion: decoded.irVersion ?? 0,
    producerName: decoded.producerName ?? '',
    producerVersion: decoded.producerVersion ?? '',
    opsets: Object.fromEntries(decoded.opsetImport.map((set) => [set.domain ?? '', set.version ?? 0])),
    metadata: Object.fromEntries(
      (decoded.metadataProps ?? []).map((entry) => [entry.key ?? '', entry.value ?? '']),
    ),
    graphName: graph.name ?? '',
    nodes: (graph.node ?? []).map((node) => ({
      type: node.opType ?? '',
      name: node.name ?? '',
      domain: node.domain ?? '',
      inputs: node.input ?? [],
      outputs: node.output ?? [],
      attributes: Object.fromEntries(
        (node.attribute ?? []).map((from) => [from.name ?? '', attribute(from)]),
      ),
    })),
    initializers: (graph.initializer ?? []).map(tensor),
    inputs: (graph.input ?? []).map(valueInfo),
    outputs: (graph.output ?? []).map(valueInfo),
  }
}

/** Bytes of a tensor whose values stand in the typed lists instead of `rawData`. */
function typedBytes(tensor: DecodedTensor): Uint8Array {
  const list =
    tensor.dataType === elementTypes.float32
      ? Float32Array.from(tensor.floatData ?? [])
      : tensor.dataType === elementTypes.int64
        ? BigInt64Array.from((tensor.int64Data ?? []).map(BigInt))
        : tensor.dataType === elementTypes.bool
          ? Uint8Array.from(tensor.int32Data ?? [])
          : Int32Array.from(tensor.int32Data ?? [])
  return new Uint8Array(list.buffer)
}
