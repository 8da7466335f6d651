import { version } from '../../core/version.ts'
import type { Attribute, OnnxNode, OnnxTensor, OnnxValueInfo, Shape } from './model.ts'
import { elementTypes, encodeModel } from './model.ts'
import { elementCount, inferShapes, type GraphValue } from './shape-inference.ts'

/** Operator set of every graph Kineo writes; IR version 8 is the one it came with (ONNX 1.12). */
export const opset = 17
const irVersion = 8
/** Operators of ONNX Runtime that the standard lacks, such as FusedMatMul. */
export const microsoftDomain = 'com.microsoft'

/**
 * Builds one ONNX graph, node by node, with the shape of every value known at once, so that a mistake is found where
 * it is made. Equal constants are stored once.
 */
export class GraphBuilder {
  readonly #name: string
  readonly #nodes: OnnxNode[] = []
  readonly #initializers: OnnxTensor[] = []
  readonly #inputs: OnnxValueInfo[] = []
  readonly #outputs: OnnxValueInfo[] = []
  readonly #constants = new Map<string, GraphValue>()
  readonly #domains = new Set<string>()
  /** Outputs of nodes that bear another name in the file. */
  readonly #renamed = new Map<string, string>()
  #scope = ''

  constructor(name: string) {
    this.#name = name
  }

  /** Prefix of the names of nodes added from now on, such as `layer1.0.conv1/forward`; profiles are read by it. */
  scope(name: string): void {
    this.#scope = name
  }

  input(name: string, shape: Shape): GraphValue {
    this.#inputs.push({ name, type: 'float32', shape })
    return { name, type: 'float32', shape }
  }

