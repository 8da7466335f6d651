import { describe, expect, test, vi } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import type { Backbone, NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import type { Tensor, TensorMap } from '../../src-main/engine/tensor.ts'
import { adaptWeights, describeAdaptation, type AdaptedWeights } from '../../src-main/engine/weights/index.ts'
import { uniform } from '../fixtures/torch/deterministic.ts'

vi.setConfig({ testTimeout: 300_000 })

function networkOf(changes: Partial<NetworkConfig>): NetworkConfig {
  return {
    modelType: 'rgb',
    backbone: 'resnet_18',
    inputType: '2d',
    rgbSequenceLength: 3,
    ofSequenceLength: 10,
    height: 64,
    width: 64,
    classCount: 5,
    dropoutRatio: 0,
    fusionFeatures: 64,
    ...changes,
  }
}

/** Weights of a network in its own names: all zero but what tests look at. */
function weightsOf(network: NetworkConfig): TensorMap {
  return new Map(
    stateEntries(network).map(({ name, shape, dtype }): [string, Tensor] => {
      const count = shape.reduce((product, size) => product * size, 1)
      if (dtype === 'int64') return [name, { dtype, shape, data: BigInt64Array.of(7n) }]
      const small = count < 50_000 ? uniform(name, shape) : new Float32Array(count)
      return [name, { dtype, shape, data: small }]
    }),
  )
}

/** As torchvision's files: one picture of three channels, `fc` for 1000 classes, counters only in newer ones. */
function torchvision(backbone: Backbone = 'resnet_18'): TensorMap {
  const network = networkOf({ backbone, rgbSequenceLength: 1, classCount: 1000 })
  return new Map(
    [...weightsOf(network)].flatMap(([name, tensor]) =>
      name.endsWith('num_batches_tracked') ? [] : [[name.replace('fc_cls', 'fc'), tensor] as const],
    ),
  )
}

const taoWay = { rescale: false, keepHead: true }

function refusal(work: () => AdaptedWeights): KineoError {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(KineoError)
    expect((error as KineoError).code).toBe('input')
    expect((error as KineoError).remedy).toBeTruthy()
    return error as KineoError
  }
  throw new Error('nothing was refused')
}

function values(tensors: TensorMap, name: string): number[] {
  return [...(tensors.get(name)!.data as Float32Array)]
}

