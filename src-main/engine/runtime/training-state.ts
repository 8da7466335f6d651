import { loadParameter, storeParameter, type ParameterLayout } from '../autodiff/parameter-layout.ts'
import type { NetworkConfig } from '../nets/network.ts'
import { checkParameters } from '../nets/inference-model.ts'
import { stateEntries, type StateEntry, type TrainingState } from '../nets/parameters.ts'
import { accumulatedName, momentumName, nextName } from '../nets/step-names.ts'
import type { TrainingModel } from '../nets/training-model.ts'
import { elementCount } from '../onnx/shape-inference.ts'
import type { Tensor, TensorMap } from '../tensor.ts'
import { float32Tensor, type Feeds, type OrtTensor } from './session.ts'

interface Slot {
  entry: StateEntry
  layout: ParameterLayout
  value: PingPong
  /** Present for weights that are trained. */
  momentum: PingPong | undefined
  /** Sum of the gradients of several batches; present where they are accumulated. */
  accumulated: PingPong | undefined
  part: Part
}

/** Two buffers that change places after each step. */
type PingPong = readonly [OrtTensor, OrtTensor]

/** What changes together: the weights with their momentum, and the running statistics. What is frozen never changes. */
type Part = 'weights' | 'statistics' | 'frozen'
/** What changes places together. */
type Rotation = Part | 'accumulated'

/** One run of a graph: the whole step, the step without the optimizer, or the optimizer alone. */
export type StepKind = 'whole' | 'accumulate' | 'apply'

/**
 * The tensors that training changes, kept as the session reads and writes them. A step reads one buffer of each and
 * writes the other: ONNX Runtime takes inputs and outputs without a copy, so with one buffer for both it would
 * overwrite what later nodes still read, silently.
 */
export class DeviceState {
  readonly #network: NetworkConfig
  readonly #slots = new Map<string, Slot>()
  /** `num_batches_tracked` of each batch normalisation that is trained. */
  readonly #counters = new Map<string, { count: bigint; frozen: boolean }>()
  readonly #entries: StateEntry[]
  readonly #current: Record<Rotation, number> = { weights: 0, statistics: 0, frozen: 0, accumulated: 0 }

