import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeFileAtomic } from '../../src-main/core/atomic-file.ts'
import { KineoError } from '../../src-main/core/errors.ts'
import { readCheckpoint, writeCheckpoint, type Checkpoint } from '../../src-main/engine/checkpoint/index.ts'
import { inTorchOrder } from '../../src-main/engine/checkpoint/parameter-order.ts'
import { storedZip, type ZipEntry } from '../../src-main/engine/checkpoint/zip-writer.ts'
import type { NetworkConfig } from '../../src-main/engine/index.ts'
import { stateEntries } from '../../src-main/engine/nets/parameters.ts'
import type { Tensor, TensorMap } from '../../src-main/engine/tensor.ts'
import { parameter, uniform } from '../fixtures/torch/deterministic.ts'

const fixtures = join(import.meta.dirname, '../fixtures/torch/files')
const network: NetworkConfig = {
  modelType: 'of',
  backbone: 'resnet_18',
  inputType: '2d',
  rgbSequenceLength: 3,
  ofSequenceLength: 10,
  height: 112,
  width: 96,
  classCount: 2,
  dropoutRatio: 0.25,
  fusionFeatures: 64,
}

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-checkpoint-'))
  path = join(folder, 'model.pth')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function writeStoredZip(target: string, entries: readonly ZipEntry[]): Promise<void> {
  await writeFileAtomic(target, storedZip(target, entries))
}

function float32(name: string, ...shape: number[]): Tensor {
  return { dtype: 'float32', shape, data: uniform(name, shape) }
}

function smallCheckpoint(): Checkpoint {
  const parameters: TensorMap = new Map([
    ['fc_cls.weight', float32('a', 2, 4)],
    ['fc_cls.bias', float32('b', 2)],
    ['bn1.num_batches_tracked', { dtype: 'int64', shape: [], data: BigInt64Array.of(12n) } satisfies Tensor],
    ['bn1.running_mean', float32('c', 4)],
    ['bn1.weight', float32('d', 4)],
    ['conv1.weight', float32('e', 4, 3, 1, 1)],
  ])
  return {
    parameters,
    momentum: new Map([['fc_cls.weight', float32('momentum', 2, 4)]]),
    epoch: 4,
    globalStep: 3_000_000_000,
    network,
    classNames: ['wave', 'Grüße'],
    optimizer: { learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 },
    extra: { seed: 1234, schedule: { milestones: [5, 15], best: 0.25 }, note: null, done: true },
  }
}

