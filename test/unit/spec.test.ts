import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { loadSpec, parseSpec, specToYaml, supportedKeys } from '../../src-main/spec/index.ts'
import { editDistance, suggestKey } from '../../src-main/spec/suggest.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-spec-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function specFile(text: string, name = 'spec.yaml'): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

/** The message of the KineoError that `promise` ends with. */
async function failure(promise: Promise<unknown>): Promise<KineoError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(KineoError)
  return error as KineoError
}

function refusal(value: unknown): string {
  try {
    parseSpec(value)
  } catch (error) {
    expect(error).toBeInstanceOf(KineoError)
    return (error as KineoError).describe()
  }
  throw new Error('was accepted')
}

describe('a key that is not given', () => {
  it('has the default of the documentation page', () => {
    const spec = parseSpec({})
    expect(spec.train).toMatchObject({
      seed: 1234,
      num_epochs: 10,
      checkpoint_interval: 1,
      clip_grad_norm: 0,
    })
    expect(spec.train.optim).toMatchObject({ lr: 5e-4, momentum: 0.9, weight_decay: 5e-4, lr_decay: 0.1 })
    expect(spec.dataset).toMatchObject({ batch_size: 32, workers: 8, clips_per_video: 1, label_map: null })
    expect(spec.dataset.augmentation_config).toEqual({
      train_crop_type: 'random_crop',
      horizontal_flip_prob: 0.5,
      rgb_input_mean: [0.485, 0.456, 0.406],
      rgb_input_std: [0.229, 0.224, 0.225],
      of_input_mean: [0.5],
      of_input_std: [0.5],
      val_center_crop: false,
      crop_smaller_edge: 256,
      scales: [1],
      flip_label_map: {},
      flip_negate_u: true,
      color_jitter: { brightness: 0, contrast: 0, saturation: 0, hue: 0 },
      mixup_alpha: 0,
    })
    expect(spec.evaluate).toMatchObject({ batch_size: 1, video_eval_mode: 'center', video_num_segments: 10 })
  })
})

describe('two spellings', () => {
  it('takes the page names and the code names for the same', () => {
    const page = parseSpec({
      model: { backbone: 'resnet18' },
      dataset: { output_shape: [96, 112], augmentation_config: { of_input_rgb: [0.25] } },
    })
    const code = parseSpec({
      model: { backbone: 'resnet_18', input_height: 96, input_width: 112 },
      dataset: { augmentation_config: { of_input_std: [0.25] } },
    })
    expect(page).toEqual(code)
    expect(page.model.input_height).toBe(96)
  })

  it('refuses two spellings that disagree and takes two that agree', () => {
    expect(refusal({ model: { input_width: 100 }, dataset: { output_shape: [224, 112] } })).toBe(
      'dataset.output_shape: says 112, but model.input_width says 100; keep one of the two',
    )
    expect(
      parseSpec({ model: { input_width: 112 }, dataset: { output_shape: [112, 112] } }).model.input_width,
    ).toBe(112)
  })

  it('lets an override in one spelling win over the file in the other', async () => {
    const path = await specFile('model: {input_height: 224, input_width: 224}')
    const spec = await loadSpec(path, ['dataset.output_shape=[64, 96]'])
    expect([spec.model.input_height, spec.model.input_width]).toEqual([64, 96])
  })
})

