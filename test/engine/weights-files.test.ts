import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { encryptBytes } from '../../src-main/core/encryption.ts'
import { KineoError } from '../../src-main/core/errors.ts'
import { writeCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import { buildInferenceModel, initialState, type NetworkConfig } from '../../src-main/engine/index.ts'
import { encodeModel, type OnnxNode, type OnnxTensor } from '../../src-main/engine/onnx/model.ts'
import { modelProto } from '../../src-main/engine/onnx/schema.ts'
import { adaptWeights, readWeights, type Weights } from '../../src-main/engine/weights/index.ts'

vi.setConfig({ testTimeout: 300_000 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-weights-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function read(
  name: string,
  content: Uint8Array | string,
  options: { encryptionKey?: string } = {},
): Promise<Weights> {
  const path = join(folder, name)
  await writeFile(path, content)
  return await readWeights(path, options)
}

async function refusal(name: string, content: Uint8Array | string): Promise<KineoError> {
  const error: unknown = await read(name, content).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(KineoError)
  expect((error as KineoError).code).toBe('input')
  expect((error as KineoError).where).toBe(join(folder, name))
  expect((error as KineoError).remedy).toBeTruthy()
  return error as KineoError
}

/** A safetensors file with this header, and so many bytes behind it. */
function safetensors(header: unknown, data: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, data])
}

function entry(dtype: string, shape: number[], start: number, end: number): object {
  return { dtype, shape, data_offsets: [start, end] }
}

describe('a safetensors file', () => {
  test('gives every type of number, without the prefixes of wrappers', async () => {
    const data = Buffer.alloc(64)
    data.writeFloatLE(1.5, 0)
    data.writeDoubleLE(-0.1, 4)
    data.writeUInt16LE(0x3e00, 12)
    data.writeUInt16LE(0xc020, 14)
    data.writeBigInt64LE(-3n, 16)
    data.writeInt32LE(-4, 24)
    data.writeUInt8(255, 28)
    const header = {
      __metadata__: { format: 'pt' },
      'model.single': entry('F32', [1], 0, 4),
      'module.double': entry('F64', [1, 1], 4, 12),
      half: entry('F16', [], 12, 14),
      brain: entry('BF16', [1], 14, 16),
      long: entry('I64', [1], 16, 24),
      int: entry('I32', [1], 24, 28),
      byte: entry('U8', [1], 28, 29),
      empty: entry('F32', [0, 3], 29, 29),
    }
    const { tensors, format } = await read('types.safetensors', safetensors(header, data.subarray(0, 29)))
    expect(format).toBe('safetensors')
    expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([
      ['single', 1.5],
      ['double', Math.fround(-0.1)],
      ['half', 1.5],
      ['brain', -2.5],
      ['long', -3n],
      ['int', -4n],
      ['byte', 255n],
      ['empty'],
    ])
    expect(tensors.get('half')?.shape).toEqual([])
    expect(tensors.get('empty')?.shape).toEqual([0, 3])
  })

  test.each([
    ['lies behind the end', { w: entry('F32', [2], 0, 8) }, 4, 'outside the file'],
    ['ends before it starts', { w: entry('F32', [0], 8, 4) }, 8, 'outside the file'],
    ['has a negative place', { w: entry('F32', [1], -4, 0) }, 8, 'broken'],
    ['has a fraction as its place', { w: entry('F32', [1], 0.5, 4.5) }, 8, 'broken'],
    ['has another shape than bytes', { w: entry('F32', [3], 0, 8) }, 8, 'not its shape'],
    ['is larger than any memory', { w: entry('F32', [2 ** 40, 2 ** 40, 2 ** 40], 0, 8) }, 8, 'not its shape'],
    ['has a negative size', { w: entry('F32', [-1], 0, 8) }, 8, 'broken'],
    ['has an unknown type', { w: entry('F8_E4M3', [8], 0, 8) }, 8, 'F8_E4M3'],
    ['has a type from the prototype', { w: entry('constructor', [8], 0, 8) }, 8, 'constructor'],
    ['shares bytes', { v: entry('F32', [1], 0, 4), w: entry('F32', [1], 2, 6) }, 8, 'shares bytes'],
    ['has no entry', { w: 3 }, 8, 'broken'],
    ['is none', {}, 8, 'no weights'],
  ])('whose tensor %s is refused', async (_, header, bytes, reason) => {
    const error = await refusal('bad.safetensors', safetensors(header, new Uint8Array(bytes)))
    expect(error.message).toContain(reason)
  })

  test('with a broken header, or one longer than the file, is refused', async () => {
    expect((await refusal('a.safetensors', safetensors('{"w": '))).message).toContain('header is broken')
    expect((await refusal('b.safetensors', safetensors('{'.repeat(200_000)))).message).toContain('header')
    const cut = safetensors({ w: entry('F32', [1], 0, 4) }).subarray(0, 20)
    expect((await refusal('c.safetensors', cut)).message).toContain('no weights that Kineo can read')
  })
})

const node: OnnxNode = {
  type: 'Conv',
  name: '/model/conv1/Conv',
  domain: '',
  inputs: ['x', 'onnx::Conv_1', 'onnx::Conv_2'],
  outputs: ['y'],
  attributes: {},
}

function onnx(
  initializers: OnnxTensor[],
  nodes: OnnxNode[] = [],
  metadata: Record<string, string> = {},
): Uint8Array {
  return encodeModel({
    irVersion: 8,
    producerName: 'test',
    producerVersion: '1',
    opsets: { '': 17 },
    metadata,
    graphName: 'g',
    nodes,
    initializers,
    inputs: [],
    outputs: [],
  })
}

function initializer(name: string, shape: number[], data?: Uint8Array): OnnxTensor {
  const count = shape.reduce((product, size) => product * size, 1)
  const bytes = data ?? new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer)
  return { name, type: 'float32', shape, data: bytes }
}

