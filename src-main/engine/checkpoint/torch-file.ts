import { KineoError } from '../../core/errors.ts'
import type { ByteSource } from './byte-source.ts'
import { PickleError, readPickle } from './pickle-reader.ts'
import { TensorDecoder, type ReadStorage } from './tensor-decoder.ts'
import { StorageReference, torchPickleHooks } from './torch-pickle.ts'
import { ZipError, ZipReader } from './zip-reader.ts'

const largestPickle = 64 * 2 ** 20
/** Key of an encrypted checkpoint of TAO: names the cipher of the bytes that stand in for the weights. */
export const taoEncryptionKey = 'state_dict_encrypted'
/** The first bytes of torch.save before PyTorch 1.6: protocol 2, then the magic number as LONG1. */
const oldFormatStart = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex')
const saveAgain = "Save the weights in Python with torch.save({'state_dict': model.state_dict()}, path)"

/** The reason why nobody but NVIDIA's own software can open a file. */
export class TaoEncryptionError extends Error {}

/** Whether a file begins as one of torch.save (a zip file, or the format from before PyTorch 1.6). */
export function isTorchFile(start: Uint8Array): boolean {
  return isZip(start) || isOldFormat(start)
}

/**
 * Reads a file of torch.save, in the zip format or in the one from before PyTorch 1.6.
 *
 * @param path Where it stands, for messages and for NVIDIA's endings (.tlt, .etlt).
 * @param use Gets the pickled value (see readPickle; tensors are StoredTensor) and a decoder that works until the
 *   returned promise settles.
 * @throws KineoError (input) when the file is damaged, no PyTorch file, encrypted by TAO, or holds Python objects other
 *   than tensors and plain values.
 */
export async function withTorchFile<T>(
  source: ByteSource,
  path: string,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  try {
    const start = Buffer.from(await source.read(0, 512))
    if (isZip(start)) return await useZip(source, use)
    if (isOldFormat(start)) return await useOldFormat(source, use)
    if (/\.e?tlt$/i.test(path)) throw new TaoEncryptionError()
    if (start.toString('latin1', 257, 262) === 'ustar')
      throw new PickleError('it is in the tar format of PyTorch before 0.1.10')
    throw new PickleError('it was not written by torch.save')
  } catch (error) {
    if (error instanceof TaoEncryptionError) throw taoEncrypted(path)
    if (!(error instanceof PickleError) && !(error instanceof ZipError)) throw error
    throw new KineoError('input', `Cannot read the checkpoint: ${error.message}`, {
      where: path,
      remedy: error instanceof ZipError ? 'Copy or download the file again' : saveAgain,
      cause: error,
    })
  }
}

function isZip(start: Uint8Array): boolean {
  return Buffer.from('PK\x03\x04').equals(start.subarray(0, 4))
}

function isOldFormat(start: Uint8Array): boolean {
  return oldFormatStart.equals(start.subarray(0, oldFormatStart.length))
}

function taoEncrypted(path: string): KineoError {
  return new KineoError(
    'input',
    "The checkpoint is encrypted by TAO, with NVIDIA's closed eff codec, which only TAO itself can open",
    {
      where: path,
      remedy:
        'In TAO, leave encryption_key out when training or exporting, and use the .pth or .onnx of that',
    },
  )
}

async function useZip<T>(
  source: ByteSource,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  const zip = await ZipReader.open(source)
  const pickleName = zip.names().find((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (pickleName === undefined) throw new PickleError('it was not written by torch.save')
  const folder = pickleName.slice(0, -'data.pkl'.length)
  if (zip.has(`${folder}constants.pkl`))
    throw new PickleError('it is a TorchScript program, not a checkpoint')
  if (zip.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode((await zip.read(`${folder}byteorder`)).subarray(0, 16))
    if (order.trim() !== 'little') throw new PickleError(`its byte order is ${order.trim()}`)
  }
  const pickle = await zip.read(pickleName)
  if (pickle.length > largestPickle) {
    // TAO puts the encrypted weights into the list itself.
    if (Buffer.from(pickle.buffer).includes(taoEncryptionKey)) throw new TaoEncryptionError()
    throw new PickleError('its list of tensors is too large')
  }
  const { value } = readPickle(pickle, torchPickleHooks)
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
  return await use(value, new TensorDecoder(readStorage, allBytes))
}

/**
 * Five pickles one after another (magic number, format version, system, the value, the keys of the storages), then for
 * each key the element count as int64 and the elements.
 */
async function useOldFormat<T>(
  source: ByteSource,
  use: (value: unknown, decoder: TensorDecoder) => Promise<T>,
): Promise<T> {
  const whole = Buffer.from((await source.read(0, source.size)).buffer)
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
  return await use(value, new TensorDecoder(readStorage, whole.length))
}
