import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { checkSpec, loadSpec, parseSpec, readSpec } from '../../src-main/spec/index.ts'

const specs = new URL('../fixtures/specs/', import.meta.url)
const fixture = (name: string): string => fileURLToPath(new URL(name, specs))

/** The map that stands in a fixture. */
async function fragment(name: string): Promise<unknown> {
  return parse(await readFile(fixture(name), 'utf8'))
}

describe("an example of TAO's documentation page reads as it stands", () => {
  it('the whole spec', async () => {
    const spec = await loadSpec(fixture('page-example.yaml'))
    expect(spec.model).toMatchObject({
      model_type: 'rgb',
      backbone: 'resnet_18',
      input_type: '3d',
      rgb_seq_length: 3,
      sample_rate: 1,
      sample_strategy: 'consecutive',
      dropout_ratio: 0,
      input_height: 224,
      input_width: 224,
    })
    expect(spec.dataset).toMatchObject({
      train_dataset_dir: '/data/train',
      val_dataset_dir: '/data/test',
      label_map: { walk: 0, sits: 1, squat: 2, fall: 3, bend: 4 },
      batch_size: 32,
      workers: 8,
      clips_per_video: 15,
      augmentation_config: {
        train_crop_type: 'no_crop',
        horizontal_flip_prob: 0.5,
        rgb_input_mean: [0.5],
        rgb_input_std: [0.5],
        val_center_crop: false,
      },
    })
    expect(spec.train).toMatchObject({
      num_epochs: 10,
      checkpoint_interval: 5,
      validation_interval: 5,
      clip_grad_norm: 0,
      num_gpus: 1,
      gpu_ids: [0],
      seed: 1234,
      optim: {
        lr: 0.0005,
        momentum: 0.9,
        weight_decay: 0.0005,
        lr_scheduler: 'MultiStep',
        lr_decay: 0.1,
        lr_steps: [15, 25],
        patience: 1,
        min_lr: 0.0001,
      },
    })
  })

  it.each(['page-model.yaml', 'page-train.yaml', 'page-dataset.yaml'])('%s', async (name) => {
    const { spec, problems, notes } = await readSpec(fixture(name))
    expect(problems).toEqual([])
    expect(notes).toEqual([])
    expect(spec).toMatchObject(parseSpec(await fragment(name)))
    expect(spec).not.toEqual(parseSpec({}))
  })

  it.each([
    ['page-optim.yaml', 'train'],
    ['page-augmentation.yaml', 'dataset'],
  ])('%s, within %s', async (name, section) => {
    const group = await fragment(name)
    const { spec, problems } = checkSpec({ [section]: group })
    expect(problems).toEqual([])
    expect(spec).toMatchObject({ [section]: group })
  })

  it('and a group that stands outside of its section is told where it belongs', async () => {
    const { problems } = await readSpec(fixture('page-optim.yaml'))
    expect(problems).toMatchObject([
      { key: 'optim', message: 'is not a key of the spec; did you mean train.optim?' },
    ])
  })
})