describe('a checkpoint of Kineo', () => {
  test('comes back as it was written, in the order of torch', async () => {
    const checkpoint = smallCheckpoint()
    await writeCheckpoint(path, checkpoint)
    const read = await readCheckpoint(path)
    expect(read).toEqual(checkpoint)
    expect([...read.parameters.keys()]).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.running_mean',
      'bn1.num_batches_tracked',
      'fc_cls.weight',
      'fc_cls.bias',
    ])
  })

  test('comes back without momentum, network and class names when it has none', async () => {
    const { parameters } = smallCheckpoint()
    await writeCheckpoint(path, { parameters, momentum: new Map(), epoch: 0, globalStep: 0, extra: {} })
    const read = await readCheckpoint(path)
    expect(read.momentum.size).toBe(0)
    expect(read.network).toBeUndefined()
    expect(read.classNames).toBeUndefined()
    expect(read.extra).toEqual({})
  })

  test('is the same file for the same content', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    await writeCheckpoint(join(folder, 'again.pth'), smallCheckpoint())
    expect(await readFile(path)).toEqual(await readFile(join(folder, 'again.pth')))
  })

  test('holds its tensors stored, at multiples of 64 bytes, as torch maps them into memory', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    const file = await readFile(path)
    const weights = Buffer.from(uniform('a', [2, 4]).buffer)
    expect(file.indexOf(weights) % 64).toBe(0)
    expect(file.indexOf(weights)).toBeGreaterThan(0)
  })

  test('replaces the older file only when it is whole', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    const before = await readFile(path)
    const broken = smallCheckpoint()
    broken.parameters.set('fc_cls.bias', { dtype: 'float32', shape: [3], data: new Float32Array(2) })
    await expect(writeCheckpoint(path, broken)).rejects.toThrow('broken')
    expect(await readFile(path)).toEqual(before)
    expect(await readdir(folder)).toEqual(['model.pth'])
  })

  test('refuses momentum that belongs to no weight', async () => {
    const checkpoint = smallCheckpoint()
    checkpoint.momentum.set('bn1.running_mean', float32('x', 4))
    await expect(writeCheckpoint(path, checkpoint)).rejects.toThrow('bn1.running_mean')
  })

  test('of a whole ResNet18 with momentum is written in about a second and back to the bit', async () => {
    const parameters: TensorMap = new Map()
    const momentum: TensorMap = new Map()
    for (const { name, shape, kind } of stateEntries({ ...network, ofSequenceLength: 3 })) {
      parameters.set(name, parameter(name, shape))
      if (kind === 'weight') momentum.set(name, parameter(`${name}.momentum`, shape))
    }
    const start = performance.now()
    await writeCheckpoint(path, { parameters, momentum, epoch: 0, globalStep: 1, extra: {} })
    const written = performance.now()
    const read = await readCheckpoint(path)
    console.log(
      `checkpoint of ResNet18: written in ${Math.round(written - start)} ms, ` +
        `read in ${Math.round(performance.now() - written)} ms`,
    )
    // A second on a machine of its own; others may be at work here.
    expect(written - start).toBeLessThan(10_000)
    expect(read.parameters.size).toBe(parameters.size)
    for (const [name, tensor] of parameters)
      expect(sameBits(read.parameters.get(name), tensor), name).toBe(true)
    for (const [name, tensor] of momentum) expect(sameBits(read.momentum.get(name), tensor), name).toBe(true)
    // The engine lists its tensors in torch's order as well.
    expect([...read.parameters.keys()]).toEqual([...parameters.keys()])
  })
})

test('names are ordered as torch registers them', () => {
  const names = [
    'fc_cls.bias',
    'layer10.0.x',
    'layer1.10.conv1.weight',
    'layer1.2.downsample.1.bias',
    'bn1.weight',
  ]
  names.push('layer1.2.bn2.weight', 'layer1.2.downsample.0.weight', 'conv1.weight', 'fc_cls.weight')
  expect(inTorchOrder(names)).toEqual([
    'conv1.weight',
    'bn1.weight',
    'layer1.2.bn2.weight',
    'layer1.2.downsample.0.weight',
    'layer1.2.downsample.1.bias',
    'layer1.10.conv1.weight',
    'fc_cls.weight',
    'fc_cls.bias',
    'layer10.0.x',
  ])
})

