import { writeFileAtomic } from '../../core/atomic-file.ts'
import { encryptParts } from '../../core/encryption.ts'
import type { Tensor, TensorMap } from '../tensor.ts'
import type { Checkpoint, OptimizerSettings } from './checkpoint.ts'
import { inTorchOrder, isWeight } from './parameter-order.ts'
import { OrderedEntries, PickledTensor, writePickle, type Picklable } from './pickle-writer.ts'
import { storedZip, type ZipEntry } from './zip-writer.ts'

/** Version of Lightning whose keys are written: that of TAO 5.5. */
const lightningVersion = '2.2.0'
const taoDefaults: OptimizerSettings = { learningRate: 5e-4, momentum: 0.9, weightDecay: 5e-4 }

/**
 * Writes a PyTorch zip file with the keys of a Lightning checkpoint as TAO writes it (tao-facts 1.6), atomically.
 * `torch.load(path, weights_only=True)` of PyTorch 1.13 and later opens it; Kineo's own settings are JSON text under
 * `kineo`. `lr_schedulers` stays empty: Lightning takes the number of the epoch from the state of its loops, which is not
 * written, so it begins at epoch 0 and would be wrong with a schedule that is further on. The tensors are not copied and must not change before the promise settles.
 *
 * @param options With `encryptionKey` the whole file is encrypted (core/encryption.ts); only Kineo opens it then.
 * @throws KineoError (output) when the file would be larger than 4 GiB.
 */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  options: { encryptionKey?: string | undefined } = {},
): Promise<void> {
  const storages = new StorageList()
  const names = inTorchOrder(checkpoint.parameters.keys())
  const stored = (tensors: TensorMap): OrderedEntries =>
    new OrderedEntries(names.map((name) => [`model.${name}`, storages.add(tensorOf(tensors, name))] as const))
  const { network, classNames, extra, trained } = checkpoint
  const pickle = writePickle({
    epoch: checkpoint.epoch,
    global_step: checkpoint.globalStep,
    'pytorch-lightning_version': lightningVersion,
    state_dict: stored(checkpoint.parameters),
    ...(trained === undefined ? {} : { current_model_state: stored(trained) }),
    callbacks: {},
    optimizer_states: [optimizerState(checkpoint, names.filter(isWeight), storages)],
    lr_schedulers: [],
    kineo: { format: 1, json: JSON.stringify({ network, classNames, extra }) },
  })
  const entries = [
    { name: 'archive/data.pkl', data: pickle },
    { name: 'archive/byteorder', data: Buffer.from('little') },
    ...storages.entries,
    { name: 'archive/version', data: Buffer.from('3\n') },
  ]
  const zip = storedZip(path, entries)
  const { encryptionKey } = options
  await writeFileAtomic(path, encryptionKey === undefined ? zip : await encryptParts(zip, encryptionKey))
}

/** `torch.optim.SGD(...).state_dict()`, the parameters numbered in the order of `model.parameters()`. */
function optimizerState(checkpoint: Checkpoint, weights: string[], storages: StorageList): Picklable {
  const settings = checkpoint.optimizer ?? taoDefaults
  const state = new Map<number, Picklable>()
  for (const [name, momentum] of checkpoint.momentum) {
    const index = weights.indexOf(name)
    const weight = tensorOf(checkpoint.parameters, name)
    if (index < 0 || momentum.shape.join() !== weight.shape.join())
      throw new RangeError(`the momentum of ${name} does not fit a weight`)
    state.set(index, { momentum_buffer: storages.add(momentum) })
  }
  const group: Picklable = {
    lr: storages.addNumber(settings.learningRate),
    momentum: storages.addNumber(settings.momentum),
    dampening: 0,
    weight_decay: storages.addNumber(settings.weightDecay),
    nesterov: false,
    maximize: false,
    foreach: null,
    differentiable: false,
    params: weights.map((_, index) => index),
  }
  return { state, param_groups: [group] }
}

function tensorOf(tensors: TensorMap, name: string): Tensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new RangeError(`there is no tensor ${name}`)
  return tensor
}

/** The zip entries of the storages, in the order in which their tensors were added. */
class StorageList {
  readonly entries: ZipEntry[] = []

  add(tensor: Tensor): PickledTensor {
    const count = tensor.shape.reduce((product, size) => product * size, 1)
    if (tensor.data.length !== count)
      throw new RangeError(`a tensor of shape [${tensor.shape.join(', ')}] is broken`)
    const { buffer, byteOffset, byteLength } = tensor.data
    const key = this.#append(new Uint8Array(buffer, byteOffset, byteLength))
    return new PickledTensor(key, tensor.dtype === 'int64' ? 'LongStorage' : 'FloatStorage', tensor.shape)
  }

  /** A fraction, as a float64 tensor without dimensions (see pickle-writer). */
  addNumber(value: number): PickledTensor {
    return new PickledTensor(this.#append(new Uint8Array(Float64Array.of(value).buffer)), 'DoubleStorage', [])
  }

  #append(data: Uint8Array): string {
    const key = String(this.entries.length)
    this.entries.push({ name: `archive/data/${key}`, data })
    return key
  }
}