describe('weights of torchvision', () => {
  const source = torchvision()

  test('go into a 2D network with the mean of conv1 in every channel, not rescaled, and no fc', () => {
    const { parameters, report } = adaptWeights(source, networkOf({}), taoWay)
    const old = values(source, 'conv1.weight')
    const taken = parameters.get('conv1.weight')!
    expect(taken.shape).toEqual([64, 9, 7, 7])
    const mean = (filter: number, tap: number): number =>
      [0, 1, 2].reduce((sum, channel) => sum + old[(filter * 3 + channel) * 49 + tap]!, 0) / 3
    for (const [filter, channel, tap] of [
      [0, 0, 0],
      [5, 8, 48],
      [63, 4, 20],
    ] as const) {
      expect(taken.data[(filter * 9 + channel) * 49 + tap]).toBeCloseTo(mean(filter, tap), 6)
    }
    expect(report.converted).toEqual([
      { name: 'conv1.weight', how: 'averaged over 3 input channels and copied to 9, not rescaled' },
    ])
    expect(report.random).toEqual(['fc_cls.weight', 'fc_cls.bias'])
    expect(report.unused).toEqual(['fc.weight', 'fc.bias'])
    expect(report.matched).toHaveLength(source.size - 3)
    expect(parameters.get('layer1.0.bn1.running_var')).toBe(source.get('layer1.0.bn1.running_var'))
    expect(parameters.size).toBe(source.size - 2)
  })

  test('keep the sum over the channels of conv1 when rescaling is asked for', () => {
    const plain = adaptWeights(source, networkOf({ modelType: 'of' }), taoWay).parameters
    const scaled = adaptWeights(source, networkOf({ modelType: 'of' }), { ...taoWay, rescale: true })
    expect(scaled.parameters.get('conv1.weight')!.shape).toEqual([64, 20, 7, 7])
    const [a, b] = [plain, scaled.parameters].map((tensors) => values(tensors, 'conv1.weight'))
    a!.forEach((value, i) => expect(Math.abs(b![i]! - (value * 3) / 20)).toBeLessThan(1e-7))
    expect(scaled.report.converted[0]?.how).toContain('times 3/20')
  })

  test('of conv1 stay as they are for one frame', () => {
    const { report } = adaptWeights(source, networkOf({ rgbSequenceLength: 1 }), taoWay)
    expect(report.converted).toEqual([])
    expect(report.matched).toContain('conv1.weight')
  })

  test('go into a 3D network with every kernel repeated over time and divided by it', () => {
    const { parameters, report } = adaptWeights(source, networkOf({ inputType: '3d' }), taoWay)
    const conv1 = parameters.get('conv1.weight')!
    expect(conv1.shape).toEqual([64, 3, 5, 7, 7])
    const old = values(source, 'conv1.weight')
    for (const [kernel, frame, tap] of [
      [0, 0, 0],
      [100, 4, 30],
      [191, 2, 48],
    ] as const) {
      expect(conv1.data[(kernel * 5 + frame) * 49 + tap]).toBeCloseTo(old[kernel * 49 + tap]! / 5, 7)
    }
    expect(parameters.get('layer1.0.conv1.weight')!.shape).toEqual([64, 64, 3, 3, 3])
    expect(parameters.get('layer2.0.downsample.0.weight')!.shape).toEqual([128, 64, 1, 1, 1])
    expect(values(parameters, 'layer2.0.downsample.0.weight')).toEqual(
      values(source, 'layer2.0.downsample.0.weight'),
    )
    expect(report.converted).toHaveLength(20)
    expect(report.random).toEqual(['fc_cls.weight', 'fc_cls.bias'])
  })

  test('leave conv1 of a 3D flow network random, as TAO does', () => {
    const network = networkOf({ inputType: '3d', modelType: 'of' })
    const { parameters, report } = adaptWeights(source, network, taoWay)
    expect(report.random).toEqual(['conv1.weight', 'fc_cls.weight', 'fc_cls.bias'])
    expect(report.unused).toContain('conv1.weight')
    expect(parameters.has('conv1.weight')).toBe(false)
    expect(parameters.has('bn1.weight')).toBe(true)
  })

  test('warm-start one stream of a joint network, and say nothing of the other', () => {
    const joint = networkOf({ modelType: 'joint' })
    const { parameters, report } = adaptWeights(source, joint, { ...taoWay, prefix: 'model_of' })
    expect(parameters.get('model_of.conv1.weight')!.shape).toEqual([64, 20, 7, 7])
    expect([...parameters.keys()].every((name) => name.startsWith('model_of.'))).toBe(true)
    expect(report.random).toEqual(['model_of.fc_cls.weight', 'model_of.fc_cls.bias'])
  })

  test('of another depth are refused with the key to change', () => {
    for (const backbone of ['resnet_34', 'resnet_50'] as const) {
      const error = refusal(() =>
        adaptWeights(torchvision(backbone), networkOf({}), { ...taoWay, where: '/weights/r.pth' }),
      )
      expect(error.message).toContain(backbone)
      expect(error.where).toBe('/weights/r.pth')
      expect(error.remedy).toContain(`model.backbone: ${backbone}`)
    }
    expect(
      refusal(() => adaptWeights(source, networkOf({ backbone: 'resnet_50' }), taoWay)).message,
    ).toContain('resnet_18')
  })
})

