import type { NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import type { TensorMap } from '../../src-main/engine/tensor.ts'
import { parameter } from '../fixtures/torch/deterministic.ts'
import { relativeError, type StoredTensor } from '../fixtures/torch/stored-tensor.ts'

/** The tensors that deterministic.py makes for a network. */
export function parametersOf(network: NetworkConfig): TensorMap {
  return new Map(stateEntries(network).map(({ name, shape }) => [name, parameter(name, shape)]))
}

/** The tensors that differ most, and the largest relative difference. */
export function worst(
  ours: TensorMap,
  references: Record<string, StoredTensor>,
): { error: number; list: string } {
  const errors = Object.entries(references)
    .map(([name, reference]) => ({ name, error: relativeError(floats(ours, name), reference) }))
    .sort((a, b) => b.error - a.error)
  const list = errors.slice(0, 3).map(({ name, error }) => `${name} ${error.toExponential(1)}`)
  return { error: errors[0]!.error, list: list.join(', ') }
}

export function floats(tensors: TensorMap, name: string): Float32Array {
  const data = tensors.get(name)?.data
  if (!(data instanceof Float32Array)) throw new Error(`there is no ${name}`)
  return data
}
