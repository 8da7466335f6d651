import type { TensorMap } from '../tensor.ts'
import { withBytes, type ByteSource, type ReadOptions } from './byte-source.ts'
import type { Checkpoint, OptimizerSettings } from './checkpoint.ts'
import { parseKineoSettings } from './kineo-settings.ts'
import { isWeight, withoutWrappers } from './parameter-order.ts'
import { InertObject, PickleError } from './pickle-reader.ts'
import type { TensorDecoder } from './tensor-decoder.ts'
import { TaoEncryptionError, taoEncryptionKey, withTorchFile } from './torch-file.ts'
import { StoredTensor } from './torch-pickle.ts'

type Dict = ReadonlyMap<unknown, unknown>

/** Who wrote a `.pth`: Kineo, TAO (or another program on Lightning), or plain torch.save. */
export type CheckpointOrigin = 'kineo' | 'tao' | 'torch'

/**
 * Reads a checkpoint of Kineo (with its key, when it is encrypted) or TAO (unencrypted), or a file with a bare state
 * dict, such as torchvision's. Floats become float32, whole numbers int64. The wrappers' prefixes `model.` (Lightning)
 * and `module.` (DistributedDataParallel) are dropped; names are otherwise left as they are (torchvision's `fc.weight`
 * stays). Nothing in the file is run.
 *
 * @throws KineoError (input) when the file is missing, damaged, encrypted, not from PyTorch, or holds other objects.
 */
export async function readCheckpoint(path: string, options: ReadOptions = {}): Promise<Checkpoint> {
  return await withBytes(
    path,
    options,
    async (source) => (await readCheckpointBytes(source, path, { momentum: true })).checkpoint,
  )
}

/**
 * As readCheckpoint, from bytes that are open, saying who wrote them.
 * @param wanted Without momentum, what only training needs stays unread: that of the optimizer, and the weights beside
 * their average.
 */
export async function readCheckpointBytes(
  source: ByteSource,
  path: string,
  wanted: { momentum: boolean },
): Promise<{ checkpoint: Checkpoint; origin: CheckpointOrigin }> {
  return await withTorchFile(source, path, async (value, decoder) => {
    if (!(value instanceof Map)) throw new PickleError('it holds no weights by name')
    const root: Dict = value
    refuseTaoEncryption(root)
    const stateDict = storedTensors(stateDictOf(root))
    if (stateDict.size === 0) throw new PickleError('it holds no weights by name')
    const parameters = await decodeAll(stateDict, decoder)
    const trained = wanted.momentum ? root.get('current_model_state') : undefined
    const optimizer = wanted.momentum ? listItem(root.get('optimizer_states')) : null
    const settings = optimizerSettings(optimizer)
    const own = parseKineoSettings(root.get('kineo'), path)
    const checkpoint: Checkpoint = {
      parameters,
      momentum: await momentumOf(optimizer, stateDict, decoder),
      epoch: wholeNumber(root.get('epoch'), -1),
      globalStep: wholeNumber(root.get('global_step'), 0),
      extra: own?.extra ?? {},
    }
    if (trained instanceof Map) checkpoint.trained = await decodeAll(storedTensors(trained), decoder)
    if (own?.network !== undefined) checkpoint.network = own.network
    if (own?.classNames !== undefined) checkpoint.classNames = own.classNames
    if (settings !== null) checkpoint.optimizer = await settings(decoder)
    const lightning = root.has('pytorch-lightning_version') || root.has('state_dict')
    return { checkpoint, origin: own !== null ? 'kineo' : lightning ? 'tao' : 'torch' }
  })
}

function refuseTaoEncryption(root: Dict): void {
  const cipher = root.get(taoEncryptionKey)
  const weights = root.get('state_dict')
  const isBlob = weights instanceof Uint8Array || weights instanceof InertObject
  if ((cipher !== undefined && cipher !== false && cipher !== null) || isBlob) throw new TaoEncryptionError()
}

/** Lightning keeps the weights under `state_dict`, torchvision's training scripts under `model`, others at the top. */
function stateDictOf(root: Dict): Dict {
  for (const key of ['state_dict', 'model']) {
    const inner = root.get(key)
    if (inner instanceof Map) return inner
  }
  return root
}

function storedTensors(dict: Dict): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  for (const [name, tensor] of dict) {
    if (typeof name !== 'string' || !(tensor instanceof StoredTensor)) continue
    const bare = withoutWrappers(name)
    if (!tensors.has(bare)) tensors.set(bare, tensor)
  }
  return tensors
}

async function decodeAll(
  stored: ReadonlyMap<string, StoredTensor>,
  decoder: TensorDecoder,
): Promise<TensorMap> {
  const tensors: TensorMap = new Map()
  for (const [name, tensor] of stored) tensors.set(name, await decoder.decode(tensor))
  return tensors
}

/**
 * Momentum of torch.optim.SGD. Its state numbers the weights in the order of `model.parameters()`, which is the order of
 * the state dict without its buffers. Other optimizers keep other things; theirs is left out.
 */
async function momentumOf(
  optimizer: Dict | null,
  stateDict: ReadonlyMap<string, StoredTensor>,
  decoder: TensorDecoder,
): Promise<TensorMap> {
  const momentum: TensorMap = new Map()
  const states = optimizer?.get('state')
  if (!(states instanceof Map)) return momentum
  const names = [...stateDict.keys()].filter(isWeight)
  for (const [position, index] of groupedIndices(optimizer).entries()) {
    const state: unknown = states.get(index)
    const buffer: unknown = state instanceof Map ? state.get('momentum_buffer') : undefined
    if (!(buffer instanceof StoredTensor)) continue
    const name = names[position]
    if (name === undefined || stateDict.get(name)?.shape.join() !== buffer.shape.join())
      throw new PickleError('the state of its optimizer does not fit its weights')
    momentum.set(name, await decoder.decode(buffer))
  }
  return momentum
}

/** Indices of the weights over all parameter groups, in order. */
function groupedIndices(optimizer: Dict | null): unknown[] {
  const groups = optimizer?.get('param_groups')
  if (!Array.isArray(groups)) return []
  return groups.flatMap((group: unknown): unknown[] => {
    const params: unknown = group instanceof Map ? group.get('params') : undefined
    return Array.isArray(params) ? params : []
  })
}

/** Reads lr, momentum and weight decay, which are numbers in files of torch and tensors in ours. */
function optimizerSettings(
  optimizer: Dict | null,
): ((decoder: TensorDecoder) => Promise<OptimizerSettings>) | null {
  const group = listItem(optimizer?.get('param_groups'))
  if (group === null || !['lr', 'momentum', 'weight_decay'].every((key) => group.has(key))) return null
  return async (decoder) => {
    const read = async (key: string): Promise<number> => {
      const value = group.get(key)
      if (typeof value === 'number') return value
      if (!(value instanceof StoredTensor) || value.count !== 1)
        throw new PickleError('the settings of its optimizer are no numbers')
      return await decoder.decodeNumber(value)
    }
    return {
      learningRate: await read('lr'),
      momentum: await read('momentum'),
      weightDecay: await read('weight_decay'),
    }
  }
}

function listItem(list: unknown): Dict | null {
  const first: unknown = Array.isArray(list) ? list[0] : undefined
  return first instanceof Map ? first : null
}

function wholeNumber(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : fallback
}
