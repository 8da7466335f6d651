import { Random } from '../../src-main/core/random.ts'
import type { Operation } from '../../src-main/engine/autodiff/operation.ts'
import { loadParameter, storeParameter } from '../../src-main/engine/autodiff/parameter-layout.ts'
import { Tape, type Variable } from '../../src-main/engine/autodiff/tape.ts'
import { GraphBuilder } from '../../src-main/engine/onnx/graph-builder.ts'
import { elementCount } from '../../src-main/engine/onnx/shape-inference.ts'
import { float32Data, float32Tensor, openSession, type Feeds } from '../../src-main/engine/runtime/session.ts'

export interface CheckedInput {
  shape: readonly number[]
  /** Drawn from a standard normal when missing. */
  data?: Float32Array
  kind?: 'activation' | 'parameter' | 'constant'
}

export interface Differentiated {
  output: Float32Array
  /** Of sum(output * cotangent) with respect to each input, in torch's layout; null for constants. */
  gradients: (Float32Array | null)[]
}

export interface GradientCheck extends Differentiated {
  /** Largest difference between our gradient and finite differences, relative to the largest gradient. */
  errors: number[]
}

/** One operation with a way to run it and its gradient on its inputs as they are now. */
interface Prepared {
  kinds: string[]
  data: Float32Array[]
  cotangent: Float32Array
  run: () => Promise<Differentiated>
  release: () => Promise<void>
}

async function prepare<Attributes>(
  operation: Operation<Attributes>,
  lowering: string,
  inputs: readonly CheckedInput[],
  attributes: Attributes,
  threads: number,
): Promise<Prepared> {
  const random = new Random(20)
  const graph = new GraphBuilder('check')
  const tape = new Tape(graph)
  const kinds = inputs.map((input) => input.kind ?? 'activation')
  const sources = inputs.map(({ shape }, i) =>
    kinds[i] === 'parameter'
      ? { name: `in${i}`, shape }
      : tape.source(graph.input(`in${i}`, shape), kinds[i] === 'activation'),
  )
  const applied = tape.apply(operation, sources, attributes, 'op', lowering).output
  const output = tape.convert(applied, 'nchw')
  const seed = graph.input('cotangent', output.shape)
  graph.output(output.value, 'output')
  const found = tape.backward(output, seed)
  sources.forEach((source, i) => {
    const gradient =
      'name' in source ? found.parameters.get(source.name) : found.sources.get(source as Variable)
    if (gradient !== undefined) graph.output(gradient, `grad${i}`)
  })
  const bound = new Map(tape.parameters.map((parameter) => [parameter.name, parameter]))

  const session = await openSession(graph.build(), threads)
  const data = inputs.map((input) => input.data ?? normal(random, elementCount(input.shape)))
  const cotangent = normal(random, elementCount(output.shape))
  const run = async (): Promise<Differentiated> => {
    const feeds: Feeds = { cotangent: float32Tensor(cotangent, output.shape) }
    data.forEach((source, i) => {
      const parameter = bound.get(`in${i}`)
      if (parameter === undefined) feeds[`in${i}`] = float32Tensor(source, inputs[i]!.shape)
      else {
        const stored = new Float32Array(source.length)
        storeParameter(parameter.layout, parameter.shape, source, stored)
        feeds[`in${i}`] = float32Tensor(stored, parameter.storedShape)
      }
    })
    const results = await session.run(feeds)
    const gradients = kinds.map((kind, i) => {
      if (kind === 'constant') return null
      const raw = float32Data(results[`grad${i}`])
      const gradient = new Float32Array(raw.length)
      loadParameter(bound.get(`in${i}`)?.layout ?? 'torch', inputs[i]!.shape, raw, gradient)
      return gradient
    })
    return { output: float32Data(results['output']), gradients }
  }
  return { kinds, data, cotangent, run, release: () => session.release() }
}

/** Output of one operation and its gradients by its table entry. */
export async function differentiate<Attributes>(
  operation: Operation<Attributes>,
  lowering: string,
  inputs: readonly CheckedInput[],
  attributes: Attributes,
): Promise<Differentiated> {
  const prepared = await prepare(operation, lowering, inputs, attributes, 2)
  const result = await prepared.run()
  await prepared.release()
  return result
}

/**
 * Differentiates sum(output * random) of one operation by its table entry and by central differences of fourth
 * order (error epsilon^4), element by element, with the function's values summed in float64.
 */
export async function checkGradient<Attributes>(
  operation: Operation<Attributes>,
  lowering: string,
  inputs: readonly CheckedInput[],
  attributes: Attributes,
  epsilon = 0.05,
): Promise<GradientCheck> {
  const { kinds, data, cotangent, run, release } = await prepare(operation, lowering, inputs, attributes, 1)
  const base = await run()
  const value = async (): Promise<number> => {
    const { output } = await run()
    return output.reduce((sum, y, i) => sum + y * cotangent[i]!, 0)
  }
  const errors: number[] = []
  for (const [i, kind] of kinds.entries()) {
    if (kind === 'constant') continue
    const gradient = base.gradients[i]!
    const largest = gradient.reduce((max, g) => Math.max(max, Math.abs(g)), 1e-3)
    const values = data[i]!
    let worst = 0
    for (let k = 0; k < values.length; k++) {
      const kept = values[k]!
      const shifted = async (steps: number): Promise<number> => {
        values[k] = kept + steps * epsilon
        return value()
      }
      const near = (await shifted(1)) - (await shifted(-1))
      const far = (await shifted(2)) - (await shifted(-2))
      values[k] = kept
      worst = Math.max(worst, Math.abs((8 * near - far) / (12 * epsilon) - gradient[k]!) / largest)
    }
    errors.push(worst)
  }
  await release()
  return { ...base, errors }
}

export function normal(random: Random, count: number): Float32Array {
  return new Float32Array(count).map(() => random.normal())
}

/** Values at least 0.4 apart from each other and 0.2 from zero, in random order: no kinks near any of them. */
export function spread(random: Random, count: number): Float32Array {
  const values = Array.from({ length: count }, (_, i) => (i - count / 2 + 0.5) * 0.4)
  return Float32Array.from(random.shuffle(values))
}
