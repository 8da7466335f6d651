import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../src-main/engine/checkpoint/index.ts'
import type { NetworkConfig, TensorMap } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import { parseSpec } from '../../src-main/spec/index.ts'
import { classNamesOf, resolveClassNames } from '../../src-main/tasks/network/class-names.ts'
import { assertWeightsFit } from '../../src-main/tasks/network/network-of-weights.ts'
import { networkOf } from '../../src-main/tasks/network/spec-network.ts'
import { preprocessingNotes, preprocessingOf } from '../../src-main/tasks/network/preprocessing.ts'

/** The names and shapes of a network's weights, without numbers. */
function weightsOf(network: NetworkConfig): TensorMap {
  return new Map(
    stateEntries(network).map(({ name, shape }) => [
      name,
      { dtype: 'float32', shape, data: new Float32Array(0) },
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
  const network = (over: Record<string, unknown>, classes = 3): NetworkConfig =>
    networkOf(parseSpec({ model: { model_type: 'of', of_seq_length: 10, ...over } }), classes)
  const joint = { model_type: 'joint', rgb_seq_length: 3 }

  it.each([
    {},
    { input_type: '3d' },
    { model_type: 'rgb', backbone: 'resnet_50' },
    { backbone: 'resnet_34' },
    joint,
    { ...joint, input_type: '3d' },
  ])('of %j that fit are taken', (over) => {
    expect(() => assertWeightsFit(network(over), weightsOf(network(over)), 'x.pth')).not.toThrow()
  })

  it.each<[Record<string, unknown>, Record<string, unknown>, string]>([
    [{ input_type: '3d' }, {}, 'The checkpoint is of a 3D network, the spec has input_type 2d'],
    [{}, { input_type: '3d' }, 'The checkpoint is of a 2D network, the spec has input_type 3d'],
    [{ backbone: 'resnet_34' }, {}, 'The checkpoint is of resnet_34, the spec has backbone resnet_18'],
    [joint, {}, 'The checkpoint is of a joint network, the spec has model_type of'],
    [{}, joint, 'The checkpoint is of a network with one stream, the spec has model_type joint'],
    [
      { model_type: 'rgb', rgb_seq_length: 3 },
      {},
      'The checkpoint takes 9 input channels, the spec gives 20 (10 frames of of)',
    ],
    [
      { model_type: 'rgb', input_type: '3d' },
      { input_type: '3d' },
      'The checkpoint takes 3 channels a frame, of has 2',
    ],
    [
      { ...joint, of_seq_length: 5 },
      joint,
      'The checkpoint takes 10 input channels, the spec gives 20 (10 frames of of)',
    ],
    [
      { ...joint, num_fc: 32 },
      joint,
      'The checkpoint joins its streams through 32 units, the spec has num_fc 64',
    ],
  ])('of %j are refused for %j with the reason', (trained, wanted, message) => {
    expect(() => assertWeightsFit(network(wanted), weightsOf(network(trained)), 'x.pth')).toThrow(message)
  })

  it('of other classes, and files that hold no network, are refused', () => {
    expect(() => assertWeightsFit(network({}), weightsOf(network({}, 5)), 'x.pth')).toThrow(
      'The checkpoint knows 5 classes, dataset.label_map has 3',
    )
    expect(() => assertWeightsFit(network({}), new Map(), 'x.pth')).toThrow(
      'The checkpoint is not one of an action recognition network',
    )
  })
})

describe('preprocessing', () => {
  it('spreads one mean over all channels', () => {
    const flow = parseSpec({
      model: { model_type: 'of' },
      dataset: { augmentation_config: { of_input_mean: [0.4], of_input_std: [0.2, 0.3] } },
    })
    expect(preprocessingOf(flow)).toMatchObject({ sequence_length: 10, mean: [0.4, 0.4], std: [0.2, 0.3] })
    expect(preprocessingOf(parseSpec({}))['mean']).toEqual([0.485, 0.456, 0.406])
  })

  it('stands there for each stream of a joint network', () => {
    const joint = preprocessingOf(parseSpec({ model: { model_type: 'joint' } }))
    expect(joint).toMatchObject({
      rgb_sequence_length: 3,
      rgb_std: [0.229, 0.224, 0.225],
      of_sequence_length: 10,
      of_mean: [0.5, 0.5],
    })
    expect(joint).not.toHaveProperty('sequence_length')
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