/** Every value that a table of the page names, and what it must come to. */
describe('every value in the tables of the page', () => {
  it.each([
    ...['rgb', 'of', 'joint'].map((value) => ['model', 'model_type', value, value]),
    ...['18', '34', '50', '101'].map((depth) => ['model', 'backbone', `resnet${depth}`, `resnet_${depth}`]),
    ...['18', '34', '50', '101', '152'].map((depth) => [
      'model',
      'backbone',
      `resnet_${depth}`,
      `resnet_${depth}`,
    ]),
    ...['2d', '3d'].map((value) => ['model', 'input_type', value, value]),
    ['model', 'rgb_pretrained_model_path', '/w.pth', '/w.pth'],
    ['model', 'rgb_pretrained_num_classes', 0, 0],
    ['model', 'of_pretrained_model_path', '/w.pth', '/w.pth'],
    ['model', 'of_pretrained_num_classes', 5, 5],
    ['model', 'joint_pretrained_model_path', '/w.pth', '/w.pth'],
    ['model', 'num_fc', 128, 128],
    ['model', 'sample_rate', 2, 2],
    ['train', 'resume_training_checkpoint_path', '/c.pth', '/c.pth'],
    ['train', 'clip_grad_norm', 1.5, 1.5],
    ...['center', 'conv', 'all'].map((mode) => ['evaluate', 'video_eval_mode', mode, mode]),
    ...['center', 'conv', 'all'].map((mode) => ['inference', 'video_inf_mode', mode, mode]),
    ['evaluate', 'video_num_segments', 12, 12],
    ['export', 'onnx_file', '/m.onnx', '/m.onnx'],
  ] as [string, string, unknown, unknown][])('%s.%s: %s', (section, key, value, expected) => {
    const spec: Record<string, unknown> = { ...parseSpec({ [section]: { [key]: value } }) }
    expect(spec[section]).toMatchObject({ [key]: expected })
  })

  it.each([
    ...['random_crop', 'multi_scale_crop', 'no_crop'].map((value) => ['train_crop_type', value]),
    ['scales', [1, 0.875, 0.75]],
    ['rgb_input_mean', [0.5]],
    ['rgb_input_std', [0.1, 0.2, 0.3]],
    ['of_input_mean', [0.4, 0.6]],
    ['val_center_crop', true],
    ['crop_smaller_edge', 300],
  ] as [string, unknown][])('augmentation_config.%s: %j', (key, value) => {
    const spec = parseSpec({ dataset: { augmentation_config: { [key]: value } } })
    expect(spec.dataset.augmentation_config).toMatchObject({ [key]: value })
  })

  it('AutoReduce with its monitor', () => {
    const optim = { lr_scheduler: 'AutoReduce', lr_monitor: 'train_loss', patience: 2, min_lr: 1e-5 }
    expect(parseSpec({ train: { optim } }).train.optim).toMatchObject({ ...optim, threshold: 0.001 })
  })
})

it('takes the specs of a TAO tutorial: the older placeholder, an encryption key and no train section', () => {
  const { spec, problems } = checkSpec({
    results_dir: '/results/of',
    encryption_key: 'nvidia_tao',
    model: { model_type: 'of', backbone: 'resnet_18', of_seq_length: 3, sample_strategy: 'consecutive' },
    evaluate: { checkpoint: '??', test_dataset_dir: '??' },
  })
  expect(problems).toEqual([])
  expect(spec).toMatchObject({
    encryption_key: 'nvidia_tao',
    evaluate: { checkpoint: null, test_dataset_dir: null },
  })
})

describe('num_gpus and gpu_ids', () => {
  it.each([
    [
      { num_gpus: 1, gpu_ids: [0, 1] },
      { num_gpus: 2, gpu_ids: [0, 1] },
    ],
    [
      { num_gpus: 4, gpu_ids: [0] },
      { num_gpus: 4, gpu_ids: [0, 1, 2, 3] },
    ],
    [{ gpu_ids: [2, 3] }, { num_gpus: 2, gpu_ids: [2, 3] }],
    [
      { num_gpus: 1, gpu_ids: [3] },
      { num_gpus: 1, gpu_ids: [3] },
    ],
  ])('%j follows the larger', (given, expected) => {
    for (const section of ['train', 'evaluate', 'inference'] as const)
      expect(parseSpec({ [section]: given })[section]).toMatchObject(expected)
  })

  it('more than one is accepted and told', () => {
    const { spec, notes } = checkSpec({ train: { num_gpus: 8 } })
    expect(spec?.train.num_gpus).toBe(8)
    expect(notes).toEqual([
      {
        key: 'train.num_gpus',
        message: '8 devices are asked for; this version uses one, the processor',
        place: null,
      },
    ])
  })
})
