import { Random } from '../../core/random.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { Tensor, TensorMap } from '../tensor.ts'
import { actionRecognitionNet } from './action-recognition-net.ts'
import type { Layers } from './layers.ts'
import { stemChannels, type NetworkConfig } from './network.ts'

/** How a tensor starts: a constant, normal with a deviation, or uniform within +-bound. */
type Initial = { fill: number } | { deviation: number } | { bound: number }

/** One entry of torch's state_dict. */
export interface StateEntry {
  name: string
  dtype: Tensor['dtype']
  /** In torch's layout. */
  shape: readonly number[]
  /** A weight has a gradient; a buffer of a batch normalisation has none. */
  kind: 'weight' | 'buffer'
  initial: Initial
}

/** All tensors of a network in the order of torch's state_dict. */
export function stateEntries(network: NetworkConfig): StateEntry[] {
  const entries: StateEntry[] = []
  const weight = (name: string, shape: number[], initial: Initial): void => {
    entries.push({ name, dtype: 'float32', shape, kind: 'weight', initial })
  }
  const buffer = (name: string, shape: number[], initial: Initial): void => {
    entries.push({ name, dtype: shape.length === 0 ? 'int64' : 'float32', shape, kind: 'buffer', initial })
  }
  /** A value is no more than its number of channels or features here. */
  const layers: Layers<number> = {
    convolution: (inChannels, name, { outChannels, kernel }) => {
      // He et al. 2015 with fan-out, as TAO.
      const deviation = Math.sqrt(2 / (elementCount(kernel) * outChannels))
      weight(`${name}.weight`, [outChannels, inChannels, ...kernel], { deviation })
      return outChannels
    },
    batchNorm: (channels, name) => {
      weight(`${name}.weight`, [channels], { fill: 1 })
      weight(`${name}.bias`, [channels], { fill: 0 })
      buffer(`${name}.running_mean`, [channels], { fill: 0 })
      buffer(`${name}.running_var`, [channels], { fill: 1 })
      buffer(`${name}.num_batches_tracked`, [], { fill: 0 })
      return channels
    },
    activation: (channels) => channels,
    add: (channels) => channels,
    maxPool: (channels) => channels,
    globalAveragePool: (channels) => channels,
    dropout: (channels) => channels,
    linear: (inFeatures, name, outFeatures) => {
      const bound = 1 / Math.sqrt(inFeatures)
      weight(`${name}.weight`, [outFeatures, inFeatures], { bound })
      weight(`${name}.bias`, [outFeatures], { bound })
      return outFeatures
    },
    concat: (features) => features.reduce((total, count) => total + count, 0),
  }
  actionRecognitionNet(layers, (stream) => stemChannels(network, stream), network)
  return entries
}

/** Everything training changes. */
export interface TrainingState {
  /** Weights and buffers of the batch normalisations, with `num_batches_tracked`. */
  parameters: TensorMap
  /** SGD's momentum by the name of its weight; a missing one counts as zero. */
  momentum: TensorMap
}

/**
 * The state before training: convolutions normal with He's fan-out deviation, batch normalisations 1 and 0, the last
 * layer uniform as torch.nn.Linear. Each tensor draws from its own generator, so none depends on the others.
 */
export function initialState(network: NetworkConfig, seed: number): TrainingState {
  const parameters: TensorMap = new Map()
  stateEntries(network).forEach((entry, index) => {
    parameters.set(entry.name, initialTensor(entry, new Random(seed, index)))
  })
  return { parameters, momentum: new Map() }
}

function initialTensor({ dtype, shape, initial }: StateEntry, random: Random): Tensor {
  const count = elementCount(shape)
  if (dtype === 'int64') return { dtype, shape, data: new BigInt64Array(count) }
  const data = new Float32Array(count)
  if ('fill' in initial) data.fill(initial.fill)
  else if ('deviation' in initial)
    for (let i = 0; i < count; i++) data[i] = random.normal() * initial.deviation
  else for (let i = 0; i < count; i++) data[i] = (2 * random.uniform() - 1) * initial.bound
  return { dtype, shape, data }
}