describe('an ONNX model', () => {
  test('of Kineo gives back every weight and the class names, encrypted too', async () => {
    const network: NetworkConfig = {
      modelType: 'of',
      backbone: 'resnet_18',
      inputType: '2d',
      rgbSequenceLength: 3,
      ofSequenceLength: 5,
      height: 32,
      width: 32,
      classCount: 2,
      dropoutRatio: 0,
      fusionFeatures: 64,
    }
    const { parameters } = initialState(network, 3)
    const model = buildInferenceModel(network, parameters, { label_map: '{"run":1,"walk":0}' })
    const plain = await read('model.onnx', model)
    expect(plain.format).toBe('onnx')
    expect(plain.classNames).toEqual(['walk', 'run'])
    expect(plain.notes).toEqual([])
    const adapted = adaptWeights(plain.tensors, network, { rescale: false, keepHead: true })
    expect(adapted.report.random).toEqual([])
    expect(adapted.report.unused).toEqual([])
    for (const [name, tensor] of adapted.parameters)
      expect(tensor.data, name).toEqual(parameters.get(name)?.data)

    const encrypted = await encryptBytes(model, 'key')
    const opened = await read('secret.onnx', encrypted, { encryptionKey: 'key' })
    expect([...opened.tensors.keys()]).toEqual([...plain.tensors.keys()])
    expect((await refusal('secret.onnx', encrypted)).message).toBe('The file is encrypted')
  })

  test('takes numbers from lists and in half precision, and leaves out what is no weight', async () => {
    const message = modelProto.encode({
      irVersion: 8,
      graph: {
        initializer: [
          { name: 'a.weight', dataType: 1, dims: [2], floatData: [1, 2] },
          { name: 'b.weight', dataType: 10, dims: [1], rawData: Uint8Array.of(0x00, 0x3e) },
          { name: 'c.num_batches_tracked', dataType: 7, dims: [], int64Data: [4] },
          { name: 'onnx::Reshape_5', dataType: 7, dims: [2], int64Data: [1, -1] },
          { name: 'd.weight', dataType: 8, dims: [1] },
        ],
      },
    })
    const { tensors } = await read('lists.onnx', message.finish())
    expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([
      ['a.weight', 1, 2],
      ['b.weight', 1.5],
      ['c.num_batches_tracked', 4n],
    ])
  })

  test('whose batch normalisation was folded gives one that does the same, and says so', async () => {
    const parts = [initializer('onnx::Conv_1', [2, 3, 1, 1]), initializer('onnx::Conv_2', [2])]
    const { tensors, notes } = await read('folded.onnx', onnx(parts, [node]))
    expect([...tensors.keys()]).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'bn1.running_mean',
      'bn1.running_var',
    ])
    expect([...tensors.get('bn1.bias')!.data]).toEqual([0, 1])
    expect([...tensors.get('bn1.weight')!.data]).toEqual([1, 1])
    expect(notes.join()).toContain('folded')
  })

  test('whose layers have lost their names is refused', async () => {
    const parts = [initializer('onnx::Conv_1', [2, 3, 1, 1]), initializer('onnx::Conv_2', [2])]
    const nameless = onnx(parts, [{ ...node, name: 'Conv_0' }])
    expect((await refusal('nameless.onnx', nameless)).message).toContain('lost their names')
    expect((await refusal('constants.onnx', onnx([initializer('138', [2])]))).message).toContain(
      'names are lost',
    )
  })

  test('that is damaged is refused', async () => {
    const short = onnx([initializer('conv1.weight', [2, 2], new Uint8Array(12))])
    expect((await refusal('short.onnx', short)).message).toContain('conv1.weight is damaged')
    const whole = onnx([initializer('conv1.weight', [20, 20])])
    expect((await refusal('cut.onnx', whole.subarray(0, whole.length - 100))).message).toContain('damaged')
    const negative = onnx([{ ...initializer('w.weight', [1]), shape: [-1, -1] }])
    expect((await refusal('negative.onnx', negative)).message).toContain('w.weight is damaged')
    const elsewhere = modelProto.encode({
      irVersion: 8,
      graph: { initializer: [{ name: 'w.weight', dataType: 1, dims: [1], dataLocation: 1 }] },
    })
    expect((await refusal('outside.onnx', elsewhere.finish())).message).toContain('another file')
  })
})

describe('a file of weights', () => {
  test('of Kineo is known by what it says of itself', async () => {
    const path = join(folder, 'kineo.pth')
    const parameters = new Map([
      ['fc_cls.bias', { dtype: 'float32' as const, shape: [1], data: Float32Array.of(1) }],
    ])
    await writeCheckpoint(path, {
      parameters,
      momentum: new Map(),
      epoch: 0,
      globalStep: 0,
      classNames: ['a'],
      extra: {},
    })
    expect(await readWeights(path)).toEqual({
      tensors: parameters,
      classNames: ['a'],
      format: 'kineo',
      notes: [],
    })
  })

  test('that is none is refused with what can be read', async () => {
    expect((await refusal('picture.png', '\x89PNG')).remedy).toContain('.safetensors')
    expect((await refusal('empty.onnx', '')).message).toContain('no weights')
    expect((await refusal('text.pth', 'hello')).message).toContain('not written by torch.save')
    expect((await refusal('model.etlt', '\x08\0\0\0abc')).message).toContain('eff codec')
    await expect(readWeights(join(folder, 'missing.pth'))).rejects.toThrow('Cannot open')
    await expect(readWeights(folder)).rejects.toThrow(KineoError)
  })
})