describe('a file that PyTorch 1.13 wrote', () => {
  test('opens with weights, momentum and settings when Lightning saved it', async () => {
    const read = await readCheckpoint(join(fixtures, 'lightning.pth'))
    expect(read.epoch).toBe(3)
    expect(read.globalStep).toBe(2 ** 33)
    expect(read.optimizer).toEqual({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 })
    expect(read.network).toBeUndefined()
    expect(read.parameters.get('bn1.num_batches_tracked')).toEqual({
      dtype: 'int64',
      shape: [],
      data: BigInt64Array.of(2n),
    })
    expect([...read.momentum.keys()]).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'fc_cls.weight',
      'fc_cls.bias',
    ])
    expect(read.momentum.get('conv1.weight')?.shape).toEqual([4, 6, 3, 3])
    // Gradient and decay add up to 1 and then 0.5, so the momentum is 0.9 + 0.5, and the weight moved by 1 and 1.4.
    for (const value of read.momentum.get('conv1.weight')!.data) expect(Number(value)).toBeCloseTo(1.4, 5)
    const start = uniform('model.conv1.weight', [4, 6, 3, 3])
    const end = read.parameters.get('conv1.weight')!.data
    start.forEach((value, i) => expect(Number(end[i])).toBeCloseTo(value - 0.024, 5))
  })

  test.each(['types.pth', 'types-before-1.6.pth', 'types-compressed.pth'])(
    'gives every number type and stride in %s',
    async (file) => {
      const { parameters, epoch, momentum } = await readCheckpoint(join(fixtures, file))
      const values = uniform('values', [3, 5])
      const at = (row: number, column: number): number => values[row * 5 + column]!
      const floats = (name: string): number[] => [...(parameters.get(name)!.data as Float32Array)]
      const integers = (name: string): bigint[] => [...(parameters.get(name)!.data as BigInt64Array)]
      expect(epoch).toBe(-1)
      expect(momentum.size).toBe(0)
      expect(floats('float32')).toEqual([...values])
      expect(floats('float64')).toEqual([...values].map((value) => Math.fround(value / 3)))
      floats('float16').forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThan(2 ** -11))
      floats('bfloat16').forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThan(2 ** -8))
      expect(floats('half_specials')).toEqual([Infinity, -Infinity, 2 ** -24, 65504, -0])
      expect(integers('int64')).toEqual([2n ** 40n, -1n])
      for (const name of ['int32', 'int16', 'int8']) expect(integers(name)).toEqual([-7n, 8n])
      expect(integers('uint8')).toEqual([200n])
      expect(integers('bool')).toEqual([1n, 0n])
      expect(parameters.get('scalar')).toEqual({ dtype: 'int64', shape: [], data: BigInt64Array.of(3n) })
      expect(parameters.get('empty')).toEqual({ dtype: 'float32', shape: [0, 4], data: new Float32Array() })
      expect(parameters.get('transposed')!.shape).toEqual([5, 3])
      expect(floats('transposed')).toEqual([...values].map((_, i) => at(i % 3, Math.floor(i / 3))))
      expect(floats('row')).toEqual([...values.subarray(5, 10)])
      expect(floats('column')).toEqual([at(0, 2), at(1, 2), at(2, 2)])
      expect(floats('channels_last')).toEqual([...uniform('images', [2, 3, 4, 5])])
      expect(floats('parameter')).toEqual([...values].map((value) => Math.fround(value + 1)))
    },
  )

  test("opens when torchvision's training script saved it from several devices", async () => {
    const read = await readCheckpoint(join(fixtures, 'torchvision-training.pth'))
    expect(read.parameters).toEqual(new Map([['fc.weight', float32('fc', 2, 3)]]))
    expect(read.epoch).toBe(7)
  })
})

describe('a zip64 file', () => {
  test('opens', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    await writeFile(
      path,
      asZip64(await readFile(path), (offset) => offset),
    )
    expect(await readCheckpoint(path)).toEqual(smallCheckpoint())
  })

  test.each([2n ** 63n, 2n ** 40n, 0n])(
    'whose directory is said to stand at %d is refused',
    async (wrong) => {
      await writeCheckpoint(path, smallCheckpoint())
      await writeFile(
        path,
        asZip64(await readFile(path), () => wrong),
      )
      await expect(readCheckpoint(path)).rejects.toThrow(KineoError)
    },
  )
})

