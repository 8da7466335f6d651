import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../src-main/engine/checkpoint/index.ts'
import type { TensorMap } from '../../src-main/engine/index.ts'
import { parseSpec } from '../../src-main/spec/index.ts'
import { classNamesOf, resolveClassNames } from '../../src-main/tasks/network/class-names.ts'
import { assertWeightsFit, networkOf } from '../../src-main/tasks/network/spec-network.ts'
import { preprocessingNotes, preprocessingOf } from '../../src-main/tasks/network/preprocessing.ts'

function weights(shapes: Record<string, number[]>): TensorMap {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { dtype: 'float32', shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) },
    ]),
  )
}

function checkpoint(classNames?: string[]): Checkpoint {
  const plain = { parameters: new Map(), momentum: new Map(), epoch: 0, globalStep: 1, extra: {} }
  return classNames === undefined ? plain : { ...plain, classNames }
}

const specWith = (labelMap: Record<string, number> | null): ReturnType<typeof parseSpec> =>
  parseSpec({ dataset: { label_map: labelMap } })

describe('class names', () => {
  it('stand in the order of their indices', () => {
    expect(classNamesOf({ b: 1, '10': 2, a: 0 })).toEqual(['a', 'b', '10'])
  })

  it('come from the spec for a checkpoint that others wrote, else from the checkpoint', () => {
    expect(resolveClassNames(specWith({ a: 0, b: 1 }), checkpoint(), 'x.pth').classNames).toEqual(['a', 'b'])
    expect(resolveClassNames(specWith(null), checkpoint(['c', 'd']), 'x.pth').classNames).toEqual(['c', 'd'])
    expect(() => resolveClassNames(specWith(null), checkpoint(), 'x.pth')).toThrow(
      'dataset.label_map is missing',
    )
  })

  it('must be as many and in the same order as those of the checkpoint; other words are told', () => {
    const trained = checkpoint(['a', 'b'])
    expect(() => resolveClassNames(specWith({ a: 0 }), trained, 'x.pth')).toThrow(
      'The checkpoint knows 2 classes (a, b), dataset.label_map has 1 (a)',
    )
    expect(() => resolveClassNames(specWith({ b: 0, a: 1 }), trained, 'x.pth')).toThrow('in another order')
    expect(resolveClassNames(specWith({ a: 0, b: 1 }), trained, 'x.pth').note).toBeNull()
    const renamed = resolveClassNames(specWith({ a: 0, walk: 1 }), trained, 'x.pth')
    expect(renamed.classNames).toEqual(['a', 'walk'])
    expect(renamed.note).toContain('other class names (a, b)')
  })
})

describe('weights', () => {
  const network = networkOf(parseSpec({ model: { model_type: 'of', of_seq_length: 10 } }), 3)
  const fitting = { 'conv1.weight': [64, 20, 7, 7], 'fc_cls.weight': [3, 512] }

  it('that fit are taken', () => {
    expect(() => assertWeightsFit(network, weights(fitting), 'x.pth')).not.toThrow()
  })

  it.each([
    [{}, 'The checkpoint is not one of an action recognition network'],
    [{ ...fitting, 'conv1.weight': [64, 2, 5, 7, 7] }, 'The checkpoint is of a 3D network'],
    [{ ...fitting, 'layer1.0.conv3.weight': [1] }, 'The checkpoint is of a deeper ResNet'],
    [{ ...fitting, 'layer1.2.conv1.weight': [1] }, 'The checkpoint is of a deeper ResNet'],
    [
      { ...fitting, 'conv1.weight': [64, 9, 7, 7] },
      'The checkpoint takes 9 input channels, the spec gives 20 (10 frames of of)',
    ],
    [{ ...fitting, 'fc_cls.weight': [5, 512] }, 'The checkpoint knows 5 classes, dataset.label_map has 3'],
  ])('%j are refused with the reason', (shapes, message) => {
    expect(() => assertWeightsFit(network, weights(shapes), 'x.pth')).toThrow(message)
  })
})

describe('preprocessing', () => {
  it('spreads one mean over all channels', () => {
    const flow = parseSpec({
      model: { model_type: 'of' },
      dataset: { augmentation_config: { of_input_mean: [0.4], of_input_std: [0.2, 0.3] } },
    })
    expect(preprocessingOf(flow)).toMatchObject({ sequence_length: 10, mean: [0.4, 0.4], std: [0.2, 0.3] })
    expect(preprocessingOf(parseSpec({})).mean).toEqual([0.485, 0.456, 0.406])
  })

  it('that differs from training is told, what has no effect is not', () => {
    const trained = { ...preprocessingOf(parseSpec({})) }
    expect(preprocessingNotes(trained, parseSpec({}))).toEqual([])
    expect(preprocessingNotes(undefined, parseSpec({}))).toEqual([])
    const other = parseSpec({
      model: { sample_strategy: 'random_interval', sample_rate: 4 },
      dataset: { augmentation_config: { crop_smaller_edge: 300 } },
    })
    expect(preprocessingNotes(trained, other)).toEqual([
      'The checkpoint was trained with sample_strategy "consecutive", the spec says "random_interval".',
    ])
  })
})
