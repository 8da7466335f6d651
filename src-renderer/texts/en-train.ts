import type { Run, TrainSettings } from '../../src-main/api/contract/index.ts'
import { count, counted, percent, remaining } from './format.ts'

const ofClips = (right: number, total: number): string => `${count(right)} of ${count(total)}`
/** What a network looks at. */
export const looks: Record<TrainSettings['modelType'], string> = {
  of: 'Motion',
  rgb: 'Pictures',
  joint: 'Pictures and motion',
}
/** `ResNet-18`, `ResNet-50 3D`. */
const networkName = ({ backbone, inputType }: TrainSettings): string =>
  `${backbone.replace(/^resnet_?/, 'ResNet-')}${inputType === '3d' ? ' 3D' : ''}`
/** Width by height, as pictures are measured. */
const inputSize = ({ width, height }: TrainSettings): string => `${width} × ${height}`
const epochs = (value: number): string => counted(value, 'epoch', 'epochs')

/** Words of the Train step: before, while and after a run. */
export const trainTexts = {
  title: 'Train',
  fact: (train: number, val: number) => `${count(train)} clips to learn from, ${count(val)} to check with`,
  start: 'Start training',
  starting: 'Starting',
  recommended: 'Recommended.',
  changed: 'Your settings.',
  changedBody: (changes: [key: string, value: string][]) => {
    const named = changes.slice(0, 4).map(([key, value]) => `${key.split('.').at(-1) ?? ''} ${value}`)
    const more = changes.length > named.length ? `, and ${changes.length - named.length} more` : ''
    return `Changed: ${named.join(', ')}${more}.`
  },
  restore: 'Use the recommendation',
  estimated: (seconds: number) => `Takes about ${remaining(seconds)} on this computer.`,
  notMeasured: 'How long it takes is known after the first steps.',
  goesOn: 'You can close the window: training goes on, and can be resumed after any interruption.',
  blocked: 'Cannot start yet.',
  goDataset: 'Go to Dataset',
  loading: 'Looking at the clips',
  whatHappens: 'What will happen',
  chosenFor: (classCount: number, clips: number) =>
    `chosen for ${classCount} classes and ${count(clips)} clips`,
  looksAt: 'Looks at',
  looks,
  looksAtFact: (settings: TrainSettings) => {
    const where = settings.sampleStrategy === 'consecutive' ? 'in a row' : 'over the clip'
    const { rgbFrames, ofFrames } = settings
    switch (settings.modelType) {
      case 'of':
        return `Motion (optical flow), ${counted(ofFrames, 'frame', 'frames')} ${where}`
      case 'rgb':
        return `Pictures, ${counted(rgbFrames, 'frame', 'frames')} ${where}`
      case 'joint':
        return `Pictures and motion, ${rgbFrames} and ${counted(ofFrames, 'frame', 'frames')} ${where}`
    }
  },
  network: 'Network',
  networkFact: (settings: TrainSettings) =>
    `${networkName(settings)}, ${settings.pretrained ? 'from given weights' : 'from zero'}, ${inputSize(settings)} pixels`,
  variety: 'Variety',
  varietyFact: (settings: TrainSettings) =>
    settings.horizontalFlip ? 'Random start and mirroring' : 'Random start. Mirroring off',
  stops: 'Stops',
  stopsFact: (settings: TrainSettings) => `After ${epochs(settings.epochs)}`,
  pace: 'Pace',
  paceFact: (settings: TrainSettings) =>
    `${counted(settings.batchSize, 'clip', 'clips')} a step, learning rate ${settings.learningRate}, SGD`,
  advanced: 'Change settings',
  allSettings: 'All settings',
  wrong: (value: number) => (value === 1 ? 'One setting is wrong.' : `${value} settings are wrong.`),
  spec: {
    title: 'All settings',
    fact: (changes: number) =>
      changes === 0
        ? 'The experiment spec of the next run, as recommended'
        : `The experiment spec of the next run, ${counted(changes, 'setting', 'settings')} changed`,
    shows: 'Shown as',
    settings: 'Settings',
    filter: 'Filter by name or meaning',
    onlyChanged: 'Only changed',
    top: 'whole spec',
    shown: (shown: number, total: number) =>
      shown === total
        ? counted(total, 'setting', 'settings')
        : `${shown} of ${counted(total, 'setting', 'settings')}`,
    noneShown: 'No setting fits the filter',
    changedMark: 'changed',
    none: 'none',
    reset: (key: string, value: string) => `Reset ${key} to ${value === '' ? 'none' : value}`,
    rule: (rule: string) => `${rule.charAt(0).toUpperCase()}${rule.slice(1)}.`,
    standard: (value: string) => `Default of the spec: ${value === '' ? 'none' : value}.`,
    recipe: (value: string) => `Recommended: ${value === '' ? 'none' : value}.`,
    noYaml: 'There is no YAML while a setting is wrong.',
    yamlFact: 'The folders of the project come in when the run starts',
    copy: 'Copy YAML',
    done: 'Done',
  },
  fields: {
    modelType: 'Looks at',
    motion: 'Motion',
    pictures: 'Pictures',
    both: 'Both',
    frames: 'Frames',
    rgbFrames: 'Frames, pictures',
    ofFrames: 'Frames, motion',
    size: 'Size',
    height: 'Height',
    width: 'Width',
    epochs: 'Epochs',
    batchSize: 'Clips a step',
    learningRate: 'Learning rate',
    seed: 'Seed',
    horizontalFlip: 'Mirror clips at random',
    pixels: 'px',
  },
  wholeNumber: (least: number) => `A whole number, at least ${least}`,
  positive: 'A number above 0',
  before: 'Before you start',
  checks: {
    readable: (value: number) => `All ${count(value)} clips can be read`,
    reading: (value: number) => `${counted(value, 'clip', 'clips')} not looked at yet`,
    broken: (value: number) => `${counted(value, 'clip', 'clips')} cannot be read`,
    brokenBody: 'They are left out.',
    prepared: 'Frames are prepared',
    unprepared: (value: number) => `${counted(value, 'clip', 'clips')} not prepared`,
    unpreparedBody: 'Prepared first, when training starts.',
    even: 'Classes are even',
    uneven: 'Classes are uneven',
    range: (least: number, most: number) =>
      least === most
        ? `${count(least)} training clips each`
        : `${count(least)} to ${count(most)} training clips each`,
    flow: 'Motion is computed',
    noFlow: 'No motion computed yet',
    noFlowBody: 'Computed first where training needs it.',
    device: 'Trains on',
    fewVal: 'Few clips to check with',
    fewValBody: (value: number, points: string) =>
      `With ${count(value)} clips one mistake is ${points} points. Read small differences with care.`,
    noVal: 'No clips to check with',
    noValBody: 'The result cannot be judged.',
  },
  earlier: 'Runs',
  columns: { run: 'Run', looksAt: 'Looks at', best: 'Right, validation', epochs: 'Epochs', ended: 'State' },
  status: {
    queued: 'Waiting',
    training: 'Training',
    done: 'Finished',
    stopped: 'Stopped',
    failed: 'Failed',
    interrupted: 'Interrupted',
  } satisfies Record<Run['status'], string>,
  runFact: (settings: TrainSettings) =>
    `${looks[settings.modelType]}, ${networkName(settings)}, ${inputSize(settings)} px, ${counted(settings.batchSize, 'clip', 'clips')} a step`,
  bestFact: (right: number, total: number, fraction: number) =>
    `${ofClips(right, total)}, ${percent(fraction)}`,
  newRun: 'New run',
  stop: 'Stop training',
  resume: 'Resume',
  review: 'See the result',
  check: 'Check it',
  checking: 'Checking',
  best: 'Best, validation',
  bestClips: (right: number, total: number) => `${ofClips(right, total)} clips`,
  bestWaits: 'after epoch 1',
  epoch: 'Epoch',
  of: (total: number) => `of ${total}`,
  timeLeft: 'Time left',
  timeWaits: 'after some steps',
  doneAt: (time: string) => `at about ${time}`,
  speed: 'Speed',
  speedUnit: 'clips a second',
  clipsPerSecond: (value: number) => `${value >= 10 ? Math.round(value) : value.toFixed(1)} clips/s`,
  ended: 'Ended',
  step: (step: number, steps: number) => `step ${step} of ${steps}`,
  rightAnswers: 'Right answers',
  percentUnit: '%',
  loss: 'Loss',
  lossUnit: 'lower is better',
  now: 'This run',
  facts: {
    trainLoss: 'Loss on the last step',
    rate: 'Learning rate',
    seed: 'Seed',
    folder: 'Run folder',
    classes: 'Classes',
    checked: 'Clips to check with',
    optimizer: 'Optimizer',
    optimizerFact: (settings: TrainSettings) => `SGD, ${counted(settings.batchSize, 'clip', 'clips')} a step`,
  },
  verdict: {
    queued: { title: 'Waiting for its turn', body: 'Another job is running. This one starts by itself.' },
    preparing: { title: 'Clips come first', body: 'The clips are prepared, then training starts by itself.' },
    starting: {
      title: 'Getting started',
      body: 'The network is built and the first clips are read. The first point comes with the end of epoch 1.',
    },
    early: (more: number) => ({
      title: 'Too early to tell',
      body: `After ${counted(more, 'more epoch', 'more epochs')} the curves say something.`,
    }),
    diverged: {
      title: 'The run fell apart',
      body: 'The loss is no longer a number. Stop, and start again with a tenth of the learning rate.',
    },
    learningWell: (from: number, to: number, total: number, over: number) => ({
      title: 'Learning well',
      body:
        to > from
          ? `Validation rose from ${count(from)} to ${ofClips(to, total)} in the last ${epochs(over)}. Nothing to do.`
          : `Validation is at ${ofClips(to, total)}. Nothing to do.`,
    }),
    upsAndDowns: (epoch: number, right: number, now: number, total: number) => ({
      title: 'Learning, with ups and downs',
      body: `Best so far ${ofClips(right, total)} in epoch ${epoch}, now ${count(now)}. Usual on the way. Nothing to do.`,
    }),
    byHeart: (epoch: number, right: number, total: number) => ({
      title: 'Learning by heart',
      body: `Training still improves, validation has not since epoch ${epoch} (${ofClips(right, total)}). More clips help most; more epochs hardly will.`,
    }),
    settled: (epoch: number, right: number, total: number) => ({
      title: 'Settled',
      body: `Nothing better since epoch ${epoch} (${ofClips(right, total)}). You can stop, or let it finish.`,
    }),
    withoutValidation: (from: number, to: number) => ({
      title: 'Learning',
      body: `The loss fell from ${from.toFixed(2)} to ${to.toFixed(2)}. There are no validation clips, so how good it is stays unknown.`,
    }),
    notLearning: (modelType: TrainSettings['modelType']) => ({
      title: 'Not learning yet',
      body: `The loss hardly falls. If this goes on for some epochs, try ${modelType === 'rgb' ? 'motion instead of pictures, or ' : ''}another learning rate.`,
    }),
    slow: {
      title: 'Slow start',
      body: 'No better than guessing so far, but the loss moves. Give it some more epochs.',
    },
    done: (right: number, total: number) => ({
      title: 'Finished',
      body: `${ofClips(right, total)} validation clips right at the end. See which ones are wrong in Review.`,
    }),
    doneAllRight: (total: number) => ({
      title: 'Finished',
      body: `All ${count(total)} validation clips right. Look at them in Review, then export.`,
    }),
    doneWeak: (right: number, total: number, modelType: TrainSettings['modelType']) => ({
      title: 'Finished, but weak',
      body: `${ofClips(right, total)} validation clips right, hardly better than guessing. More epochs or more clips${modelType === 'rgb' ? ', or motion instead of pictures,' : ''} may help.`,
    }),
    doneWithoutValidation: (value: number) => ({
      title: 'Finished',
      body: `${epochs(value)} done. There were no validation clips to check with.`,
    }),
    stopped: (epoch: number, total: number, evaluated: boolean) => ({
      title: 'Stopped',
      body:
        epoch === 0
          ? 'No epoch was finished, so there is nothing to look at. Resume begins again.'
          : `${epoch} of ${epochs(total)} done and kept. ${evaluated ? 'See what it has learned by then' : 'What it has learned by then can be checked'}, or resume from there.`,
    }),
    interrupted: (epoch: number, total: number) => ({
      title: 'Interrupted',
      body:
        epoch === 0
          ? 'No epoch was finished. Resume begins again.'
          : `${epoch} of ${epochs(total)} done and kept. Resume goes on from there.`,
    }),
    failed: 'The run failed',
    failedWithoutReason: 'It gave no reason. The run folder holds its log.',
  },
}