  /** Makes `value` an output of the graph under `name`, without a copy where a node makes it. */
  output(value: GraphValue, name: string): void {
    const fromNode = this.#nodes.some((node) => node.outputs.includes(value.name))
    if (fromNode && !this.#renamed.has(value.name)) this.#renamed.set(value.name, name)
    else this.#append('Identity', [value], {}, [name])
    this.#outputs.push({ name, type: value.type, shape: value.shape })
  }

  /** A named weight kept in the file. */
  initializer(name: string, data: Float32Array, shape: readonly number[]): GraphValue {
    this.#initializers.push({ name, type: 'float32', shape, data: bytesOf(data) })
    return { name, type: 'float32', shape }
  }

  /** A list of whole numbers (rank 1), the form in which ONNX takes shapes, axes and indices. */
  integers(values: readonly number[]): GraphValue {
    const key = `integers ${values.join()}`
    return this.#constant(key, () => {
      const name = `integers.${this.#constants.size}`
      const data = BigInt64Array.from(values, BigInt)
      this.#initializers.push({ name, type: 'int64', shape: [values.length], data: bytesOf(data) })
      return { name, type: 'int64', shape: [values.length], constant: values }
    })
  }

  scalar(value: number): GraphValue {
    return this.floats([value], [])
  }

  floats(values: readonly number[], shape: readonly number[]): GraphValue {
    if (values.length !== elementCount(shape))
      throw new Error(`${values.length} values for [${shape.join()}]`)
    const key = `floats ${shape.join()} ${values.join()}`
    return this.#constant(key, () => {
      const name = `floats.${this.#constants.size}`
      return this.initializer(name, Float32Array.from(values), shape)
    })
  }

  /** Adds a node with one output. */
  node(
    type: string,
    inputs: readonly GraphValue[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): GraphValue {
    return this.#append(type, inputs, attributes, [`${this.#scope}/${type}.${this.#nodes.length}`], domain)
  }

  /** MaxPool with its second output, the flat index of each maximum in the input. */
  maxPoolWithIndices(
    x: GraphValue,
    attributes: Readonly<Record<string, Attribute>>,
  ): { pooled: GraphValue; indices: GraphValue } {
    const name = `${this.#scope}/MaxPool.${this.#nodes.length}`
    const [pooled, indices] = this.#appendAll('MaxPool', [x], attributes, [name, `${name}.indices`])
    if (pooled === undefined || indices === undefined) throw new Error('MaxPool has two outputs')
    return { pooled, indices }
  }

  add(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('Add', [a, b])
  }

  sub(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('Sub', [a, b])
  }

  mul(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('Mul', [a, b])
  }

  matMul(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('MatMul', [a, b])
  }

  /** Batched a^T b. */
  matMulTransA(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('FusedMatMul', [a, b], { transA: 1 }, microsoftDomain)
  }

  /** Batched a b^T. */
  matMulTransB(a: GraphValue, b: GraphValue): GraphValue {
    return this.node('FusedMatMul', [a, b], { transB: 1 }, microsoftDomain)
  }

  /** One size may be -1: what is left. Costs nothing at run time. */
  reshape(x: GraphValue, shape: readonly number[]): GraphValue {
    if (x.shape.length === shape.length && shape.every((size, axis) => size === x.shape[axis])) return x
    return this.node('Reshape', [x, this.integers(shape)])
  }

  transpose(x: GraphValue, perm: readonly number[]): GraphValue {
    return this.node('Transpose', [x], { perm })
  }

  slice(
    x: GraphValue,
    range: {
      starts: readonly number[]
      ends: readonly number[]
      axes: readonly number[]
      steps?: readonly number[]
    },
  ): GraphValue {
    const lists = [range.starts, range.ends, range.axes, ...(range.steps ? [range.steps] : [])]
    return this.node('Slice', [x, ...lists.map((list) => this.integers(list))])
  }

  gather(x: GraphValue, indices: readonly number[], axis: number): GraphValue {
    return this.node('Gather', [x, this.integers(indices)], { axis })
  }

  concat(values: readonly GraphValue[], axis: number): GraphValue {
    const [only] = values
    return values.length === 1 && only ? only : this.node('Concat', values, { axis })
  }

  /** Pads with zeros; `before` and `after` name every axis. */
  pad(x: GraphValue, before: readonly number[], after: readonly number[]): GraphValue {
    if ([...before, ...after].every((count) => count === 0)) return x
    return this.node('Pad', [x, this.integers([...before, ...after])])
  }

  /** Sum over `axes`, which disappear. */
  sum(x: GraphValue, axes: readonly number[]): GraphValue {
    return this.node('ReduceSum', [x, this.integers(axes)], { keepdims: 0 })
  }

  /** The model in ONNX's wire format. */
  build(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const finalName = (name: string): string => this.#renamed.get(name) ?? name
    const domains = Object.fromEntries([...this.#domains].map((domain) => [domain, 1]))
    return encodeModel({
      irVersion,
      producerName: 'Kineo',
      producerVersion: version,
      opsets: { '': opset, ...domains },
      metadata,
      graphName: this.#name,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(finalName),
        outputs: node.outputs.map(finalName),
      })),
      initializers: this.#initializers,
      inputs: this.#inputs,
      outputs: this.#outputs,
    })
  }

  #constant(key: string, make: () => GraphValue): GraphValue {
    let value = this.#constants.get(key)
    if (value === undefined) {
      value = make()
      this.#constants.set(key, value)
    }
    return value
  }

  #append(
    type: string,
    inputs: readonly GraphValue[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly string[],
    domain = '',
  ): GraphValue {
    const [value] = this.#appendAll(type, inputs, attributes, outputs, domain)
    if (value === undefined) throw new Error(`${type} has no output`)
    return value
  }

  #appendAll(
    type: string,
    inputs: readonly GraphValue[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly string[],
    domain = '',
  ): GraphValue[] {
    const inferred = inferShapes({ type, inputs, attributes })
    if (domain !== '') this.#domains.add(domain)
    this.#nodes.push({
      type,
      name: `${this.#scope}/${type}.${this.#nodes.length}`,
      domain,
      inputs: inputs.map((value) => value.name),
      outputs,
      attributes,
    })
    return outputs.flatMap((name, i) => {
      const shape = inferred[i]
      return shape === undefined ? [] : [{ name, ...shape }]
    })
  }
}

/** ONNX's number for a Cast to float32. */
export const castToFloat32 = { to: elementTypes.float32 }

export type { GraphValue }

function bytesOf(data: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