describe('weights of Kineo or TAO', () => {
  const network = networkOf({})
  const source = weightsOf(network)

  test('match in every tensor, with the counters', () => {
    const { parameters, report } = adaptWeights(source, network, taoWay)
    expect(report).toEqual({ matched: [...source.keys()], converted: [], random: [], unused: [] })
    expect(parameters).toEqual(source)
  })

  test('give up their last layer for another number of classes only when asked to', () => {
    const seven = networkOf({ classCount: 7 })
    const error = refusal(() => adaptWeights(source, seven, taoWay))
    expect(error.message).toBe('fc_cls.weight is [5, 512] in the weights, the network needs [7, 512]')
    expect(error.remedy).toContain('model.rgb_pretrained_num_classes: 5')
    const { report, parameters } = adaptWeights(source, seven, { ...taoWay, keepHead: false })
    expect(report.random).toEqual(['fc_cls.weight', 'fc_cls.bias'])
    expect(report.unused).toEqual(['fc_cls.weight', 'fc_cls.bias'])
    expect(parameters.has('fc_cls.weight')).toBe(false)
  })

  test('take another number of frames by the mean of conv1', () => {
    const { report } = adaptWeights(source, networkOf({ rgbSequenceLength: 8 }), taoWay)
    expect(report.converted.map(({ name }) => name)).toEqual(['conv1.weight'])
    expect(report.random).toEqual([])
  })

  test('of a 3D network are refused for a 2D one', () => {
    const volume = weightsOf(networkOf({ inputType: '3d' }))
    const error = refusal(() => adaptWeights(volume, network, taoWay))
    expect(error.message).toContain('conv1.weight is [64, 3, 5, 7, 7]')
    expect(error.remedy).toContain('model.input_type: 3d')
  })

  test('of 3D colour are refused for 3D flow', () => {
    const volume = weightsOf(networkOf({ inputType: '3d' }))
    const error = refusal(() => adaptWeights(volume, networkOf({ inputType: '3d', modelType: 'of' }), taoWay))
    expect(error.message).toContain('conv1.weight')
    expect(error.remedy).toContain('stream')
  })

  test('with a tensor of another shape are refused, naming it and both shapes', () => {
    const odd = new Map(source).set('layer3.0.bn1.bias', {
      dtype: 'float32',
      shape: [255],
      data: new Float32Array(255),
    })
    const error = refusal(() => adaptWeights(odd, network, { ...taoWay, where: 'a.pth' }))
    expect(error.describe()).toMatch(/layer3\.0\.bn1\.bias is \[255\].*needs \[256\].*a\.pth.*resnet_18/)
    const whole = new Map(source).set('bn1.bias', {
      dtype: 'int64',
      shape: [64],
      data: new BigInt64Array(64),
    } satisfies Tensor)
    expect(refusal(() => adaptWeights(whole, network, taoWay)).message).toContain('int64 [64]')
  })

  test('of a joint network go into a joint one, and each stream into a single one', () => {
    const joint = networkOf({ modelType: 'joint' })
    const both = weightsOf(joint)
    const whole = adaptWeights(both, joint, taoWay)
    expect(whole.report.random).toEqual([])
    expect(whole.parameters).toEqual(both)
    const flow = adaptWeights(both, networkOf({ modelType: 'of' }), taoWay)
    expect(flow.parameters.get('conv1.weight')).toBe(both.get('model_of.conv1.weight'))
    expect(flow.report.unused).toContain('fc1.weight')
    const fresh = adaptWeights(both, networkOf({ modelType: 'joint', classCount: 2 }), {
      ...taoWay,
      keepHead: false,
    })
    expect(fresh.report.random).toHaveLength(8)
  })

  test('of one stream are refused for a whole joint network, with the keys for streams', () => {
    const error = refusal(() => adaptWeights(source, networkOf({ modelType: 'joint' }), taoWay))
    expect(error.remedy).toContain('model.rgb_pretrained_model_path')
  })

  test('of something else are refused', () => {
    const video = new Map([['stem.0.weight', { dtype: 'float32', shape: [1], data: new Float32Array(1) }]])
    const error = refusal(() => adaptWeights(video as TensorMap, network, taoWay))
    expect(error.describe()).toMatch(/stem\.0\.weight.*conv1\.weight/)
  })
})

test('the report reads as a few lines', () => {
  const { report } = adaptWeights(torchvision(), networkOf({}), taoWay)
  expect(describeAdaptation(report, 'Pretrained weights r.pth')).toEqual([
    'Pretrained weights r.pth: 99 tensors taken as they are, 1 converted.',
    '  averaged over 3 input channels and copied to 9, not rescaled: conv1.weight',
    '  start at random: fc_cls.weight, fc_cls.bias',
    '  not used of the file: fc.weight, fc.bias',
  ])
})
