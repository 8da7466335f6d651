import { open, type FileHandle } from 'node:fs/promises'
import { KineoError } from '../../core/errors.ts'
import { PickleError, readPickle } from './pickle-reader.ts'
import { TensorDecoder, type ReadStorage } from './tensor-decoder.ts'
import { StorageReference, torchPickleHooks } from './torch-pickle.ts'
import { ZipError, ZipReader } from './zip-reader.ts'

const largestPickle = 64 * 2 ** 20
/** The first bytes of torch.save before PyTorch 1.6: protocol 2, then the magic number as LONG1. */
const oldFormatStart = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex')
const saveAgain = "Save the weights in Python with torch.save({'state_dict': model.state_dict()}, path)"

/**
 * Opens a file of torch.save, in the zip format or in the one from before PyTorch 1.6.
 *
 * @param use Gets the pickled value (see readPickle; tensors are StoredTensor) and a decoder that works until the
 *   returned promise settles.
 * @throws KineoError (input) when the file is missing, damaged, no PyTorch file, or holds Python objects other than
 *   tensors and plain values.
 */
export async function withTorchFile<T>(
  path: string,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw new KineoError('input', 'Cannot open the checkpoint', {
      where: path,
      remedy: 'Check that the file exists and may be read',
      cause: error,
    })
  }
  try {
    const start = Buffer.alloc(16)
    const { bytesRead } = await file.read(start, 0, start.length, 0)
    if (bytesRead >= 4 && start.readUInt32LE(0) === 0x04034b50) return await useZip(file, use)
    if (start.subarray(0, oldFormatStart.length).equals(oldFormatStart)) return await useOldFormat(file, use)
    throw new PickleError('it was not written by torch.save')
  } catch (error) {
    if (!(error instanceof PickleError) && !(error instanceof ZipError)) throw error
    throw new KineoError('input', `Cannot read the checkpoint: ${error.message}`, {
      where: path,
      remedy: error instanceof ZipError ? 'Copy or download the file again' : saveAgain,
      cause: error,
    })
  } finally {
    await file.close()
  }
}

async function useZip<T>(
  file: FileHandle,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  const zip = await ZipReader.open(file)
  const pickleName = zip.names().find((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (pickleName === undefined) throw new PickleError('it was not written by torch.save')
  const folder = pickleName.slice(0, -'data.pkl'.length)
  if (zip.has(`${folder}constants.pkl`))
    throw new PickleError('it is a TorchScript program, not a checkpoint')
  if (zip.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode((await zip.read(`${folder}byteorder`)).subarray(0, 16))
    if (order.trim() !== 'little') throw new PickleError(`its byte order is ${order.trim()}`)
  }
  if ((zip.sizeOf(pickleName) ?? 0) > largestPickle) throw new PickleError('its list of tensors is too large')
  const { value } = readPickle(await zip.read(pickleName), torchPickleHooks)
  const readStorage: ReadStorage = async (storage) => {
    const name = `${folder}data/${storage.key}`
    const wanted = storage.count * storage.elements.bytes
    const size = zip.sizeOf(name)
    if (size === undefined) throw new PickleError(`storage ${storage.key} is missing`)
    if (size !== wanted)
      throw new PickleError(`storage ${storage.key} has ${size} bytes instead of ${wanted}`)
    return await zip.read(name)
  }
  const allBytes = zip.names().reduce((sum, name) => sum + (zip.sizeOf(name) ?? 0), 0)
  return await use(value, new TensorDecoder(readStorage, 4 * allBytes))
}

/**
 * Five pickles one after another (magic number, format version, system, the value, the keys of the storages), then for
 * each key the element count as int64 and the elements.
 */
async function useOldFormat<T>(
  file: FileHandle,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  const whole = Buffer.alloc((await file.stat()).size)
  let filled = 0
  while (filled < whole.length) {
    const { bytesRead } = await file.read(whole, filled, whole.length - filled, filled)
    if (bytesRead === 0) throw new PickleError('it ends too early')
    filled += bytesRead
  }
  const storages = new Map<string, StorageReference>()
  const hooks = {
    resolve: torchPickleHooks.resolve,
    persistent: (id: unknown) => {
      const storage = torchPickleHooks.persistent(id)
      if (storage instanceof StorageReference) storages.set(storage.key, storage)
      return storage
    },
  }
  let end = 0
  let value: unknown
  let keys: unknown
  for (let part = 0; part < 5; part++) {
    const pickle = readPickle(whole, hooks, end)
    if (part === 2 && pickle.value instanceof Map && pickle.value.get('little_endian') === false)
      throw new PickleError('its byte order is big')
    if (part === 3) value = pickle.value
    if (part === 4) keys = pickle.value
    end = pickle.end
  }
  if (!Array.isArray(keys)) throw new PickleError('the list of its storages is missing')
  const contents = new Map<string, Uint8Array>()
  for (const key of keys as unknown[]) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined
    if (storage === undefined) throw new PickleError('the list of its storages is broken')
    const size = storage.count * storage.elements.bytes
    if (end + 8 + size > whole.length) throw new PickleError('it ends too early')
    if (whole.readBigInt64LE(end) !== BigInt(storage.count))
      throw new PickleError(`storage ${storage.key} has another size than its tensors`)
    contents.set(storage.key, whole.subarray(end + 8, end + 8 + size))
    end += 8 + size
  }
  const readStorage: ReadStorage = (storage) => {
    const content = contents.get(storage.key)
    if (content === undefined) throw new PickleError(`storage ${storage.key} is missing`)
    return Promise.resolve(Uint8Array.from(content))
  }
  return await use(value, new TensorDecoder(readStorage, 4 * whole.length))
}