  /** @param accumulate Whether sums of gradients are kept. */
  constructor(network: NetworkConfig, model: TrainingModel, accumulate: boolean) {
    this.#network = network
    this.#entries = stateEntries(network)
    const weights = new Map(model.weights.map((weight) => [weight.name, weight]))
    const frozen = new Map(model.frozen.map((tensor) => [tensor.name, tensor]))
    for (const entry of this.#entries) {
      const { name, dtype, shape } = entry
      if (dtype === 'int64') {
        const norm = name.slice(0, name.lastIndexOf('.'))
        this.#counters.set(name, { count: 0n, frozen: frozen.has(`${norm}.weight`) })
        continue
      }
      const weight = weights.get(name) ?? frozen.get(name)
      const make = (): OrtTensor =>
        float32Tensor(new Float32Array(elementCount(shape)), weight?.storedShape ?? shape)
      const pair = (): PingPong => [make(), make()]
      const only = frozen.has(name) ? make() : undefined
      const trained = weights.has(name)
      this.#slots.set(name, {
        entry,
        layout: weight?.layout ?? 'torch',
        value: only === undefined ? pair() : [only, only],
        momentum: trained ? pair() : undefined,
        accumulated: trained && accumulate ? pair() : undefined,
        part: only !== undefined ? 'frozen' : trained ? 'weights' : 'statistics',
      })
    }
  }

  /** What the next run of a graph reads and where it writes. */
  ports(kind: StepKind): { feeds: Feeds; fetches: Feeds } {
    const feeds: Feeds = {}
    const fetches: Feeds = {}
    const at = (pair: PingPong, part: Rotation, next: boolean): OrtTensor =>
      pair[(this.#current[part] === 0) === next ? 1 : 0]
    for (const [name, { value, momentum, accumulated, part }] of this.#slots) {
      if (kind === 'apply' && part !== 'weights') continue
      feeds[name] = at(value, part, false)
      if (part === 'statistics') fetches[nextName(name)] = at(value, part, true)
      if (part !== 'weights') continue
      if (kind !== 'accumulate' && momentum !== undefined) {
        fetches[nextName(name)] = at(value, part, true)
        feeds[momentumName(name)] = at(momentum, part, false)
        fetches[nextName(momentumName(name))] = at(momentum, part, true)
      }
      if (kind !== 'whole' && accumulated !== undefined) {
        const sum = accumulatedName(name)
        feeds[sum] = at(accumulated, 'accumulated', false)
        if (kind === 'accumulate') fetches[nextName(sum)] = at(accumulated, 'accumulated', true)
      }
    }
    return { feeds, fetches }
  }

  /** Call after a run: what it wrote becomes the state. */
  advance(kind: StepKind): void {
    const flip = (part: Rotation): void => {
      this.#current[part] = 1 - this.#current[part]
    }
    if (kind !== 'accumulate') flip('weights')
    if (kind === 'accumulate') flip('accumulated')
    if (kind === 'apply') return this.clearAccumulated()
    flip('statistics')
    for (const counter of this.#counters.values()) if (!counter.frozen) counter.count += 1n
  }

  /** Forgets the gradients summed so far. */
  clearAccumulated(): void {
    for (const { accumulated } of this.#slots.values()) {
      if (accumulated !== undefined) dataOf(this.#at(accumulated, 'accumulated')).fill(0)
    }
  }

  /** @throws KineoError `input` when the tensors do not fit the network. */
  load(state: TrainingState): void {
    checkParameters(this.#network, state.parameters)
    for (const [name, slot] of this.#slots) {
      const write = (tensor: OrtTensor, source: Float32Array): void =>
        storeParameter(slot.layout, slot.entry.shape, source, dataOf(tensor))
      write(this.#at(slot.value, slot.part), floatsOf(state.parameters, name) ?? new Float32Array())
      if (slot.momentum === undefined) continue
      const target = this.#at(slot.momentum, slot.part)
      const source = floatsOf(state.momentum, name)
      if (source === undefined) dataOf(target).fill(0)
      else write(target, source)
    }
    this.clearAccumulated()
    for (const [name, counter] of this.#counters) {
      const data = state.parameters.get(name)?.data
      counter.count = data instanceof BigInt64Array ? (data[0] ?? 0n) : 0n
    }
  }

  /** A copy in torch's names and layouts; what is frozen has no momentum. */
  save(): TrainingState {
    const momentum: TensorMap = new Map()
    for (const [name, slot] of this.#slots) {
      if (slot.momentum === undefined) continue
      momentum.set(name, torchTensor(slot, dataOf(this.#at(slot.momentum, slot.part))))
    }
    return { parameters: this.exportValues((name) => this.stored(name)), momentum }
  }

  /** Names of the weights and running statistics. */
  valueNames(): Iterable<string> {
    return this.#slots.keys()
  }

  /** The current content of a weight or running statistic in its stored layout; it changes with the next step. */
  stored(name: string): Float32Array {
    const slot = this.#slots.get(name)
    if (slot === undefined) throw new Error(`the state has no ${name}`)
    return dataOf(this.#at(slot.value, slot.part))
  }

  /** Puts a tensor in torch's layout into `target`, in the stored layout. */
  store(name: string, source: Float32Array, target: Float32Array): void {
    const slot = this.#slots.get(name)
    if (slot === undefined) throw new Error(`the state has no ${name}`)
    storeParameter(slot.layout, slot.entry.shape, source, target)
  }

  /** All tensors of the network in torch's names and layouts, from values in the stored ones. */
  exportValues(storedOf: (name: string) => Float32Array): TensorMap {
    const parameters: TensorMap = new Map()
    for (const { name, shape } of this.#entries) {
      const slot = this.#slots.get(name)
      if (slot !== undefined) {
        parameters.set(name, torchTensor(slot, storedOf(name)))
        continue
      }
      const data = BigInt64Array.of(this.#counters.get(name)?.count ?? 0n)
      parameters.set(name, { dtype: 'int64', shape, data })
    }
    return parameters
  }

  #at(pair: PingPong, part: Rotation): OrtTensor {
    return this.#current[part] === 0 ? pair[0] : pair[1]
  }
}

/** A copy of a stored value in torch's layout. */
function torchTensor({ layout, entry: { shape } }: Slot, stored: Float32Array): Tensor {
  const data = new Float32Array(elementCount(shape))
  loadParameter(layout, shape, stored, data)
  return { dtype: 'float32', shape, data }
}

function dataOf(tensor: OrtTensor): Float32Array {
  return tensor.data as Float32Array
}

function floatsOf(tensors: TensorMap, name: string): Float32Array | undefined {
  const data = tensors.get(name)?.data
  return data instanceof Float32Array ? data : undefined
}
