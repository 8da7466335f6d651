import type { Attribute, Dimension, ElementType, Shape } from './model.ts'

/** A value of the graph under construction. */
export interface GraphValue {
  readonly name: string
  readonly type: ElementType
  readonly shape: Shape
  /** The content, where it is a small whole-number constant that decides shapes. */
  readonly constant?: readonly number[]
}

export interface ShapeQuery {
  type: string
  inputs: readonly GraphValue[]
  attributes: Readonly<Record<string, Attribute>>
}
type Inferred = Pick<GraphValue, 'type' | 'shape'>
type ShapeRule = (query: ShapeQuery) => Inferred[]

/** Type and shape of each output of a node. @throws Error when the inputs do not fit the operator (a bug of ours). */
export function inferShapes(query: ShapeQuery): Inferred[] {
  const rule = shapeRules[query.type]
  if (rule === undefined) throw new Error(`no shape rule for ONNX operator ${query.type}`)
  return rule(query)
}

/** The shape, when every size is known. @throws Error otherwise. */
export function knownShape(value: GraphValue): number[] {
  return value.shape.map((size) => {
    if (typeof size !== 'number') throw new Error(`${value.name} has the unknown size ${size}`)
    return size
  })
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function misfit(query: ShapeQuery): Error {
  const shapes = query.inputs.map((input) => `${input.name}[${input.shape.join(',')}]`).join(' ')
  return new Error(`shapes do not fit ${query.type}: ${shapes}`)
}

function at(query: ShapeQuery, index: number): GraphValue {
  const input = query.inputs[index]
  if (input === undefined) throw misfit(query)
  return input
}

function constantAt(query: ShapeQuery, index: number): readonly number[] {
  const { constant } = at(query, index)
  if (constant === undefined) throw new Error(`input ${index} of ${query.type} must be a constant`)
  return constant
}

function ints(query: ShapeQuery, name: string, fallback?: readonly number[]): readonly number[] {
  const value = query.attributes[name] ?? fallback
  if (!Array.isArray(value)) throw new Error(`${query.type} needs attribute ${name}`)
  return value as readonly number[]
}

function int(query: ShapeQuery, name: string, fallback: number): number {
  const value = query.attributes[name] ?? fallback
  return typeof value === 'number' ? value : fallback
}

function size(shape: Shape, axis: number): Dimension {
  const value = shape[axis]
  if (value === undefined) throw new Error(`no axis ${axis} in [${shape.join(',')}]`)
  return value
}

/** numpy's rule: sizes are equal or one of them is 1. */
function broadcast(a: Shape, b: Shape, query: ShapeQuery): Dimension[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1
    const right = b[i - rank + b.length] ?? 1
    if (left === right || right === 1) return left
    if (left === 1) return right
    throw misfit(query)
  })
}

const same: ShapeRule = (query) => [{ type: at(query, 0).type, shape: at(query, 0).shape }]

const elementwise: ShapeRule = (query) => {
  const shape = query.inputs.map((input) => input.shape).reduce((a, b) => broadcast(a, b, query))
  return [{ type: at(query, 0).type, shape }]
}

const comparison: ShapeRule = (query) => [
  { type: 'bool', shape: broadcast(at(query, 0).shape, at(query, 1).shape, query) },
]

const matMul: ShapeRule = (query) => {
  const a = at(query, 0).shape
  const b = at(query, 1).shape
  if (a.length < 2 || b.length < 2) throw misfit(query)
  const [rows, inner] = int(query, 'transA', 0) ? [a.at(-1), a.at(-2)] : [a.at(-2), a.at(-1)]
  const [innerB, columns] = int(query, 'transB', 0) ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)]
  if (inner !== innerB || rows === undefined || columns === undefined) throw misfit(query)
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2), query)
  return [{ type: 'float32', shape: [...batch, rows, columns] }]
}

