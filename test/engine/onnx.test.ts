import { describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { GraphBuilder } from '../../src-main/engine/onnx/graph-builder.ts'
import { decodeModel, encodeModel } from '../../src-main/engine/onnx/model.ts'

function smallGraph(): GraphBuilder {
  const graph = new GraphBuilder('small')
  const x = graph.input('x', ['batch', 3, 8, 8])
  const weight = graph.initializer('weight', new Float32Array(2 * 3 * 9).fill(0.5), [2, 3, 3, 3])
  const y = graph.node('Conv', [x, weight], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })
  const scaled = graph.mul(y, graph.scalar(-0.25))
  graph.output(graph.node('LogSoftmax', [scaled], { axis: -1 }), 'y')
  return graph
}

describe('the ONNX wire format', () => {
  it('reads back what it wrote: nodes, attributes, weights, shapes and metadata', () => {
    const model = decodeModel(smallGraph().build({ classes: 'walk;run', note: 'é' }))
    expect(model.opsets).toEqual({ '': 17 })
    expect(model.metadata).toEqual({ classes: 'walk;run', note: 'é' })
    expect(model.inputs).toEqual([{ name: 'x', type: 'float32', shape: ['batch', 3, 8, 8] }])
    expect(model.outputs).toEqual([{ name: 'y', type: 'float32', shape: ['batch', 2, 4, 4] }])
    expect(model.nodes.map((node) => node.type)).toEqual(['Conv', 'Mul', 'LogSoftmax'])
    expect(model.nodes[0]?.attributes).toEqual({ kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })
    expect(model.nodes[2]?.attributes).toEqual({ axis: -1 })
    const weight = model.initializers.find((tensor) => tensor.name === 'weight')
    expect(weight?.shape).toEqual([2, 3, 3, 3])
    expect(weight?.data).toHaveLength(2 * 3 * 9 * 4)
  })

  it('writes the same bytes again after reading', () => {
    const bytes = smallGraph().build({ a: 'b' })
    expect(Buffer.from(encodeModel(decodeModel(bytes)))).toEqual(Buffer.from(bytes))
  })

  it('refuses bytes that are no model in plain words', () => {
    for (const bytes of [
      new Uint8Array(),
      Uint8Array.from(Buffer.from('not an onnx file')),
      smallGraph().build().slice(0, 200),
    ]) {
      expect(() => decodeModel(bytes, 'broken.onnx')).toThrow(KineoError)
    }
  })
})

describe('the graph builder', () => {
  it('refuses inputs that do not fit an operator, where the mistake is made', () => {
    const graph = new GraphBuilder('wrong')
    const a = graph.input('a', [2, 3])
    const b = graph.input('b', [2, 4])
    expect(() => graph.add(a, b)).toThrow(/do not fit Add/)
    expect(() => graph.matMul(a, b)).toThrow(/do not fit MatMul/)
    expect(() => graph.reshape(a, [4, -1])).toThrow(/do not fit Reshape/)
  })

  it('knows the shape of every value', () => {
    const graph = new GraphBuilder('shapes')
    const x = graph.input('x', [2, 3, 7, 5])
    expect(graph.slice(x, { starts: [-1, 1], ends: [-100, 9], axes: [2, 3], steps: [-2, 2] }).shape).toEqual([
      2, 3, 4, 2,
    ])
    expect(graph.gather(x, [0, 2, 2, 1], 3).shape).toEqual([2, 3, 7, 4])
    expect(graph.pad(x, [0, 0, 1, 2], [0, 0, 1, 0]).shape).toEqual([2, 3, 9, 7])
    expect(graph.sum(x, [0, 2]).shape).toEqual([3, 5])
    expect(graph.concat([x, x], 1).shape).toEqual([2, 6, 7, 5])
    expect(graph.matMulTransA(graph.reshape(x, [6, 35]), graph.reshape(x, [6, 35])).shape).toEqual([35, 35])
  })

  it('stores equal constants once', () => {
    const graph = new GraphBuilder('constants')
    const x = graph.input('x', [2])
    graph.output(graph.mul(graph.mul(x, graph.scalar(2)), graph.scalar(2)), 'y')
    expect(decodeModel(graph.build()).initializers).toHaveLength(1)
  })
})
