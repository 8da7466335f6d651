import { describe, expect, test } from 'vitest'
import type { Operation } from '../../src-main/engine/autodiff/operation.ts'
import { operations } from '../../src-main/engine/autodiff/operations.ts'
import { loadParameter, storeParameter } from '../../src-main/engine/autodiff/parameter-layout.ts'
import { Tape, type Parameter, type Variable } from '../../src-main/engine/autodiff/tape.ts'
import { GraphBuilder } from '../../src-main/engine/onnx/graph-builder.ts'
import { float32Data, float32Tensor, openSession, type Feeds } from '../../src-main/engine/runtime/session.ts'
import { labels, parameter, uniform } from '../fixtures/torch/deterministic.ts'
import { weightedCrossEntropy } from '../fixtures/torch/stored-families.ts'
import { stored, type StoredLayer } from '../fixtures/torch/stored-numbers.ts'
import { relativeError } from '../fixtures/torch/stored-tensor.ts'

type Build = (tape: Tape, x: Variable, weight: (name: string) => Parameter) => Variable

const tolerance = 1e-4

describe.each(stored.layers)('$name', (layer) => {
  test.each(waysOf(layer))(
    'by the lowering "%s" gives the output and gradients of PyTorch',
    async (_, build) => {
      const { output, gradients } = await run(layer, build)
      expect(relativeError(output, layer.output), 'output').toBeLessThan(tolerance)
      expect([...gradients.keys()].sort()).toEqual(Object.keys(layer.gradients).sort())
      for (const [name, reference] of Object.entries(layer.gradients)) {
        expect(relativeError(gradients.get(name)!, reference), `gradient of ${name}`).toBeLessThan(tolerance)
      }
    },
  )
})

test('cross-entropy gives the loss and gradient of PyTorch', async () => {
  const { name, count, classes, loss, gradient } = stored.crossEntropy
  const ours = await crossEntropy(name, count, classes, (label) =>
    Array.from({ length: classes }, (_, k) => (k === label ? 1 : 0)),
  )
  expect(Math.abs(ours.loss / loss - 1)).toBeLessThan(tolerance)
  expect(relativeError(ours.gradient, gradient)).toBeLessThan(tolerance)
})

test('cross-entropy with class weights and label smoothing is in the targets, and gives those of PyTorch', async () => {
  const { name, count, classes, smoothing, loss } = weightedCrossEntropy
  const gradient = { shape: [count, classes], whole: Float32Array.from(weightedCrossEntropy.gradient) }
  const weights = uniform(`${name}/weights`, [classes], 1, 0.8)
  const total = labels(`${name}/labels`, count, classes).reduce((sum, label) => sum + weights[label]!, 0)
  const ours = await crossEntropy(name, count, classes, (label) =>
    [...weights].map(
      (weight, k) => (count / total) * weight * ((k === label ? 1 - smoothing : 0) + smoothing / classes),
    ),
  )
  expect(Math.abs(ours.loss / loss - 1)).toBeLessThan(tolerance)
  expect(relativeError(ours.gradient, gradient)).toBeLessThan(tolerance)
})

/** Loss of generated logits and labels, and its gradient with respect to the logits. */
async function crossEntropy(
  name: string,
  count: number,
  classes: number,
  row: (label: number) => number[],
): Promise<{ loss: number; gradient: Float32Array }> {
  const graph = new GraphBuilder('cross-entropy')
  const tape = new Tape(graph)
  const logits = tape.source(graph.input('logits', [count, classes]), true)
  const target = tape.source(graph.input('target', [count, classes]))
  const result = tape.apply(operations.softmaxCrossEntropy, [logits, target], {}, 'loss').output
  graph.output(result.value, 'loss')
  graph.output(tape.backward(result, graph.scalar(1)).sources.get(logits)!, 'gradient')
  const session = await openSession(graph.build(), 1)
  const rows = Float32Array.from([...labels(`${name}/labels`, count, classes)].flatMap(row))
  const results = await session.run({
    logits: float32Tensor(uniform(`${name}/x`, [count, classes], 0, 4), [count, classes]),
    target: float32Tensor(rows, [count, classes]),
  })
  await session.release()
  return { loss: float32Data(results['loss'])[0]!, gradient: float32Data(results['gradient']) }
}