/** Output sizes of a window of `kernel` moved over the spatial axes (ONNX pads: all starts, then all ends). */
function windows(query: ShapeQuery, input: Shape, kernel: readonly number[]): Dimension[] {
  const axes = kernel.length
  const strides = ints(query, 'strides', Array<number>(axes).fill(1))
  const dilations = ints(query, 'dilations', Array<number>(axes).fill(1))
  const pads = ints(query, 'pads', Array<number>(2 * axes).fill(0))
  return kernel.map((taps, axis) => {
    const length = size(input, axis + 2)
    const reach = (dilations[axis] ?? 1) * (taps - 1) + 1
    const excess = (pads[axis] ?? 0) + (pads[axis + axes] ?? 0) - reach
    const step = strides[axis] ?? 1
    // A size known only at run time becomes a formula, equal for equal windows.
    if (typeof length !== 'number')
      return excess === -1 && step === 1 ? length : `(${length}+${excess})/${step}+1`
    const count = Math.floor((length + excess) / step) + 1
    if (count < 1) throw misfit(query)
    return count
  })
}

const conv: ShapeRule = (query) => {
  const [x, w] = [at(query, 0).shape, at(query, 1).shape]
  if (size(x, 1) !== size(w, 1)) throw misfit(query)
  const kernel = w.slice(2) as number[]
  return [{ type: 'float32', shape: [size(x, 0), size(w, 0), ...windows(query, x, kernel)] }]
}

const convTranspose: ShapeRule = (query) => {
  const [x, w] = [at(query, 0).shape, at(query, 1).shape]
  if (size(x, 1) !== size(w, 0)) throw misfit(query)
  const kernel = w.slice(2) as number[]
  const axes = kernel.length
  const strides = ints(query, 'strides')
  const pads = ints(query, 'pads')
  const extra = ints(query, 'output_padding', Array<number>(axes).fill(0))
  const spatial = kernel.map((taps, axis) => {
    const pad = (pads[axis] ?? 0) + (pads[axis + axes] ?? 0)
    return (Number(x[axis + 2]) - 1) * (strides[axis] ?? 1) - pad + taps + (extra[axis] ?? 0)
  })
  return [{ type: 'float32', shape: [size(x, 0), size(w, 1), ...spatial] }]
}

const maxPool: ShapeRule = (query) => {
  const x = at(query, 0).shape
  const shape = [size(x, 0), size(x, 1), ...windows(query, x, ints(query, 'kernel_shape'))]
  return [
    { type: 'float32', shape },
    { type: 'int64', shape },
  ]
}

const reshape: ShapeRule = (query) => {
  const x = at(query, 0)
  const target = constantAt(query, 1)
  const shape = target.map((value, axis) => (value === 0 ? size(x.shape, axis) : value))
  const open = shape.indexOf(-1)
  if (x.shape.every((value) => typeof value === 'number')) {
    const total = elementCount(x.shape)
    const rest = shape.reduce<number>((p, value) => (value === -1 ? p : p * Number(value)), 1)
    if (open >= 0) shape[open] = total / rest
    if (!Number.isInteger(shape[open] ?? 1) || (open < 0 && rest !== total)) throw misfit(query)
  } else if (open >= 0) shape[open] = size(x.shape, open)
  return [{ type: x.type, shape }]
}

const slice: ShapeRule = (query) => {
  const x = at(query, 0)
  const [starts, ends, axes] = [constantAt(query, 1), constantAt(query, 2), constantAt(query, 3)]
  const steps = query.inputs.length > 4 ? constantAt(query, 4) : axes.map(() => 1)
  const shape = [...x.shape]
  axes.forEach((axis, i) => {
    const length = Number(size(x.shape, axis))
    const step = steps[i] ?? 1
    const place = (value: number): number => (value < 0 ? value + length : value)
    const low = step > 0 ? 0 : -1
    const high = step > 0 ? length : length - 1
    const clamp = (value: number): number => Math.min(Math.max(place(value), low), high)
    shape[axis] = Math.max(0, Math.ceil((clamp(ends[i] ?? 0) - clamp(starts[i] ?? 0)) / step))
  })
  return [{ type: x.type, shape }]
}

