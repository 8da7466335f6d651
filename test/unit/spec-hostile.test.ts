import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { describeError, KineoError } from '../../src-main/core/errors.ts'
import { loadSpec } from '../../src-main/spec/index.ts'
import { largestSpecBytes } from '../../src-main/spec/read-text.ts'

// Judged within seconds each; a loaded machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-hostile-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function written(content: string | Uint8Array): Promise<string> {
  const path = join(folder, 'spec.yaml')
  await writeFile(path, content)
  return path
}

/** What is told about a spec with this content, without the folder's name. */
async function told(content: string | Uint8Array, overrides: string[] = []): Promise<string> {
  const path = await written(content)
  const error: unknown = await loadSpec(path, overrides).then(
    () => expect.fail('was accepted'),
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(KineoError)
  return describeError(error).replaceAll(`${folder}/`, '')
}

describe('how a spec is written', () => {
  it.each([
    ['a byte order mark', '\ufefftrain:\n  seed: 7\n'],
    ['lines that end as in Windows', 'train:\r\n  seed: 7\r\n'],
    ['no line end', 'train: {seed: 7}'],
    ['JSON', '{"train": {"seed": 7}}'],
    [
      'anchors and merged groups',
      'evaluate: &eight {batch_size: 8}\ninference:\n  <<: *eight\ntrain: {seed: 7}',
    ],
  ])('%s does not matter', async (_, text) => {
    expect((await loadSpec(await written(text))).train.seed).toBe(7)
  })

  it('class names keep their text, whatever YAML would make of them', async () => {
    const names = ['01', '1.0', 'yes', 'No', 'null', '~', 'True', '1e3', '0x10', '2024-01-01']
    const text = `dataset:\n  label_map:\n${names.map((name, i) => `    ${name}: ${i}`).join('\n')}\n`
    expect(Object.keys((await loadSpec(await written(text))).dataset.label_map ?? {}).sort()).toEqual(
      names.sort(),
    )
  })

  it('a list may stand below its key as on the page', async () => {
    const spec = await loadSpec(await written('dataset:\n  output_shape:\n  - 112\n  - 96\n'))
    expect([spec.model.input_height, spec.model.input_width]).toEqual([112, 96])
  })

  it.each([
    ['yes', true],
    ['Off', false],
    ['False', false],
  ])('%s is a flag, as in PyYAML', async (word, expected) => {
    const spec = await loadSpec(await written(`train: {save_best: ${word}}\ndataset: {val_dataset_dir: v}`))
    expect(spec.train.save_best).toBe(expected)
  })
})

describe('a spec that cannot be read is told why', () => {
  it.each([
    [
      'a tab',
      'train:\n\tseed: 7\n',
      'spec.yaml:2: is indented with a tab, which YAML does not take; use spaces',
    ],
    [
      'a doubled key',
      'train:\n  seed: 1\n  seed: 2\n',
      'spec.yaml:3: train.seed: is given twice, first in line 2',
    ],
    ['two documents', 'train: {}\n---\nmodel: {}\n', 'a second document begins at ---'],
    ['a Python object', 'results_dir: !!python/object/apply:os.system [ls]\n', 'spec.yaml:1: Unresolved tag'],
    ['an anchor that is not there', 'train: *nowhere\n', 'spec.yaml: Unresolved alias'],
    ['a list', '- train\n', 'spec.yaml: an experiment spec is a map of keys'],
    ['an open bracket', 'train: [[[[\n', 'Mend the YAML'],
    ['a key that is a list', '? [a, b]\n: 1\n', 'spec.yaml:1: '],
    [
      'UTF-16',
      Buffer.from('\ufefftrain: {}', 'utf16le'),
      'is not UTF-8 but UTF-16: spec.yaml. Save it as UTF-8',
    ],
    ['Latin-1', Buffer.from('results_dir: /d\xfcr', 'latin1'), 'is not UTF-8 text: spec.yaml'],
    ['zero bytes', Buffer.from('train: \0'), 'is not UTF-8 text: spec.yaml'],
    ['a large file', Buffer.alloc(largestSpecBytes + 1, 0x20), 'is larger than 256 KiB: spec.yaml'],
  ])('%s', async (_, content, expected) => {
    expect(await told(content)).toContain(expected)
  })

  it('a folder, and a file without an end', async () => {
    const message = async (path: string): Promise<string> =>
      loadSpec(path).then(() => 'was accepted', describeError)
    expect(await message(folder)).toContain('The experiment spec is a folder')
    if (process.platform === 'linux') expect(await message('/dev/zero')).toContain('is larger than 256 KiB')
  })

  it('a doubled key together with all else', async () => {
    expect(await told('train:\n  seed: 1\n  seed: 2\n  nm_epochs: 3\n')).toMatch(
      /2 problems:\n.*twice.*\n.*num_epochs/,
    )
  })
})

/** Fills the largest size that is read. */
const full = (unit: string): string => unit.repeat(Math.floor((largestSpecBytes - 100) / unit.length))

describe('YAML made to exhaust its reader ends with a message', () => {
  const level = (name: string, below: string): string =>
    `${name}: &${name} [${Array.from({ length: 9 }, () => `*${below}`).join(', ')}]`
  const bomb = [
    'a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]',
    level('b', 'a'),
    level('c', 'b'),
    level('d', 'c'),
    level('e', 'd'),
  ]
  const steps = Array.from({ length: 700 }, (_, depth) => `${' '.repeat(depth)}a:`)

  it.each([
    ['an alias bomb', bomb.join('\n'), 'repeats its anchors'],
    ['an alias of itself', 'train: &a {optim: *a}\n', 'nested too deeply'],
    ['brackets that open', full('['), 'nested too deeply'],
    ['brackets that close again', '['.repeat(60_000) + ']'.repeat(60_000), 'nested too deeply'],
    ['maps in maps', full('{a: '), 'nested too deeply'],
    ['lists in lists', full('- '), 'nested too deeply'],
    ['keys of keys', full('? '), 'nested too deeply'],
    ['a staircase', steps.join('\n'), 'nested too deeply'],
    ['anchors on anchors', `train: ${'&a '.repeat(5000)}`, 'A node can have at most one anchor'],
    ['commas', `train: [${','.repeat(10_000)}]`, 'Unexpected'],
    ['more commas', `train: [${full(',')}]`, 'too large'],
  ])('%s', async (_, text, expected) => {
    expect(await told(text)).toContain(expected)
  })

  it('keys without end: the first are told, the rest counted', async () => {
    const count = 5000
    const message = await told(Array.from({ length: count }, (_, i) => `key_${i}: 1`).join('\n'))
    expect(message.split('\n')).toHaveLength(32)
    expect(message).toContain(`and ${count - 30} more problems`)
  })

  it('a key as long as the file', async () => {
    expect((await told(`? ${full('a')}\n: 1\n`)).length).toBeLessThan(1000)
  })

  it('one doubled key after the other', async () => {
    expect(await told('a: 1\n'.repeat(5000))).toContain('spec.yaml:2: a: is given twice, first in line 1')
  })
})

describe('text from a spec cannot steer the terminal', () => {
  it.each([
    ['a key', '"a\\e[31m": 1\n'],
    ['a value', 'model: {backbone: "\\e]0;title\\a"}\n'],
    ['a class name', 'dataset: {label_map: {a: 0}}\ntrain: {class_weights: {"\\e[2J": 1}}\n'],
  ])('in %s', async (_, text) => {
    // eslint-disable-next-line no-control-regex -- these are the characters that must not come through
    expect(await told(text)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })

  it('in an override', async () => {
    expect(await told('', ['train.seed=\u001b[31m'])).not.toContain('\u001b')
  })
})

describe('overrides made to exhaust', () => {
  it.each([[`${'a.'.repeat(50_000)}b=1`], [`train.seed=${'['.repeat(50_000)}`]])(
    'end with a message, %#',
    async (text) => {
      const message = await told('', [text])
      expect(message.length).toBeLessThan(1000)
    },
  )
})

it('reads a spec from a pipe', () => {
  if (process.platform === 'win32') return
  const launcher = fileURLToPath(new URL('../../src-main/cli/kineo.mjs', import.meta.url))
  const command = `printf 'train: {seed: 7}' | "${process.execPath}" "${launcher}" spec check -e /dev/stdin`
  expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' })).toContain('ok: /dev/stdin can be used.')
})
