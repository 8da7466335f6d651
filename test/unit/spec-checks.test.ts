import { homedir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { adviceOn, checkSpec, parseSpec, problemLine } from '../../src-main/spec/index.ts'

/** All problems of a spec, one a line. */
function problems(value: unknown): string[] {
  return checkSpec(value).problems.map(problemLine)
}

describe('what must hold between keys', () => {
  const labels = { label_map: { walk: 0, fall: 1 } }
  const data = { train_dataset_dir: 'train' }

  it.each([
    [
      { model: { input_height: 300, input_width: 280 } },
      'dataset.augmentation_config.crop_smaller_edge: must be at least the input size (300 x 280) to crop from, not 256',
    ],
    [
      { dataset: { ...labels }, train: { class_weights: { walk: 1, run: 2 } } },
      'train.class_weights: names run, which dataset.label_map does not have (it has walk, fall)',
    ],
    [
      { dataset: { ...labels, augmentation_config: { flip_label_map: { fall: 'rise' } } } },
      'dataset.augmentation_config.flip_label_map: names rise, which dataset.label_map does not have (it has walk, fall)',
    ],
    [
      { dataset: { augmentation_config: { flip_label_map: { a: 'b', c: 'b' } } } },
      'dataset.augmentation_config.flip_label_map: pairs b with both a and c',
    ],
    [
      { train: { optim: { lr_scheduler: 'AutoReduce', lr: 1e-5 } } },
      'train.optim.min_lr: is 0.0001, above train.optim.lr (0.00001), so the learning rate could never fall; lower min_lr',
    ],
    [
      { train: { optim: { lr_scheduler: 'AutoReduce', lr_decay: 1.5 } } },
      'train.optim.lr_decay: must be below 1 for AutoReduce to lower the learning rate, not 1.5',
    ],
    [
      { dataset: data, train: { optim: { lr_scheduler: 'AutoReduce' } } },
      'train.optim.lr_monitor: is val_loss, but dataset.val_dataset_dir is not given; give it, or take train_loss',
    ],
    [
      { dataset: data, train: { early_stopping_patience: 3 } },
      'train.early_stopping_patience: needs validation, but dataset.val_dataset_dir is not given; give it, or take 0',
    ],
    [
      { dataset: data, train: { save_best: true } },
      'train.save_best: needs validation, but dataset.val_dataset_dir is not given; give it, or take false',
    ],
  ])('%j', (value, message) => {
    expect(problems(value)).toEqual([message])
  })

  it.each([
    { model: { input_height: 300 }, dataset: { augmentation_config: { train_crop_type: 'no_crop' } } },
    { dataset: { ...labels, augmentation_config: { flip_label_map: { walk: 'fall', fall: 'walk' } } } },
    { train: { optim: { lr: 1e-5 } } },
    { dataset: data, train: { optim: { lr_scheduler: 'AutoReduce', lr_monitor: 'train_loss' } } },
    { train: { early_stopping_patience: 3 } },
    { train: { num_epochs: 1, optim: { warmup_epochs: 3 } } },
    { train: { checkpoint_interval: 5, validation_interval: 5, num_epochs: 1 } },
  ])('%j is fine', (value) => {
    expect(problems(value)).toEqual([])
  })

  it('is judged although another key is wrong, and not where the wrong key takes part', () => {
    const autoReduce = { lr_scheduler: 'AutoReduce', lr_decay: 2 }
    expect(problems({ train: { seed: -1, optim: autoReduce } })).toEqual([
      'train.seed: must be a whole number of 0 or more, not -1',
      'train.optim.lr_decay: must be below 1 for AutoReduce to lower the learning rate, not 2',
    ])
    expect(problems({ train: { optim: { ...autoReduce, lr_decay: -2 } } })).toEqual([
      'train.optim.lr_decay: must be above 0, not -2',
    ])
  })
})

describe('references to other keys', () => {
  it('stand for their value, in text and alone, written or not', () => {
    const spec = parseSpec({
      results_dir: '/r',
      model: { rgb_seq_length: 5, of_seq_length: '${model.rgb_seq_length}' },
      train: { results_dir: '${results_dir}/a/${model.backbone}' },
      evaluate: { checkpoint: '${train.results_dir}/best.pth', batch_size: '${dataset.batch_size}' },
    })
    expect(spec.model.of_seq_length).toBe(5)
    expect(spec.evaluate).toMatchObject({ checkpoint: '/r/a/resnet_18/best.pth', batch_size: 32 })
  })

  it.each([
    ['${oc.env:HOME}/x', '${oc.env:HOME} is not read here, only keys of the spec are; write the value out'],
    ['${.train}/x', '${.train}: write the whole key, such as ${train.results_dir}'],
    ['${resluts_dir}', '${resluts_dir} is not a key of the spec'],
    ['${train.results_dir}', '${train.results_dir} has no value'],
    ['${dataset.label_map}', '${dataset.label_map} has no value'],
    ['${train.optim.lr_steps}', '${train.optim.lr_steps} is not a single value'],
    ['${results_dir', 'a ${...} reference is not closed, or stands in another'],
    ['${a${b}}', '${b} is not a key of the spec'],
    ['${export.onnx_file}', '${export.onnx_file} leads back to itself'],
  ])('%s is told', (text, message) => {
    expect(problems({ export: { onnx_file: text } })).toEqual([`export.onnx_file: ${message}`])
  })

  it('that build on a bad one are not told again', () => {
    const value = { results_dir: '${nowhere}', evaluate: { checkpoint: '${results_dir}/a.pth' } }
    expect(problems(value)).toEqual(['results_dir: ${nowhere} is not a key of the spec'])
  })

  it('cannot grow without end', () => {
    const doubled = (name: string): string => `\${${name}}`.repeat(40)
    expect(
      problems({
        results_dir: 'x'.repeat(100),
        train: { results_dir: doubled('results_dir') },
        evaluate: { results_dir: doubled('train.results_dir') },
        inference: { results_dir: doubled('evaluate.results_dir') },
      }),
    ).toEqual(['evaluate.results_dir: is too long'])
  })
})

it('reads ~/ as the home folder', () => {
  expect(parseSpec({ dataset: { train_dataset_dir: '~/videos' } }).dataset.train_dataset_dir).toBe(
    `${homedir()}/videos`,
  )
})

describe('advice', () => {
  /** What is advised on a spec of which these keys were written. */
  function advice(value: unknown, written: readonly string[] = []): string[] {
    const places = new Map(written.map((key) => [key, 'spec.yaml:1']))
    return adviceOn({ spec: parseSpec(value), places }).map(({ key, message }) => `${key}: ${message}`)
  }

  it('tells what was written and has no effect', () => {
    expect(advice({ model: { num_fc: 32, sample_rate: 2 } }, ['model.num_fc', 'model.sample_rate'])).toEqual([
      'model.num_fc: has no effect with model.model_type rgb',
    ])
    expect(advice({ train: { optim: { min_lr: 0 } } }, ['train.optim.min_lr'])).toEqual([
      'train.optim.min_lr: has no effect with train.optim.lr_scheduler MultiStep',
    ])
    expect(
      advice(
        {
          model: { sample_strategy: 'random_interval' },
          evaluate: { video_eval_mode: 'conv', video_num_segments: 4 },
        },
        ['evaluate.video_num_segments'],
      ),
    ).toEqual(['evaluate.video_num_segments: has no effect with model.sample_strategy random_interval'])
  })

  it.each([
    [
      { train: { num_epochs: 2, checkpoint_interval: 5 } },
      'train.checkpoint_interval: is 5, above train.num_epochs (2): only the last epoch is saved',
    ],
    [
      { dataset: { label_map: { turn_left: 0, turn_right: 1 } } },
      'dataset.augmentation_config.horizontal_flip_prob: mirrors clips of turn_left, turn_right, which a mirror turns into something else; set it to 0, or pair the classes in flip_label_map',
    ],
    [
      { dataset: { label_map: { a: 0 } } },
      'dataset.label_map: has one class: there is nothing to tell it from',
    ],
    [
      { dataset: { train_dataset_dir: 'd', val_dataset_dir: 'd' } },
      'dataset.val_dataset_dir: is the training folder: validation will look better than it is',
    ],
    [
      { train: { freeze_stages: 2 } },
      'train.freeze_stages: keeps layers as they start, which is at random without pretrained weights',
    ],
  ])('%j', (value, message) => {
    expect(advice(value)).toEqual([message])
  })

  it('is silent about what is meant', () => {
    const pairs = { flip_label_map: { turn_left: 'turn_right' } }
    expect(
      advice({ dataset: { label_map: { turn_left: 0, turn_right: 1 }, augmentation_config: pairs } }),
    ).toEqual([])
  })
})
