import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import {
  loadSpec,
  notBuiltKeys,
  otherSpellings,
  parseSpec,
  specToYaml,
  supportedKeys,
} from '../../src-main/spec/index.ts'
import { editDistance, suggestKey } from '../../src-main/spec/suggest.ts'
import { readFileSync } from 'node:fs'

/** The example of TAO 5.5's documentation page, as it stands there. */
const pageExample = `
model:
  model_type: rgb
  backbone: resnet18
  rgb_seq_length: 3
  input_type: 3d
  sample_rate: 1
  dropout_ratio: 0.0
dataset:
  train_dataset_dir: /data/train
  val_dataset_dir: /data/test
  label_map:
    walk: 0
    sits: 1
    squat: 2
    fall: 3
    bend: 4
  output_shape:
  - 224
  - 224
  batch_size: 32
  workers: 8
  clips_per_video: 15
  augmentation_config:
    train_crop_type: no_crop
    horizontal_flip_prob: 0.5
    rgb_input_mean: [0.5]
    rgb_input_std: [0.5]
    val_center_crop: False
train:
  optim:
    lr: 0.0005
    momentum: 0.9
    weight_decay: 0.0005
    lr_scheduler: MultiStep
    lr_decay: 0.1
    lr_steps: [15, 25]
    patience: 1
    min_lr: 0.0001
  num_epochs: 10
  checkpoint_interval: 5
  validation_interval: 5
  clip_grad_norm: 0.0
  num_gpus: 1
  gpu_ids: [0]
  seed: 1234
`

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

describe('the documentation page', () => {
  it('reads its example once input_type is a built one', async () => {
    const spec = await loadSpec(await specFile(pageExample), ['model.input_type=2d'])
    expect(spec.model).toEqual({
      model_type: 'rgb',
      backbone: 'resnet_18',
      input_type: '2d',
      rgb_seq_length: 3,
      of_seq_length: 10,
      sample_rate: 1,
      sample_strategy: 'consecutive',
      dropout_ratio: 0,
      input_height: 224,
      input_width: 224,
    })
    expect(spec.dataset).toMatchObject({
      train_dataset_dir: '/data/train',
      label_map: { walk: 0, sits: 1, squat: 2, fall: 3, bend: 4 },
      clips_per_video: 15,
    })
    expect(spec.train.optim.lr_steps).toEqual([15, 25])
    expect(spec.results_dir).toBe('./results')
  })

  it('refuses its example as it stands by naming what is not built, with the line', async () => {
    const path = await specFile(pageExample)
    const error = await failure(loadSpec(path))
    expect(error.code).toBe('spec')
    expect(error.describe()).toBe(`${path}:6: model.input_type: 3d is not supported yet (this version: 2d)`)
  })

  it('gives its defaults to what is missing', () => {
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
    const path = await specFile(
      'model:\n  backbone: resnet_50\ntrain:\n  optim:\n    lr: -1\n  nm_epochs: 5\n',
    )
    expect((await failure(loadSpec(path))).describe()).toBe(
      [
        'The experiment spec has 3 problems:',
        `${path}:6: train.nm_epochs: is not a key of the spec; did you mean train.num_epochs?`,
        `${path}:2: model.backbone: resnet_50 is not supported yet (this version: resnet_18)`,
        `${path}:5: train.optim.lr: must be above 0, not -1`,
      ].join('\n  '),
    )
  })

  it.each([
    [
      { model: { model_type: 'joint' } },
      'model.model_type: joint is not supported yet (this version: rgb, of)',
    ],
    [{ model: { backbone: 'i3d' } }, 'model.backbone: i3d is not supported yet (this version: resnet_18)'],
    [{ model: { backbone: 'vgg' } }, 'model.backbone: must be resnet_18, not vgg'],
    [
      { model: { rgb_pretrained_model_path: 'a.pth' } },
      'model.rgb_pretrained_model_path: a.pth is not supported yet',
    ],
    [{ model: { num_fc: 32 } }, 'model.num_fc: 32 is not supported yet'],
    [
      { dataset: { augmentation_config: { train_crop_type: 'multi_scale_crop' } } },
      'dataset.augmentation_config.train_crop_type: multi_scale_crop is not supported yet (this version: random_crop, no_crop)',
    ],
    [
      { train: { optim: { lr_scheduler: 'AutoReduce' } } },
      'train.optim.lr_scheduler: AutoReduce is not supported yet (this version: MultiStep)',
    ],
    [
      { evaluate: { video_eval_mode: 'conv' } },
      'evaluate.video_eval_mode: conv is not supported yet (this version: center)',
    ],
    [
      { inference: { video_inf_mode: 'all' } },
      'inference.video_inf_mode: all is not supported yet (this version: center)',
    ],
    [{ encryption_key: 'nvidia_tao' }, 'encryption_key: nvidia_tao is not supported yet'],
    [{ wandb: { enable: true, project: 'x' } }, 'wandb.enable: true is not supported yet'],
    [
      { train: { num_gpus: 2 } },
      'train.num_gpus: 2 devices are not supported yet (this version trains on the CPU)',
    ],
    [{ train: { cudnn: { benchmark: true } } }, 'train.cudnn.benchmark: true is not supported yet'],
  ])('%j is refused by name', (value, message) => {
    expect(refusal(value)).toBe(message)
  })

  it('accepts keys that are not built when they change nothing', () => {
    const spec = parseSpec({
      encryption_key: null,
      wandb: { enable: false, project: 'TAO Toolkit', tags: ['training'] },
      model: {
        num_fc: 64,
        joint_pretrained_model_path: null,
        rgb_pretrained_num_classes: 0,
        imagenet_pretrained: false,
      },
      dataset: { augmentation_config: { scales: [1.0] } },
      train: { num_nodes: 1, cudnn: { benchmark: false, deterministic: true } },
      evaluate: null,
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
    [{ results_dir: '${oc.env:HOME}/x' }, 'references are not supported yet'],
  ])('%j is refused with its reason', (value, message) => {
    expect(refusal(value)).toContain(message)
  })

  it('gives the line of a YAML error and of a doubled key', async () => {
    const path = await specFile('train:\n  seed: 1\n  seed: 2\n')
    const error = await failure(loadSpec(path))
    expect(error.code).toBe('spec')
    expect(error.describe()).toContain(`${path}:3: Map keys must be unique`)
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

it('measures edit distance as Levenshtein did and finds a name under another section', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('', 'abc')).toBe(3)
  expect(suggestKey('train.lr', supportedKeys())).toBe('train.optim.lr')
  expect(suggestKey('model.of_input_mean', supportedKeys())).toBe('dataset.augmentation_config.of_input_mean')
  expect(suggestKey('qqqqqqqq', supportedKeys())).toBeUndefined()
})

it('docs/spec.md names every key that a spec may hold', () => {
  const text = readFileSync(new URL('../../docs/spec.md', import.meta.url), 'utf8')
  const leaves = supportedKeys().filter(
    (key) => !supportedKeys().some((other) => other.startsWith(`${key}.`)),
  )
  const all = [...leaves, ...notBuiltKeys.keys(), ...otherSpellings.keys()]
  expect(all.filter((key) => !text.includes(`\`${key}\``))).toEqual([])
})
