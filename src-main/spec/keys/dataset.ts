import {
  channelList,
  choice,
  classPairs,
  flag,
  fraction,
  integer,
  labelMap,
  notNegative,
  number,
  numberList,
  path,
  section,
} from '../key-kinds.ts'

const colorJitter = section(
  {
    brightness: notNegative(0, {
      meaning: 'Largest change of brightness: 0.2 is up to a fifth darker or lighter; 0 is off.',
      own: true,
    }),
    contrast: notNegative(0, { meaning: 'Largest change of contrast; 0 is off.', own: true }),
    saturation: notNegative(0, { meaning: 'Largest change of saturation; 0 is off.', own: true }),
    hue: number('from 0 to 0.5', (value) => value >= 0 && value <= 0.5, 0, {
      meaning: 'Largest turn of the colour wheel, 0.5 being half of it; 0 is off.',
      own: true,
    }),
  },
  {
    meaning:
      'Random changes of colour of training clips, one change for all frames of a clip; optical flow is left alone.',
    commands: ['train'],
  },
)

const augmentation = section(
  {
    train_crop_type: choice(['random_crop', 'multi_scale_crop', 'no_crop'], 'random_crop', {
      meaning:
        'How training frames are cut: random_crop (short side to crop_smaller_edge, then a random piece), multi_scale_crop (a piece of a random size of scales, at one of 13 places, resized) or no_crop (the whole frame, resized).',
      tao: 'As in TAO, multi_scale_crop for joint cuts the frame as it is; otherwise its short side is resized to crop_smaller_edge first.',
      commands: ['train'],
    }),
    scales: numberList(
      'a list of numbers above 0',
      (list) => list.length > 0 && list.every((scale) => scale > 0),
      [1],
      {
        meaning:
          'Sizes of the piece as shares of the short side, one of which is drawn for each clip; a piece above 1 reaches beyond the frame.',
        commands: ['train'],
        onlyWith: { 'dataset.augmentation_config.train_crop_type': ['multi_scale_crop'] },
      },
    ),
    horizontal_flip_prob: fraction(0.5, {
      meaning:
        'Chance that a training clip is mirrored, left for right; set it to 0 when left and right tell classes apart.',
      commands: ['train'],
    }),
    flip_label_map: classPairs({
      meaning:
        'Classes that a mirror turns into each other, such as {turn_left: turn_right}: a mirrored clip gets the label of the other class.',
      own: true,
      commands: ['train'],
    }),
    flip_negate_u: flag(true, {
      meaning: 'Turns the horizontal flow of a mirrored clip round, as a mirror does.',
      own: true,
      tao: 'TAO mirrors the flow image and leaves its direction wrong; false does as TAO does.',
      modelTypes: ['of', 'joint'],
      commands: ['train'],
    }),
    rgb_input_mean: channelList(3, 'any', [0.485, 0.456, 0.406], {
      meaning:
        'Subtracted from the colour channels, which run from 0 to 1; one number or one for each channel.',
      modelTypes: ['rgb', 'joint'],
    }),
    rgb_input_std: channelList(3, 'positive', [0.229, 0.224, 0.225], {
      meaning: 'The colour channels are then divided by this; one number or one for each channel.',
      modelTypes: ['rgb', 'joint'],
    }),
    of_input_mean: channelList(2, 'any', [0.5], {
      meaning:
        'Subtracted from the optical flow channels, which run from 0 to 1; one number or one for u and v each.',
      tao: 'The page says 1 or 3 numbers; flow has two channels.',
      modelTypes: ['of', 'joint'],
    }),
    of_input_std: channelList(2, 'positive', [0.5], {
      meaning: 'The optical flow channels are then divided by this; one number or one for u and v each.',
      tao: 'The page calls it of_input_rgb; both names are read here.',
      modelTypes: ['of', 'joint'],
    }),
    val_center_crop: flag(false, {
      meaning:
        'Cuts the centre out of the frames in validation, evaluation and inference instead of resizing whole frames.',
      commands: ['train', 'evaluate', 'inference'],
    }),
    crop_smaller_edge: integer(1, 256, {
      meaning: 'Length of the short side in pixels to which frames are resized before a crop.',
      commands: ['train', 'evaluate', 'inference'],
    }),
    mixup_alpha: notNegative(0, {
      meaning:
        'Blends pairs of training clips and their labels, by shares drawn from Beta(alpha, alpha); 0.2 blends a little, 0 is off.',
      own: true,
      commands: ['train'],
    }),
    color_jitter: colorJitter,
  },
  {
    meaning: 'How frames are cut, mirrored and normalised.',
    commands: ['train', 'evaluate', 'inference', 'export'],
  },
)

export const dataset = section(
  {
    train_dataset_dir: path({
      meaning:
        'Folder of the training videos: one folder for each class, in it one folder for each video with rgb, u and v inside.',
      commands: ['train'],
    }),
    val_dataset_dir: path({
      meaning: 'Folder of the validation videos; without it nothing is validated.',
      tao: 'TAO needs it.',
      commands: ['train', 'evaluate'],
    }),
    label_map: labelMap({
      meaning:
        'The classes: class name to index, from 0 without gaps. evaluate, inference and export take it from the checkpoint when it is not given.',
      tao: 'TAO needs it for every command.',
      commands: ['train', 'evaluate', 'inference', 'export'],
    }),
    batch_size: integer(1, 32, {
      meaning: 'Number of clips in a training step, and in validation.',
      tao: 'TAO stops when the data set has fewer clips; here the smaller batch is used and told.',
      commands: ['train'],
    }),
    workers: integer(0, 8, {
      meaning: 'Number of threads that read and prepare frames; never more than the machine has.',
      commands: ['train', 'evaluate', 'inference'],
    }),
    clips_per_video: integer(1, 1, {
      meaning: 'Number of clips taken from each training video in an epoch.',
      commands: ['train'],
    }),
    balanced_sampling: flag(false, {
      meaning: 'Draws training clips so that every class comes up equally often, however few videos it has.',
      own: true,
      commands: ['train'],
    }),
    augmentation_config: augmentation,
  },
  {
    meaning: 'The videos, their classes, and how frames are prepared.',
    commands: ['train', 'evaluate', 'inference', 'export'],
  },
)
