import {
  choice,
  classWeights,
  flag,
  fraction,
  integer,
  notNegative,
  numberList,
  path,
  positive,
  section,
} from '../key-kinds.ts'
import { deviceKeys } from './devices.ts'

const scheduler = 'train.optim.lr_scheduler'

const optim = section(
  {
    lr: positive(5e-4, {
      meaning: 'Learning rate at the start: how large the steps are that training takes.',
    }),
    momentum: fraction(0.9, { meaning: 'How much of its last direction a step keeps.' }),
    weight_decay: notNegative(5e-4, {
      meaning: 'How strongly weights are pulled towards 0, against learning by heart.',
    }),
    lr_scheduler: choice(['MultiStep', 'AutoReduce', 'Cosine'], 'MultiStep', {
      meaning:
        'How the learning rate falls: MultiStep (times lr_decay at the epochs of lr_steps), AutoReduce (times lr_decay when lr_monitor stops falling) or Cosine (along half a cosine down to min_lr).',
      tao: 'TAO has no Cosine.',
    }),
    lr_decay: positive(0.1, {
      meaning: 'What the learning rate is multiplied by when it falls.',
      onlyWith: { [scheduler]: ['MultiStep', 'AutoReduce'] },
    }),
    lr_steps: numberList(
      'a list of epochs, counted from 0',
      (list) => list.every((epoch) => Number.isSafeInteger(epoch) && epoch >= 0),
      [15, 25],
      {
        meaning: 'Epochs, counted from 0, at which the learning rate falls.',
        onlyWith: { [scheduler]: ['MultiStep'] },
      },
    ),
    lr_monitor: choice(['val_loss', 'train_loss'], 'val_loss', {
      meaning: 'The loss that AutoReduce watches.',
      onlyWith: { [scheduler]: ['AutoReduce'] },
    }),
    patience: integer(0, 1, {
      meaning:
        'Number of epochs without improvement that AutoReduce lets pass; the next one lowers the learning rate.',
      onlyWith: { [scheduler]: ['AutoReduce'] },
    }),
    threshold: notNegative(0.001, {
      meaning: 'Share by which the loss must fall below its best to count as an improvement; 0.001 is 0.1 %.',
      own: true,
      tao: "The page says 0.1 %; TAO's code takes 0.01 %, which 0.0001 gives.",
      onlyWith: { [scheduler]: ['AutoReduce'] },
    }),
    min_lr: notNegative(1e-4, {
      meaning: 'Lowest learning rate.',
      onlyWith: { [scheduler]: ['AutoReduce', 'Cosine'] },
    }),
    warmup_epochs: integer(0, 0, {
      meaning: 'Number of epochs at the start over which the learning rate rises evenly to lr.',
      own: true,
    }),
  },
  { meaning: 'The optimizer: stochastic gradient descent, and its learning rate.', commands: ['train'] },
)

export const train = section(
  {
    ...deviceKeys,
    seed: integer(0, 1234, {
      meaning:
        'Where all chance starts from: weights, sampling, crops, flips and dropout repeat with the same seed.',
      tao: 'TAO takes a negative number for a seed that changes with every run; here it is refused.',
    }),
    num_epochs: integer(1, 10, {
      meaning: 'Number of times that training goes through all videos, those before a resume included.',
    }),
    checkpoint_interval: integer(1, 1, {
      meaning: 'Saves a checkpoint every so many epochs; the last epoch is always saved.',
      tao: 'TAO saves the last epoch only when the interval hits it, and stops when the interval is above num_epochs.',
    }),
    validation_interval: integer(1, 1, {
      meaning: 'Validates every so many epochs; the last epoch is always validated.',
      tao: 'As for checkpoint_interval.',
    }),
    resume_training_checkpoint_path: path({
      meaning:
        'Checkpoint to go on from; without it training goes on from ar_model_latest.pth in the results folder, if there is one.',
    }),
    results_dir: path({ meaning: 'Folder of the training results; when not given, train in results_dir.' }),
    clip_grad_norm: notNegative(0, {
      meaning: 'Largest L2 norm of the gradient, against steps that are too wild; 0 does not clip.',
    }),
    class_weights: classWeights({
      meaning:
        'How much a clip of each class counts: none (all the same), balanced (rare classes more), or a map of weights in which a class that is not named counts 1.',
      own: true,
    }),
    label_smoothing: fraction(
      0,
      {
        meaning:
          'Share of the label that is spread over all classes, against being too sure; 0.1 is usual, 0 is off.',
        own: true,
      },
      { below: true },
    ),
    accumulate_batches: integer(1, 1, {
      meaning: 'Number of batches whose gradients are added up for one step: large batches in little memory.',
      own: true,
    }),
    freeze_stages: integer(
      0,
      0,
      {
        meaning:
          'Number of stages of a pretrained network that do not learn: 0 none, 1 the first layers, 2 to 5 also the first to fourth block.',
        own: true,
      },
      5,
    ),
    ema_decay: fraction(
      0,
      {
        meaning:
          'Keeps a running average of the weights, which is validated and which a checkpoint gives to whoever opens it; 0.999 is usual, 0 is off.',
        own: true,
      },
      { below: true },
    ),
    early_stopping_patience: integer(0, 0, {
      meaning:
        'Stops when validation accuracy (of equals: loss) has not improved for so many epochs; 0 never stops early.',
      own: true,
    }),
    save_best: flag(false, {
      meaning:
        'Also keeps the checkpoint of the best validation accuracy (of equals: the lowest loss) as ar_model_best.pth.',
      own: true,
    }),
    optim,
  },
  { meaning: 'Training.', commands: ['train'] },
)