const gather: ShapeRule = (query) => {
  const [x, indices] = [at(query, 0), at(query, 1)]
  const axis = int(query, 'axis', 0)
  return [{ type: x.type, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }]
}

const concat: ShapeRule = (query) => {
  const axis = int(query, 'axis', 0)
  const shape = [...at(query, 0).shape]
  for (const input of query.inputs) {
    if (input.shape.some((value, i) => i !== axis && value !== shape[i])) throw misfit(query)
  }
  shape[axis] = query.inputs.reduce((sum, input) => sum + Number(size(input.shape, axis)), 0)
  return [{ type: at(query, 0).type, shape }]
}

const pad: ShapeRule = (query) => {
  const x = at(query, 0)
  const pads = constantAt(query, 1)
  const rank = x.shape.length
  const shape = x.shape.map((value, i) => {
    const extra = (pads[i] ?? 0) + (pads[i + rank] ?? 0)
    return extra === 0 ? value : Number(value) + extra
  })
  return [{ type: x.type, shape }]
}

function reduced(query: ShapeQuery, axes: readonly number[] | undefined): Inferred[] {
  const x = at(query, 0)
  const gone = new Set(
    (axes ?? x.shape.map((_, i) => i)).map((axis) => (axis + x.shape.length) % x.shape.length),
  )
  const keep = int(query, 'keepdims', 1) === 1
  const shape = x.shape.flatMap((value, i) => (gone.has(i) ? (keep ? [1] : []) : [value]))
  return [{ type: x.type, shape }]
}

/** Operator set 17: ReduceSum takes its axes as an input, the other reductions as an attribute. */
const reduceByInput: ShapeRule = (query) =>
  reduced(query, query.inputs.length > 1 ? constantAt(query, 1) : undefined)
const reduceByAttribute: ShapeRule = (query) =>
  reduced(query, query.attributes['axes'] === undefined ? undefined : ints(query, 'axes'))

const shapeRules: Record<string, ShapeRule> = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Min: elementwise,
  Max: elementwise,
  Sum: elementwise,
  Greater: comparison,
  Relu: same,
  Softplus: same,
  Sigmoid: same,
  Neg: same,
  Sqrt: same,
  Reciprocal: same,
  Exp: same,
  Identity: same,
  LogSoftmax: same,
  ScatterElements: same,
  BatchNormalization: same,
  Where: (query) => [
    { type: at(query, 1).type, shape: broadcast(at(query, 1).shape, at(query, 2).shape, query) },
  ],
  Cast: (query) => [{ type: 'float32', shape: at(query, 0).shape }],
  MatMul: matMul,
  FusedMatMul: matMul,
  Gemm: matMul,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  GlobalAveragePool: (query) => {
    const x = at(query, 0).shape
    return [{ type: 'float32', shape: x.map((value, axis) => (axis < 2 ? value : 1)) }]
  },
  Flatten: (query) => {
    const [first, ...rest] = at(query, 0).shape
    return [{ type: 'float32', shape: [first ?? 1, elementCount(rest.map(Number))] }]
  },
  Reshape: reshape,
  Transpose: (query) => [
    {
      type: at(query, 0).type,
      shape: ints(query, 'perm').map((axis) => size(at(query, 0).shape, axis)),
    },
  ],
  Slice: slice,
  Gather: gather,
  Concat: concat,
  Pad: pad,
  Expand: (query) => [
    { type: at(query, 0).type, shape: broadcast(at(query, 0).shape, constantAt(query, 1), query) },
  ],
  ConstantOfShape: (query) => [{ type: 'float32', shape: [...constantAt(query, 0)] }],
  ReduceSum: reduceByInput,
  ReduceMean: reduceByAttribute,
  ReduceSumSquare: reduceByAttribute,
}
