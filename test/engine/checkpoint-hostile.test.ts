import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { readCheckpoint, writeCheckpoint, type Checkpoint } from '../../src-main/engine/checkpoint/index.ts'
import { storedZip, type ZipEntry } from '../../src-main/engine/checkpoint/zip-writer.ts'

vi.setConfig({ testTimeout: 300_000 })

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-hostile-'))
  path = join(folder, 'model.pth')
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function refusal(file: string, options: { encryptionKey?: string } = {}): Promise<string> {
  const error: unknown = await readCheckpoint(file, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(KineoError)
  expect((error as KineoError).code).toBe('input')
  expect((error as KineoError).where).toBe(file)
  expect((error as KineoError).remedy).toBeTruthy()
  return (error as KineoError).message
}

async function writePickled(
  pickle: string | Buffer,
  storages: readonly ZipEntry[] = [],
  target = path,
): Promise<void> {
  const data = typeof pickle === 'string' ? Buffer.from(pickle, 'latin1') : pickle
  await writeFile(
    target,
    Buffer.concat([...storedZip(target, [{ name: 'archive/data.pkl', data }, ...storages])]),
  )
}

async function refusedPickle(pickle: string | Buffer): Promise<string> {
  await writePickled(pickle)
  return await refusal(path)
}

/** A zip file of deflated entries that claim any size; `offsets` may send two entries to one place. */
function deflatedZip(
  entries: { name: string; packed: Buffer; size: number; crc: number; offset?: number }[],
): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, packed, size, crc, offset } of entries) {
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(8, 10)
    central.writeUInt32LE(crc, 16)
    central.writeUInt32LE(packed.length, 20)
    central.writeUInt32LE(size, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(offset ?? at, 42)
    directory.push(central, Buffer.from(name))
    if (offset !== undefined) continue
    parts.push(local, Buffer.from(name), packed)
    at += 30 + name.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, ...directory, end])
}

function packedEntry(
  name: string,
  content: Buffer,
): { name: string; packed: Buffer; size: number; crc: number } {
  return { name, packed: deflateRawSync(content), size: content.length, crc: crc32(content) }
}

describe('a pickle that asks for Python', () => {
  test.each([
    'builtins.getattr',
    'builtins.exec',
    '__builtin__.compile',
    'subprocess.Popen',
    'functools.partial',
    'torch.load',
    'torch.hub.load',
    'torch.nn.modules.container.Sequential',
    'numpy.core.multiarray._reconstruct',
    'operator.attrgetter',
    'copyreg._reconstructor',
    'importlib.import_module',
  ])('is refused when it names %s, called or made, old or new', async (name) => {
    const [, module = '', attribute = ''] = /^(.*)\.(\w+)$/.exec(name)!
    const text = (value: string): string => `\x8c${String.fromCharCode(value.length)}${value}`
    for (const call of ['R', '\x81', '']) {
      expect(await refusedPickle(`\x80\x02c${module}\n${attribute}\n)${call}.`)).toContain(name)
      expect(await refusedPickle(`\x80\x04${text(module)}${text(attribute)}\x93)${call}.`)).toContain(name)
    }
  })

  test.each([
    ['INST', '(ios\nsystem\n'],
    ['OBJ', '(o'],
    ['PERSID', 'Pos\n'],
    ['EXT1', '\x82\x01'],
    ['NEWOBJ_EX', '\x92'],
    ['LONG4', '\x8b\xff\xff\xff\x7f'],
    ['BYTEARRAY8', '\x96\0\0\0\0\0\0\0\x7f'],
    ['NEXT_BUFFER', '\x97'],
    ['(0xf0)', '\xf0'],
  ])('is refused with the name of the opcode %s', async (name, code) => {
    expect(await refusedPickle(`\x80\x02${code}.`)).toContain(name)
  })
})