/** Every way in which the engine can write this layer. */
function waysOf(layer: StoredLayer): [string, Build][] {
  switch (layer.operation) {
    case 'convolution':
      return single(layer, operations.convolution, layer.attributes, ['weight'])
    case 'maxPool':
      return single(layer, operations.maxPool, layer.attributes, [])
    case 'batchNorm':
      return single(layer, operations.batchNorm, layer.attributes, ['weight', 'bias'])
    case 'linear':
      return single(layer, operations.linear, {}, ['weight', 'bias'])
    case 'relu':
    case 'softplus':
    case 'globalAveragePool':
      return single(layer, operations[layer.operation], {}, [])
    case 'block':
      return [
        ['plain', block(layer.attributes.stride, 'plain')],
        ['fast', block(layer.attributes.stride, 'fast')],
      ]
  }
}

function single<Attributes>(
  layer: StoredLayer,
  operation: Operation<Attributes>,
  attributes: Attributes,
  weights: string[],
): [string, Build][] {
  const shapes = [layer.input.shape, ...weights.map((name) => layer.parameters[name]!)]
  return operation.lowerings
    .filter((way) => way.supports?.(shapes, attributes) ?? true)
    .map(({ name }) => [
      name,
      (tape, x, weight) =>
        tape.apply(operation, [x, ...weights.map(weight)], attributes, 'layer', name).output,
    ])
}

/** A basic block of ResNet18, every convolution by its plain lowering or by the last that takes it. */
function block(stride: number, kind: 'plain' | 'fast'): Build {
  return (tape, x, weight) => {
    const convolve = (input: Variable, name: string, kernel: number, step: number): Variable => {
      const padding = (kernel - 1) / 2
      const window = { kernel: [kernel, kernel], stride: [step, step], padding: [padding, padding] }
      const weights = weight(`${name}.weight`)
      const usable = operations.convolution.lowerings.filter(
        (way) => way.supports?.([input.shape, weights.shape], window) ?? true,
      )
      const way = kind === 'plain' ? 'plain' : usable.at(-1)!.name
      return tape.apply(operations.convolution, [input, weights], window, name, way).output
    }
    const normalise = (input: Variable, name: string): Variable => {
      const inputs = [input, weight(`${name}.weight`), weight(`${name}.bias`)]
      return tape.apply(operations.batchNorm, inputs, { epsilon: 1e-5 }, name).output
    }
    const rectify = (input: Variable): Variable => tape.apply(operations.relu, [input], {}, 'relu').output
    const inner = rectify(normalise(convolve(x, 'conv1', 3, stride), 'bn1'))
    const residual = normalise(convolve(inner, 'conv2', 3, 1), 'bn2')
    const shortcut = stride === 1 ? x : normalise(convolve(x, 'downsample.0', 1, stride), 'downsample.1')
    return rectify(tape.apply(operations.add, [residual, shortcut], {}, 'add').output)
  }
}

/** Output and all gradients, in torch's layouts, for the generated input, weights and upstream gradient. */
async function run(
  layer: StoredLayer,
  build: Build,
): Promise<{ output: Float32Array; gradients: Map<string, Float32Array> }> {
  const graph = new GraphBuilder('layer')
  const tape = new Tape(graph)
  const x = tape.source(graph.input('x', layer.input.shape), true)
  const weight = (name: string): Parameter => ({ name, shape: layer.parameters[name]! })
  const output = tape.convert(build(tape, x, weight), 'nchw')
  const upstream = graph.input('upstream', output.shape)
  graph.output(output.value, 'output')
  const backward = tape.backward(output, upstream)
  graph.output(backward.sources.get(x)!, 'x.gradient')
  for (const [name, gradient] of backward.parameters) graph.output(gradient, `${name}.gradient`)

  const input = uniform(`${layer.name}/x`, layer.input.shape)
  const feeds: Feeds = {
    x: float32Tensor(
      layer.input.kind === 'rectified' ? input.map((v) => Math.max(v, 0)) : input,
      layer.input.shape,
    ),
    upstream: float32Tensor(uniform(`${layer.name}/upstream`, output.shape), output.shape),
  }
  for (const { name, shape, layout, storedShape } of tape.parameters) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
    storeParameter(layout, shape, parameter(`${layer.name}/${name}`, shape).data as Float32Array, values)
    feeds[name] = float32Tensor(values, storedShape)
  }
  const session = await openSession(graph.build(), 1)
  const results = await session.run(feeds)
  await session.release()
  const gradients = new Map([['x', float32Data(results['x.gradient'])]])
  for (const { name, shape, layout } of tape.parameters) {
    const result = float32Data(results[`${name}.gradient`])
    const values = new Float32Array(result.length)
    loadParameter(layout, shape, result, values)
    gradients.set(name, values)
  }
  return { output: float32Data(results['output']), gradients }
}
