import { describe, expect, it } from 'vitest'
import { networkInputs, type Backbone, type NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import { elementCount } from '../../src-main/engine/onnx/shape-inference.ts'

const five: NetworkConfig = {
  modelType: 'rgb',
  backbone: 'resnet_18',
  inputType: '2d',
  rgbSequenceLength: 3,
  ofSequenceLength: 10,
  height: 224,
  width: 224,
  classCount: 5,
  dropoutRatio: 0,
  fusionFeatures: 64,
}

function parameterCount(network: NetworkConfig): number {
  return stateEntries(network).reduce(
    (total, { kind, shape }) => total + (kind === 'weight' ? elementCount(shape) : 0),
    0,
  )
}

/** TAO's networks with 5 classes: 2D rgb of 3 frames, 2D flow of 10, 2D rgb of 32, 3D rgb, 3D flow. */
const counts: [Backbone, number, number, number, number, number][] = [
  ['resnet_18', 11_197_893, 11_232_389, 11_470_725, 33_187_653, 33_171_973],
  ['resnet_34', 21_306_053, 21_340_549, 21_578_885, 63_497_285, 63_481_605],
  ['resnet_50', 23_537_093, 23_571_589, 23_809_925, 46_190_405, 46_174_725],
  ['resnet_101', 42_529_221, 42_563_717, 42_802_053, 85_236_549, 85_220_869],
  ['resnet_152', 58_172_869, 58_207_365, 58_445_701, 117_395_269, 117_379_589],
]

describe('the number of parameters', () => {
  it.each(counts)('of %s is that of TAO', (backbone, rgb, flow, longRgb, volumeRgb, volumeFlow) => {
    const count = (changes: Partial<NetworkConfig>): number =>
      parameterCount({ ...five, backbone, ...changes })
    expect(count({})).toBe(rgb)
    expect(count({ modelType: 'of' })).toBe(flow)
    expect(count({ rgbSequenceLength: 32 })).toBe(longRgb)
    expect(count({ inputType: '3d' })).toBe(volumeRgb)
    expect(count({ inputType: '3d', modelType: 'of' })).toBe(volumeFlow)
    // Each further class is one row of the last layer.
    const features = backbone === 'resnet_18' || backbone === 'resnet_34' ? 512 : 2048
    expect(count({ classCount: 7 }) - rgb).toBe(2 * (features + 1))
  })

  it('of two streams is that of both and of the fusion', () => {
    expect(parameterCount({ ...five, modelType: 'joint' })).toBe(22_431_311)
    expect(parameterCount({ ...five, modelType: 'joint', inputType: '3d' })).toBe(66_360_655)
    const narrow = parameterCount({ ...five, modelType: 'joint', fusionFeatures: 8 })
    expect(22_431_311 - narrow).toBe(56 * (10 + 1 + 5))
  })
})

describe('the state dict', () => {
  const names = (changes: Partial<NetworkConfig>): string[] =>
    stateEntries({ ...five, ...changes }).map(({ name }) => name)

  it('has the names of TAO, the same in 2D and 3D', () => {
    const of50 = names({ backbone: 'resnet_50' })
    expect(of50.slice(0, 3)).toEqual(['conv1.weight', 'bn1.weight', 'bn1.bias'])
    expect(of50).toContain('layer1.0.conv3.weight')
    expect(of50).toContain('layer1.0.downsample.0.weight')
    expect(of50).toContain('layer4.2.bn3.num_batches_tracked')
    expect(of50.slice(-2)).toEqual(['fc_cls.weight', 'fc_cls.bias'])
    expect(names({ backbone: 'resnet_50', inputType: '3d' })).toEqual(of50)
  })

  it('of two streams holds both under their names, and the fusion', () => {
    const single = names({})
    const [rgb, flow, fusion] = [names({ modelType: 'joint' }), single.length, 2 * single.length]
    expect(rgb.slice(0, flow)).toEqual(single.map((name) => `model_rgb.${name}`))
    expect(rgb.slice(flow, fusion)).toEqual(single.map((name) => `model_of.${name}`))
    expect(rgb.slice(fusion)).toEqual(['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'])
  })
})

describe('the inputs', () => {
  it('stack the frames in 2D and keep time in 3D, rgb before flow', () => {
    expect(networkInputs({ ...five, modelType: 'joint' }, 4)).toEqual([
      { stream: 'rgb', name: 'input_rgb', shape: [4, 9, 224, 224] },
      { stream: 'of', name: 'input_of', shape: [4, 20, 224, 224] },
    ])
    expect(networkInputs({ ...five, modelType: 'of', inputType: '3d', width: 112 }, 2)).toEqual([
      { stream: 'of', name: 'input_of', shape: [2, 2, 10, 224, 112] },
    ])
  })
})