describe('a pickle that wants to fill the memory or the stack is refused', () => {
  test('with millions of values', async () => {
    for (const code of ['}', '('])
      expect(await refusedPickle(code.repeat(2_500_000) + '.')).toContain('too long')
  })

  test('with more bytes than a list of tensors has, packed small', async () => {
    await writeFile(path, deflatedZip([packedEntry('a/data.pkl', Buffer.alloc(65 * 2 ** 20, 'N'))]))
    expect(await refusal(path)).toContain('too large')
  })

  test('with values half a million deep', async () => {
    const deep = 500_000
    expect(await refusedPickle(']'.repeat(deep) + 'a'.repeat(deep - 1) + '.')).toContain('no weights')
    expect(await refusedPickle('('.repeat(deep) + 't'.repeat(deep) + '.')).toContain('no weights')
    expect(await refusedPickle('}'.repeat(deep) + 'N'.repeat(deep) + 's'.repeat(deep - 1) + '.')).not.toBe('')
  })

  test('with a memo that doubles sixty times', async () => {
    let bomb = ']q\0'
    for (let i = 1; i <= 60; i++) {
      const [old, own] = [String.fromCharCode(i - 1), String.fromCharCode(i)]
      bomb += `](h${old}h${old}eq${own}`
    }
    expect(await refusedPickle(`\x80\x02${bomb}.`)).toContain('no weights')
    expect(await refusedPickle(`\x80\x02${bomb}q\x70}X\x01\0\0\0wh\x70s.`)).toContain('no weights')
    // The same list as the shape of a tensor.
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0h\x3ch\x3c\x89)tR`
    expect(await refusedPickle(`\x80\x02${bomb}0}X\x01\0\0\0w${tensor}s.`)).toContain('shape')
  })

  test('with a dict that holds itself', async () => {
    expect(await refusedPickle('}q\0X\x01\0\0\0wh\0s.')).toContain('no weights')
    expect(await refusedPickle('}q\0X\x0a\0\0\0state_dicth\0s.')).toContain('no weights')
  })
})

describe('a zip file', () => {
  const pickle = packedEntry('a/data.pkl', Buffer.from('\x80\x02}.', 'latin1'))

  test('whose entries lie over one another and are more together than the file is refused', async () => {
    const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31) & 0xff))
    const big = packedEntry('a/data/0', noise)
    const copies = Array.from({ length: 9 }, (_, i) => ({ ...big, name: `a/data/${i + 1}`, offset: 0 }))
    await writeFile(path, deflatedZip([big, pickle, ...copies]))
    expect(await refusal(path)).toContain('overlap')
  })

  test('whose entries unpack to gigabytes is refused before any of it is unpacked', async () => {
    const packed = Buffer.alloc(3_000_000)
    await writeFile(path, deflatedZip([pickle, { name: 'a/data/0', packed, size: 2 ** 31, crc: 0 }]))
    expect(await refusal(path)).toContain('too large')
  })

  test('whose entries stand outside of it is refused', async () => {
    await writeFile(
      path,
      deflatedZip([
        { ...pickle, name: 'a/data/0' },
        { ...pickle, offset: 5_000_000 },
      ]),
    )
    expect(await refusal(path)).toContain('cut off')
  })
})

test("a parameter as torch's first versions wrote it is read as its tensor", async () => {
  const storage = `((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02tQ`
  const tensor = `ctorch._utils\n_rebuild_tensor\n${storage}K\0K\x02\x85K\x01\x85tR`
  const pickle = `\x80\x02}X\x01\0\0\0wctorch.nn.parameter\nParameter\n${tensor}\x85R\x88\x89N\x87bs.`
  await writePickled(pickle, [
    { name: 'archive/data/0', data: new Uint8Array(Float32Array.of(1.5, -2).buffer) },
  ])
  const { parameters } = await readCheckpoint(path)
  expect(parameters).toEqual(
    new Map([['w', { dtype: 'float32', shape: [2], data: Float32Array.of(1.5, -2) }]]),
  )
})

test('the settings that frameworks keep beside the weights are passed over, types of fields too', async () => {
  const list = 'c_operator\ngetitem\nctyping\nList\nc__builtin__\nfloat\n\x86R'
  const optional =
    'c_operator\ngetitem\nctyping\nUnion\nc__builtin__\nunicode\nc__builtin__\ntype\nN\x85R\x86\x86R'
  const alias = 'ctypes\nGenericAlias\nc__builtin__\nlist\nc__builtin__\nlong\n\x85\x86R'
  const config = `comegaconf.dictconfig\nDictConfig\n)\x81}(X\x01\0\0\0a${list}X\x01\0\0\0b${optional}X\x01\0\0\0c${alias}ub`
  const tensor = `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0K\x01\x85K\x01\x85\x89)tR`
  const pickle = `\x80\x02}(X\x10\0\0\0hyper_parameters${config}X\x0a\0\0\0state_dict}X\x07\0\0\0model.w${tensor}su.`
  await writePickled(pickle, [{ name: 'archive/data/0', data: new Uint8Array(4) }])
  expect([...(await readCheckpoint(path)).parameters.keys()]).toEqual(['w'])
})

test('the tar format of the first PyTorch is named', async () => {
  const tar = Buffer.alloc(1024)
  tar.write('ustar', 257)
  await writeFile(path, tar)
  expect(await refusal(path)).toContain('tar format')
})

describe('an encrypted checkpoint', () => {
  const checkpoint: Checkpoint = {
    parameters: new Map([['fc_cls.bias', { dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) }]]),
    momentum: new Map(),
    epoch: 1,
    globalStep: 2,
    optimizer: { learningRate: 0.1, momentum: 0.9, weightDecay: 0 },
    classNames: ['a', 'b'],
    extra: {},
  }

  test('of Kineo opens with its key alone, and shows nothing without it', async () => {
    const file = join(folder, 'secret.pth')
    await writeCheckpoint(file, checkpoint, { encryptionKey: 'open sesame' })
    expect(await readCheckpoint(file, { encryptionKey: 'open sesame' })).toEqual(checkpoint)
    expect(await refusal(file)).toContain('is encrypted')
    expect(await refusal(file, { encryptionKey: 'Open sesame' })).toContain('key does not fit')
  })

  test('of Kineo opens without trouble when a key is given that it does not need', async () => {
    await writeCheckpoint(path, checkpoint)
    expect(await readCheckpoint(path, { encryptionKey: 'unused' })).toEqual(checkpoint)
  })

  test('of TAO is refused with the reason, however it is stored', async () => {
    const key = 'X\x14\0\0\0state_dict_encrypted'
    const pickles = [
      `}(X\x0a\0\0\0state_dictC\x04abcd${key}X\x03\0\0\0aesu.`,
      `}(X\x0a\0\0\0state_dictc_codecs\nencode\nX\x02\0\0\0abX\x06\0\0\0latin1\x86Ru.`,
      `}${key}\x88s.`,
    ]
    for (const pickle of pickles) expect(await refusedPickle(`\x80\x02${pickle}`)).toContain('eff codec')
    const large = Buffer.concat([
      Buffer.alloc(65 * 2 ** 20, 'x'),
      Buffer.from('state_dict_encrypted', 'latin1'),
    ])
    await writeFile(path, deflatedZip([packedEntry('a/data.pkl', large)]))
    expect(await refusal(path)).toContain('eff codec')
    for (const ending of ['tlt', 'etlt']) {
      const file = join(folder, `resnet18_3d.${ending}`)
      await writeFile(file, Buffer.from('0011223344556677889900', 'hex'))
      expect(await refusal(file)).toContain('eff codec')
    }
  })

  test('of TAO that is marked as not encrypted opens', async () => {
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0K\x01\x85K\x01\x85\x89)tR`
    const pickle = `\x80\x02}(X\x0a\0\0\0state_dict}X\x07\0\0\0model.w${tensor}sX\x14\0\0\0state_dict_encrypted\x89u.`
    await writePickled(pickle, [{ name: 'archive/data/0', data: new Uint8Array(4) }])
    expect([...(await readCheckpoint(path)).parameters.keys()]).toEqual(['w'])
  })
})
