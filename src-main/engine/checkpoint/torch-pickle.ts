import { InertObject, InertState, PickleCallable, PickleError, type PickleHooks } from './pickle-reader.ts'

/** How a torch storage holds its elements. */
export interface ElementType {
  name: string
  bytes: 1 | 2 | 4 | 8
}

/** A storage of the file; its bytes are read only when a tensor of it is wanted. */
export class StorageReference {
  readonly key: string
  readonly elements: ElementType
  readonly count: number

  constructor(key: string, elements: ElementType, count: number) {
    this.key = key
    this.elements = elements
    this.count = count
  }
}

/** A tensor as a view into a storage; checked to lie inside it. */
export class StoredTensor extends InertState {
  readonly storage: StorageReference
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly count: number

  constructor(
    storage: StorageReference,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    let count = 1
    let last = offset
    for (const [axis, size] of shape.entries()) {
      count *= size
      last += (size - 1) * (strides[axis] ?? 0)
    }
    super()
    // An expanded tensor (stride 0) could be any size; no weight is stored like that.
    if (count > storage.count || (count > 0 && last >= storage.count))
      throw new PickleError(`a tensor of shape [${shape.join(', ')}] does not fit into its storage`)
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
    this.count = count
  }
}

const elementTypes: ReadonlyMap<string, ElementType> = new Map(
  (
    [
      ['FloatStorage', 4],
      ['DoubleStorage', 8],
      ['HalfStorage', 2],
      ['BFloat16Storage', 2],
      ['LongStorage', 8],
      ['IntStorage', 4],
      ['ShortStorage', 2],
      ['CharStorage', 1],
      ['ByteStorage', 1],
      ['BoolStorage', 1],
    ] as const
  ).map(([name, bytes]) => [`torch.${name}`, { name, bytes }]),
)

/**
 * Classes that training frameworks leave in a checkpoint beside the weights: schedulers' counters, settings, callbacks.
 * Their instances are read as inert objects: nothing of theirs is run or kept.
 */
const inertNames: ReadonlySet<string> = new Set([
  'collections.Counter',
  'collections.defaultdict',
  'argparse.Namespace',
  'pathlib.Path',
  'pathlib.PosixPath',
  'pathlib.WindowsPath',
  // Types of fields, such as List[float].
  'operator.getitem',
  '_operator.getitem',
  'types.GenericAlias',
  'torch.device',
  'torch.Size',
  'numpy.dtype',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  '_codecs.encode',
])
/** `dict`, `list`, ... as the type of a field; they are named, not called, by settings objects. */
const inertBuiltins: ReadonlySet<string> = new Set([
  'dict',
  'list',
  'tuple',
  'int',
  'float',
  'str',
  'bool',
  'set',
  'bytes',
  'type',
  // As protocol 2 calls str and int.
  'unicode',
  'long',
])
const inertModules = [
  'typing',
  'omegaconf',
  'nvidia_tao_pytorch',
  'nvidia_tao_core',
  'pytorch_lightning',
  'lightning',
]
const torchTypes = /^torch\.(float|int|uint|bool|half|double|long|bfloat|complex)\d*$/

/** The pickle hooks for files that torch.save wrote. */
export const torchPickleHooks: PickleHooks = { resolve: resolveTorchGlobal, persistent: storageOf }

const rebuildCallables: ReadonlyMap<string, PickleCallable> = new Map(
  [
    new PickleCallable('collections.OrderedDict', orderedDict),
    new PickleCallable('torch._utils._rebuild_tensor', rebuildTensor),
    new PickleCallable('torch._utils._rebuild_tensor_v2', rebuildTensor),
    new PickleCallable('torch._utils._rebuild_parameter', rebuildParameter),
    // As torch 0.1 wrote parameters, and so torchvision's first files.
    new PickleCallable('torch.nn.parameter.Parameter', rebuildParameter),
    new PickleCallable('torch._utils._rebuild_parameter_with_state', rebuildParameter),
  ].map((callable) => [callable.name, callable]),
)

function resolveTorchGlobal(module: string, name: string): unknown {
  const path = `${module}.${name}`
  const known = rebuildCallables.get(path) ?? elementTypes.get(path)
  if (known !== undefined) return known
  const inert =
    inertNames.has(path) ||
    torchTypes.test(path) ||
    ((module === 'builtins' || module === '__builtin__') && inertBuiltins.has(name)) ||
    inertModules.includes(module.split('.')[0] ?? '')
  if (inert) return new PickleCallable(path, () => new InertObject(path))
  throw new PickleError(`it holds a Python object that Kineo does not open: ${path}`)
}

function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  const dict = new Map<unknown, unknown>()
  const pairs = args[0]
  if (Array.isArray(pairs)) {
    for (const pair of pairs as unknown[]) {
      if (!Array.isArray(pair) || pair.length !== 2) throw new PickleError('an OrderedDict is broken')
      dict.set(pair[0], pair[1])
    }
  }
  return dict
}

/** (storage, offset, size, stride, ...): what follows (gradient wish, hooks) means nothing for stored numbers. */
function rebuildTensor(args: readonly unknown[]): StoredTensor {
  const [storage, offset, shape, strides] = args
  if (!(storage instanceof StorageReference)) throw new PickleError('a tensor has no storage')
  const sizes = naturalNumbers(shape)
  const steps = naturalNumbers(strides)
  const [start] = naturalNumbers([offset])
  if (sizes.length !== steps.length || sizes.length > 8)
    throw new PickleError('the shape of a tensor is broken')
  return new StoredTensor(storage, start ?? 0, sizes, steps)
}

function rebuildParameter(args: readonly unknown[]): StoredTensor {
  if (!(args[0] instanceof StoredTensor)) throw new PickleError('a parameter has no tensor')
  return args[0]
}

function naturalNumbers(values: unknown): number[] {
  if (!Array.isArray(values)) throw new PickleError('the shape of a tensor is broken')
  return values.map((value: unknown) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > 2 ** 40)
      throw new PickleError('the shape of a tensor is broken')
    return value
  })
}

/** ('storage', type, key, location, element count[, view of another storage]). */
function storageOf(id: unknown): StorageReference {
  if (!Array.isArray(id) || id[0] !== 'storage')
    throw new PickleError('it refers to something that is no storage')
  const [, type, key, , count, view] = id as unknown[]
  const elements = [...elementTypes.values()].find((candidate) => candidate === type)
  if (elements === undefined) throw new PickleError('the type of a storage is not known')
  if (typeof key !== 'string' || !/^[\w.-]{1,64}$/.test(key)) throw new PickleError('a storage has no name')
  if (view !== undefined && view !== null)
    throw new PickleError('a storage that views another one is not supported')
  const [size] = naturalNumbers([count])
  return new StorageReference(key, elements, size ?? 0)
}
