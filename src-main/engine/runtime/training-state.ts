import { loadParameter, storeParameter, type ParameterLayout } from '../autodiff/parameter-layout.ts'
import type { NetworkConfig } from '../nets/network.ts'
import { checkParameters } from '../nets/inference-model.ts'
import { stateEntries, type StateEntry, type TrainingState } from '../nets/parameters.ts'
import { momentumName, nextName, type TrainingModel } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { TensorMap } from '../tensor.ts'
import { float32Tensor, type Feeds, type OrtTensor } from './session.ts'

interface Slot {
  entry: StateEntry
  layout: ParameterLayout
  /** Present for weights. */
  momentum: PingPong | undefined
  value: PingPong
}

/** Two buffers that change places after each step. */
type PingPong = readonly [OrtTensor, OrtTensor]

/**
 * The tensors that training changes, kept as the session reads and writes them. A step reads one buffer of each and
 * writes the other: ONNX Runtime takes inputs and outputs without a copy, so with one buffer for both it would
 * overwrite what later nodes still read, silently.
 */
export class DeviceState {
  readonly #network: NetworkConfig
  readonly #slots = new Map<string, Slot>()
  /** `num_batches_tracked` of each batch normalisation. */
  readonly #counters = new Map<string, bigint>()
  readonly #entries: StateEntry[]
  readonly #ports: readonly [{ feeds: Feeds; fetches: Feeds }, { feeds: Feeds; fetches: Feeds }]
  #current: 0 | 1 = 0

  constructor(network: NetworkConfig, model: TrainingModel) {
    this.#network = network
    this.#entries = stateEntries(network)
    const weights = new Map(model.weights.map((weight) => [weight.name, weight]))
    for (const entry of this.#entries) {
      if (entry.dtype === 'int64') {
        this.#counters.set(entry.name, 0n)
        continue
      }
      const weight = weights.get(entry.name)
      const pair = (): PingPong => {
        const make = (): OrtTensor =>
          float32Tensor(new Float32Array(elementCount(entry.shape)), weight?.storedShape ?? entry.shape)
        return [make(), make()]
      }
      const momentum = weight === undefined ? undefined : pair()
      this.#slots.set(entry.name, { entry, layout: weight?.layout ?? 'torch', value: pair(), momentum })
    }
    this.#ports = [this.#portsOf(0), this.#portsOf(1)]
  }

  /** What the next step reads and where it writes. */
  get ports(): { feeds: Feeds; fetches: Feeds } {
    return this.#ports[this.#current]
  }

  /** Call after a step: what it wrote becomes the state. */
  advance(): void {
    this.#current = this.#current === 0 ? 1 : 0
    for (const [name, count] of this.#counters) this.#counters.set(name, count + 1n)
  }

  /** @throws KineoError `input` when the tensors do not fit the network. */
  load(state: TrainingState): void {
    checkParameters(this.#network, state.parameters)
    for (const [name, slot] of this.#slots) {
      const write = (tensor: OrtTensor, source: Float32Array): void =>
        storeParameter(slot.layout, slot.entry.shape, source, dataOf(tensor))
      write(slot.value[this.#current], floatsOf(state.parameters, name) ?? new Float32Array())
      if (slot.momentum === undefined) continue
      const target = slot.momentum[this.#current]
      const source = floatsOf(state.momentum, name)
      if (source === undefined) dataOf(target).fill(0)
      else write(target, source)
    }
    for (const name of this.#counters.keys()) {
      const data = state.parameters.get(name)?.data
      this.#counters.set(name, data instanceof BigInt64Array ? (data[0] ?? 0n) : 0n)
    }
  }

  /** A copy in torch's names and layouts. */
  save(): TrainingState {
    const parameters: TensorMap = new Map()
    const momentum: TensorMap = new Map()
    const copy = (slot: Slot, tensor: OrtTensor): Float32Array => {
      const data = new Float32Array(elementCount(slot.entry.shape))
      loadParameter(slot.layout, slot.entry.shape, dataOf(tensor), data)
      return data
    }
    for (const { name, shape } of this.#entries) {
      const slot = this.#slots.get(name)
      if (slot === undefined) {
        const data = BigInt64Array.of(this.#counters.get(name) ?? 0n)
        parameters.set(name, { dtype: 'int64', shape, data })
        continue
      }
      parameters.set(name, { dtype: 'float32', shape, data: copy(slot, slot.value[this.#current]) })
      if (slot.momentum === undefined) continue
      momentum.set(name, { dtype: 'float32', shape, data: copy(slot, slot.momentum[this.#current]) })
    }
    return { parameters, momentum }
  }

  #portsOf(current: 0 | 1): { feeds: Feeds; fetches: Feeds } {
    const next = current === 0 ? 1 : 0
    const feeds: Feeds = {}
    const fetches: Feeds = {}
    for (const [name, { value, momentum }] of this.#slots) {
      feeds[name] = value[current]
      fetches[nextName(name)] = value[next]
      if (momentum === undefined) continue
      feeds[momentumName(name)] = momentum[current]
      fetches[nextName(momentumName(name))] = momentum[next]
    }
    return { feeds, fetches }
  }
}

function dataOf(tensor: OrtTensor): Float32Array {
  return tensor.data as Float32Array
}

function floatsOf(tensors: TensorMap, name: string): Float32Array | undefined {
  const data = tensors.get(name)?.data
  return data instanceof Float32Array ? data : undefined
}