describe('refuses, with a reason and without running anything,', () => {
  async function refusal(file: string): Promise<string> {
    const error: unknown = await readCheckpoint(file).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(KineoError)
    expect((error as KineoError).code).toBe('input')
    expect((error as KineoError).where).toBe(file)
    expect((error as KineoError).remedy).toBeTruthy()
    return (error as KineoError).message
  }

  async function refusedPickle(
    text: string,
    others: { name: string; data: Uint8Array }[] = [],
  ): Promise<string> {
    const entries = [{ name: 'archive/data.pkl', data: Buffer.from(text, 'latin1') }, ...others]
    await writeStoredZip(path, entries)
    return await refusal(path)
  }

  /** `{'w': tensor}` with a float storage of `count` elements and the given tuples of offset, shape and stride. */
  function tensorPickle(count: number, offset: string, shape: string, stride: string): string {
    const storage = `((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu${int(count)}tQ`
    return `\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n${storage}${offset}${shape}${stride}\x89)tRs.`
  }

  function int(value: number): string {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    return `J${bytes.toString('latin1')}`
  }

  test('a missing file', async () => {
    expect(await refusal(join(folder, 'nothing.pth'))).toContain('Cannot open')
  })

  test('an empty file, a picture and an ONNX model', async () => {
    for (const content of ['', '\x89PNG\r\n\x1a\n', '\x08\x08\x12\x05kineo']) {
      await writeFile(path, content, 'latin1')
      expect(await refusal(path)).toContain('not written by torch.save')
    }
  })

  test('a zip file of something else', async () => {
    await writeStoredZip(path, [{ name: 'word/document.xml', data: Buffer.from('<xml/>') }])
    expect(await refusal(path)).toContain('not written by torch.save')
  })

  test('a whole Python module, by the name of its class', async () => {
    expect(await refusal(join(fixtures, 'whole-module.pth'))).toContain('torch.nn.modules.linear.Linear')
  })

  test('an encrypted checkpoint of TAO', async () => {
    expect(await refusal(join(fixtures, 'encrypted.pth'))).toContain('encrypted')
  })

  test('a file without weights', async () => {
    expect(await refusal(join(fixtures, 'no-weights.pth'))).toContain('no weights')
  })

  test('a TorchScript program', async () => {
    const constants = { name: 'archive/constants.pkl', data: Buffer.from('\x80\x02).', 'latin1') }
    expect(await refusedPickle('\x80\x02}.', [constants])).toContain('TorchScript')
  })

  test('storages in big-endian byte order', async () => {
    const order = { name: 'archive/byteorder', data: Buffer.from('big') }
    expect(await refusedPickle('\x80\x02}.', [order])).toContain('byte order')
  })

  test.each([
    ['os system', 'cos\nsystem\nX\x04\0\0\0true\x85R.', 'os.system'],
    ['posix system by its stacked name', '\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.', 'posix.system'],
    ['builtins eval', 'c__builtin__\neval\nX\x011\x85R.', '__builtin__.eval'],
    ['a persistent id that is no storage', 'X\x01\0\0\0aQ.', 'no storage'],
    ['a call of something that is no function', 'N)R.', 'cannot be called'],
    ['an instance (INST)', '(ios\nsystem\n.', '0x69'],
    ['a build of a list', '])b.', 'attributes'],
    ['a text longer than the file', 'X\xff\xff\xff\x7f.', 'ends too early'],
    ['a text of 2^60 bytes', '\x8d\0\0\0\0\0\0\0\x10.', 'ends too early'],
    ['no end', 'N', 'ends too early'],
    ['a value that is not there', '.', 'missing'],
    ['a mark that is not there', 'NNu.', 'mark'],
    ['a memo that is not there', 'h\x05.', 'recalled'],
    ['an unknown protocol', '\x80\x09N.', 'protocol 9'],
    ['a list instead of a dict', ']N0.', 'no weights'],
  ])('a pickle with %s', async (_, pickle, reason) => {
    expect(await refusedPickle(pickle)).toContain(reason)
  })

  test.each([
    ['reaches behind its storage', 4, int(1), `${int(4)}\x85`, `${int(1)}\x85`, 'does not fit'],
    ['is expanded from one number', 4, int(0), `${int(1 << 30)}\x85`, `${int(0)}\x85`, 'does not fit'],
    [
      'has more numbers than can be counted',
      4,
      int(0),
      `${int(1 << 30)}\x85`.repeat(1),
      `${int(1)}\x85`,
      'does not fit',
    ],
    ['has a negative size', 4, int(0), `${int(-1)}\x85`, `${int(1)}\x85`, 'shape'],
    ['has a negative offset', 4, int(-1), `${int(4)}\x85`, `${int(1)}\x85`, 'shape'],
    ['has more axes than strides', 4, int(0), `${int(2)}${int(2)}\x86`, `${int(1)}\x85`, 'shape'],
    ['has a storage that is too short', 1000, int(0), `${int(4)}\x85`, `${int(1)}\x85`, 'bytes instead of'],
  ])('a tensor that %s', async (_, count, offset, shape, stride, reason) => {
    const storage = { name: 'archive/data/0', data: new Uint8Array(16) }
    expect(await refusedPickle(tensorPickle(count, offset, shape, stride), [storage])).toContain(reason)
  })

  test('a tensor whose storage is missing', async () => {
    expect(await refusedPickle(tensorPickle(4, int(0), `${int(4)}\x85`, `${int(1)}\x85`))).toContain(
      'missing',
    )
  })

  test('tensors that share one storage until they are larger than the file', async () => {
    const one = tensorPickle(4096, int(0), `${int(4096)}\x85`, `${int(1)}\x85`).slice(3, -2)
    const many = Array.from({ length: 50 }, (_, i) =>
      one.replace('X\x01\0\0\0w', `X\x02\0\0\0${10 + i}`),
    ).join('')
    const storage = { name: 'archive/data/0', data: new Uint8Array(4 * 4096) }
    expect(await refusedPickle(`\x80\x02}(${many}u.`, [storage])).toContain('larger than the file')
  })

  test("settings of Kineo's that do not fit", async () => {
    await writeCheckpoint(path, { ...smallCheckpoint(), network: { ...network, ofSequenceLength: -1 } })
    expect(await refusal(path)).toContain("Kineo's settings")
  })

  test('every cut of a real file', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    const whole = await readFile(path)
    for (let length = 4; length < whole.length; length += 97) {
      await writeFile(path, whole.subarray(0, length))
      expect(await refusal(path)).toContain('Cannot read the checkpoint')
    }
  })

  test('a flipped bit in a tensor', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    const file = await readFile(path)
    const at = file.indexOf(Buffer.from(uniform('a', [2, 4]).buffer))
    file[at + 5]! ^= 16
    await writeFile(path, file)
    expect(await refusal(path)).toContain('check sum')
  })

  test('any single damaged byte, or reads on where it does not matter, but never crashes', async () => {
    await writeCheckpoint(path, smallCheckpoint())
    const whole = await readFile(path)
    for (let at = 0; at < whole.length; at += 41) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0xff
      await writeFile(path, damaged)
      await readCheckpoint(path).catch((error: unknown) => expect(error).toBeInstanceOf(KineoError))
    }
  })

  test('any single damaged byte in the format before PyTorch 1.6 in the same way', async () => {
    const whole = await readFile(join(fixtures, 'types-before-1.6.pth'))
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0xff
      await writeFile(path, damaged)
      await readCheckpoint(path).catch((error: unknown) => expect(error).toBeInstanceOf(KineoError))
    }
  })

  test('an entry that would unpack to more than it says', async () => {
    await writeFile(path, deflatedZip('archive/data.pkl', Buffer.alloc(1_000_000), 100))
    expect(await refusal(path)).toContain('damaged')
    await writeFile(path, deflatedZip('archive/data.pkl', Buffer.alloc(100), 2 ** 31))
    expect(await refusal(path)).toContain('impossible size')
  })
})