describe('overrides', () => {
  it('reads numbers, lists, maps, booleans, null and text as YAML', async () => {
    const spec = await loadSpec(await specFile('evaluate: {checkpoint: a.pth}'), [
      'train.optim.lr=0.1',
      'train.optim.lr_steps=[3, 6]',
      'dataset.label_map={a: 0, b: 1}',
      'dataset.augmentation_config.val_center_crop=true',
      'evaluate.checkpoint=null',
      'results_dir=/tmp/a=b',
    ])
    expect(spec.train.optim).toMatchObject({ lr: 0.1, lr_steps: [3, 6] })
    expect(spec.dataset.label_map).toEqual({ a: 0, b: 1 })
    expect(spec.dataset.augmentation_config.val_center_crop).toBe(true)
    expect(spec.evaluate.checkpoint).toBeNull()
    expect(spec.results_dir).toBe('/tmp/a=b')
  })

  it('replaces the label map as a whole, and adds to it by a full key', async () => {
    const path = await specFile('dataset: {label_map: {x: 0, y: 1}}')
    expect((await loadSpec(path, ['dataset.label_map={a: 0}'])).dataset.label_map).toEqual({ a: 0 })
    expect((await loadSpec(path, ['dataset.label_map.z=2'])).dataset.label_map).toEqual({ x: 0, y: 1, z: 2 })
  })

  it("reads a map as TAO's command line takes it, without spaces", async () => {
    const path = await specFile('')
    const spec = await loadSpec(path, ['dataset.label_map={walk:0,fall:1}'])
    expect(spec.dataset.label_map).toEqual({ walk: 0, fall: 1 })
    const map = '{"a:b": 0, c: 1}'
    expect((await loadSpec(path, [`dataset.label_map=${map}`])).dataset.label_map).toEqual({ 'a:b': 0, c: 1 })
  })

  it('does not repeat the encryption key', async () => {
    const path = await specFile('')
    for (const value of ['12345', '[secret', '!!x secret']) {
      const message = (await failure(loadSpec(path, [`encryption_key=${value}`]))).describe()
      expect(message).toContain('encryption_key=...')
      expect(message).not.toContain(value)
    }
  })

  it('lets the last override of a key win', async () => {
    const spec = await loadSpec(await specFile(''), ['train.seed=1', 'train.seed=2'])
    expect(spec.train.seed).toBe(2)
  })

  it.each(['train.seed', '=3', 'train..seed=1', '.seed=1', 'a b=1'])(
    'refuses %s as wrong usage',
    async (text) => {
      const error = await failure(loadSpec(await specFile(''), [text]))
      expect(error.code).toBe('usage')
      expect(error.describe()).toContain(text)
    },
  )

  it('names the override in a problem that it caused', async () => {
    const error = await failure(loadSpec(await specFile('train: {seed: 3}'), ['train.num_epochs=0']))
    expect(error.describe()).toBe(
      'override train.num_epochs=0: train.num_epochs: must be a whole number of 1 or more, not 0',
    )
  })

  it('cannot reach the prototype', async () => {
    const error = await failure(loadSpec(await specFile(''), ['__proto__.polluted=1']))
    expect(error.describe()).toContain('__proto__: is not a key of the spec')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('problems', () => {
  it('are reported all at once, each with file, line and key', async () => {
    const path = await specFile('model:\n  backbone: i3d\ntrain:\n  optim:\n    lr: -1\n  nm_epochs: 5\n')
    expect((await failure(loadSpec(path))).describe()).toBe(
      [
        'The experiment spec has 3 problems:',
        `${path}:6: train.nm_epochs: is not a key of the spec; did you mean train.num_epochs?`,
        `${path}:2: model.backbone: i3d is not supported yet (this version: resnet_18, resnet_34, resnet_50, resnet_101, resnet_152)`,
        `${path}:5: train.optim.lr: must be above 0, not -1`,
      ].join('\n  '),
    )
  })

  it.each([
    [
      { model: { backbone: 'i3d' } },
      'model.backbone: i3d is not supported yet (this version: resnet_18, resnet_34, resnet_50, resnet_101, resnet_152)',
    ],
    [
      { model: { imagenet_pretrained: true } },
      'model.imagenet_pretrained: true is not supported. Kineo downloads nothing: give the .pth of torchvision as model.rgb_pretrained_model_path',
    ],
    [
      { train: { checkpoint_interval_unit: 'step' } },
      'train.checkpoint_interval_unit: step is not supported. Give train.checkpoint_interval in epochs',
    ],
    [
      { train: { num_nodes: 2 } },
      'train.num_nodes: 2 is not supported. This version uses the machine that it runs on alone',
    ],
    [
      { evaluate: { trt_engine: 'a.engine' } },
      'evaluate.trt_engine: a.engine is not supported. Give a checkpoint; a TensorRT engine cannot be opened here',
    ],
  ])('%j is refused by name', (value, message) => {
    expect(refusal(value)).toBe(message)
  })

  it('accepts keys of a dumped experiment.yaml that change no result', () => {
    const spec = parseSpec({
      encryption_key: null,
      wandb: { enable: true, project: 'TAO Toolkit', tags: ['training'] },
      model: { imagenet_pretrained: false },
      train: { num_nodes: 1, cudnn: { benchmark: true, deterministic: false } },
      evaluate: null,
      inference: { checkpoint: '???', inference_dataset_dir: '??', trt_engine: '' },
    })
    expect(spec).toEqual(parseSpec({}))
  })

  it.each([
    [
      { dataset: { label_map: { a: 0, b: 2 } } },
      'must give every class its own index, counting from 0 without gaps',
    ],
    [{ dataset: { label_map: ['a'] } }, 'must be a map from class name to index'],
    [
      { dataset: { augmentation_config: { rgb_input_mean: [1, 2] } } },
      'must be a list of 1 or 3 numbers, not [1,2]',
    ],
    [
      { dataset: { augmentation_config: { of_input_std: [0] } } },
      'must be a list of 1 or 2 numbers above 0, not [0]',
    ],
    [{ dataset: { output_shape: 224 } }, 'must be a list of height and width'],
    [
      { model: { input_height: 300, input_width: 280 } },
      'must be at least the input size (300 x 280) to crop from, not 256',
    ],
    [{ train: 3 }, 'train: must be a group of keys, not 3'],
    [{ train: { optim: { lr: '1e' } } }, 'must be above 0, not 1e'],
    [
      { model: { backbone: 'vgg' } },
      'must be resnet_18, resnet_34, resnet_50, resnet_101 or resnet_152, not vgg',
    ],
    [{ dataset: { augmentation_config: { val_center_crop: 'maybe' } } }, 'must be true or false, not maybe'],
    [{ dataset: { augmentation_config: { scales: [0] } } }, 'a list of numbers above 0, not [0]'],
    [{ train: { gpu_ids: [] } }, 'must be a list of GPU numbers, such as [0], not []'],
    [
      { dataset: { augmentation_config: { color_jitter: { hue: 0.6 } } } },
      'color_jitter.hue: must be from 0 to 0.5, not 0.6',
    ],
    [{ train: { freeze_stages: 6 } }, 'must be a whole number from 0 to 5, not 6'],
    [
      { train: { class_weights: { a: 0 } } },
      'must be none, balanced, or a map from class name to a weight above 0',
    ],
    [{ train: { label_smoothing: 1 } }, 'must be 0 or more and below 1, not 1'],
    [{ dataset: { train_dataset_dir: 5 } }, 'dataset.train_dataset_dir: must be a path, not 5'],
  ])('%j is refused with its reason', (value, message) => {
    expect(refusal(value)).toContain(message)
  })

  it('do not quote the encryption key', () => {
    expect(refusal({ encryption_key: 12345678 })).toBe('encryption_key: must be text; put it in quotes')
  })

  it('tells of a spec that is not there', async () => {
    const error = await failure(loadSpec(join(folder, 'missing.yaml')))
    expect(error.code).toBe('spec')
    expect(error.describe()).toContain('missing.yaml')
  })
})

it('writes YAML that reads back to the same spec', async () => {
  const spec = parseSpec({
    model: { model_type: 'of', sample_strategy: 'random_interval', dropout_ratio: 0 },
    dataset: { label_map: { '1': 0, 'über: x': 1, yes: 2 }, output_shape: [112, 96] },
    train: { optim: { lr: 1e-7 } },
  })
  expect(await loadSpec(await specFile(specToYaml(spec)))).toEqual(spec)
})

it('counts the slips of a typist and finds a name under another section', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('tarin', 'train')).toBe(1)
  expect(editDistance('ca', 'abc')).toBe(3)
  expect(suggestKey('tarin', supportedKeys())).toBe('train')
  expect(editDistance('', 'abc')).toBe(3)
  expect(suggestKey('train.lr', supportedKeys())).toBe('train.optim.lr')
  expect(suggestKey('model.of_input_mean', supportedKeys())).toBe('dataset.augmentation_config.of_input_mean')
  expect(suggestKey('qqqqqqqq', supportedKeys())).toBeUndefined()
})

it('writes YAML without the encryption key, in which PyYAML, too, reads every class name as text', () => {
  const text = specToYaml(parseSpec({ encryption_key: 'secret', dataset: { label_map: { yes: 0, off: 1 } } }))
  expect(text).not.toContain('secret')
  expect(text).toContain('"yes": 0')
  expect(text).toContain('"off": 1')
})