function sameBits(left: Tensor | undefined, right: Tensor): boolean {
  const bytes = ({ data }: Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return left !== undefined && left.shape.join() === right.shape.join() && bytes(left).equals(bytes(right))
}

/** The same zip file with its end record in the form for large files; `move` may falsify where the directory stands. */
function asZip64(file: Buffer, move: (offset: bigint) => bigint): Buffer {
  const end = Buffer.from(file.subarray(-22))
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeBigUInt64LE(BigInt(end.readUInt16LE(8)), 24)
  record.writeBigUInt64LE(BigInt(end.readUInt16LE(10)), 32)
  record.writeBigUInt64LE(BigInt(end.readUInt32LE(12)), 40)
  record.writeBigUInt64LE(move(BigInt(end.readUInt32LE(16))), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(file.length - 22), 8)
  locator.writeUInt32LE(1, 16)
  end.writeUInt32LE(0xffff_ffff, 16)
  return Buffer.concat([file.subarray(0, -22), record, locator, end])
}

/** A zip file with one deflated entry that claims to have `claimedSize` bytes and the right check sum. */
function deflatedZip(name: string, content: Uint8Array, claimedSize: number): Buffer {
  const packed = deflateRawSync(content)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(name.length, 26)
  const central = Buffer.alloc(46)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(8, 10)
  central.writeUInt32LE(crc32(content), 16)
  central.writeUInt32LE(packed.length, 20)
  central.writeUInt32LE(claimedSize, 24)
  central.writeUInt16LE(name.length, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(46 + name.length, 12)
  end.writeUInt32LE(30 + name.length + packed.length, 16)
  return Buffer.concat([local, Buffer.from(name), packed, central, Buffer.from(name), end])
}
