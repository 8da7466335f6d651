import type { TrainSettings } from '../../src-main/api/contract/index.ts'
import { looks } from './en-train.ts'
import { bytes, count, counted, percent } from './format.ts'

const clips = (value: number): string => counted(value, 'clip', 'clips')

/** Words of the Review step. */
export const reviewTexts = {
  title: 'Review',
  fact: (runName: string, settings: TrainSettings, epochs: number | null, right: number, total: number) => {
    const early =
      epochs !== null && epochs < settings.epochs ? `, after ${epochs} of ${settings.epochs} epochs` : ''
    return `${runName}, ${looks[settings.modelType].toLowerCase()}${early}, ${count(right)} of ${clips(total)} right`
  },
  answer: (truth: string, prediction: string) =>
    truth === prediction ? `${truth} was recognised,` : `${truth} was taken for ${prediction},`,
  run: 'Run',
  empty: {
    title: 'No model to look at yet',
    body: 'Train one first. It is checked on the validation clips as soon as it ends.',
  },
  unchecked: (runName: string) => ({
    title: `${runName} is not checked yet`,
    body: 'It has learned something. Show it every validation clip once.',
  }),
  check: 'Check it now',
  evaluating: { title: 'Checking the model', body: 'Every validation clip is shown to it once.' },
  noValidation: { title: 'Nothing to check with', body: 'This dataset has no validation clips.' },
  goTrain: 'Go to Train',
  rightOf: (right: number, total: number) => `${count(right)} of ${count(total)} right`,
  meanClass: (fraction: number) => `${percent(fraction)} as the mean over classes`,
  verdict: {
    nothing: { title: 'Nothing was checked.', body: 'There were no validation clips.' },
    allRight: (total: number) => `All ${clips(total)} right.`,
    good: (right: number, total: number) => `Good: ${count(right)} of ${clips(total)} right.`,
    partly: (right: number, total: number) => `Partly right: ${count(right)} of ${clips(total)}.`,
    weak: (right: number, total: number) =>
      `Hardly better than guessing: ${count(right)} of ${clips(total)} right.`,
    weakAdvice: (modelType: TrainSettings['modelType']) =>
      modelType === 'rgb'
        ? 'Train longer, add clips, or try motion instead of pictures.'
        : 'Train longer, or add clips.',
    worst: (truth: string, prediction: string, times: number) =>
      times === 1
        ? `Most often wrong: ${truth} taken for ${prediction}, once.`
        : `Most often wrong: ${truth} taken for ${prediction}, ${count(times)} times.`,
    luck: (low: number, high: number) =>
      `So few clips leave room for luck: the true value lies between ${Math.round(low * 100)} and ${Math.round(high * 100)} %.`,
  },
  confusion: 'Confusion',
  numbers: 'Numbers',
  counts: 'Counts',
  percents: '%',
  showTable: 'Show as table',
  showMatrix: 'Show as matrix',
  truthAxis: 'true',
  rightAxis: 'right',
  answerAxis: 'answer of the model',
  right: 'right',
  wrong: 'wrong',
  cell: (truth: string, prediction: string, value: number) =>
    truth === prediction
      ? `${truth}: ${clips(value)} right`
      : `${truth} taken for ${prediction}: ${clips(value)}`,
  matrixLabel: 'Confusion matrix. Rows are the truth, columns the answer of the model',
  list: {
    mistakes: 'Mistakes',
    cell: 'In this cell',
    none: 'No mistakes',
    noneBody: 'Every clip was recognised. Choose a cell to see its clips.',
  },
  showAll: 'Show all mistakes',
  takenFor: 'was taken for',
  recognised: 'was recognised',
  sure: (score: number) => `${score.toFixed(2)} sure`,
  scores: 'What the model thought',
  looping: 'looping',
  play: 'Play',
  pause: 'Pause',
  goExport: 'Go to Export',
  noPicture: 'This clip has no video to show',
  hints: { next: 'next clip', play: 'play, pause', cells: 'cells of the matrix' },
}

/** Words of the Export step. */
export const exportTexts = {
  title: 'Export',
  fact: (runName: string, right: number | null, total: number) =>
    right === null ? runName : `${runName}, ${count(right)} of ${count(total)} right`,
  empty: {
    title: 'Nothing to export yet',
    body: 'Train a model first. It can be exported as soon as it was checked.',
  },
  action: 'Export as ONNX',
  openFolder: 'Open folder',
  copyPath: 'Copy path',
  copyCode: 'Copy',
  copied: 'Copied',
  folderIsAt: (path: string) => `The folder is ${path}`,
  verdict: {
    open: {
      title: 'Ready to export.',
      body: 'One file for any computer: Python, Node, C++, C#. The label list lies beside it.',
    },
    done: (total: number) => ({
      title: 'Exported.',
      body: `${counted(total, 'file', 'files')} in the folder below. The model carries its labels and how to prepare clips.`,
    }),
    running: { title: 'Exporting.', body: 'Takes a few seconds.' },
  },
  onnx: 'ONNX',
  asTrained: (right: number, total: number) => `${count(right)} of ${count(total)}, as trained`,
  folder: 'Folder',
  files: 'Files',
  file: 'File',
  size: 'Size',
  total: (value: number) => bytes(value),
  planned: [
    { name: 'model.onnx', what: 'The network. Labels and how to prepare clips stand inside it' },
    { name: 'labels.txt', what: 'Names of the classes, in order' },
    { name: 'label_map.json', what: 'Names and numbers of the classes' },
  ],
  facts: 'The model',
  input: 'Input',
  inputs: { input_rgb: 'Input, pictures', input_of: 'Input, motion' },
  output: 'Output',
  outputFact: (classCount: number) => `fc_pred, ${classCount} scores`,
  inputFact: (name: string, sizes: readonly number[]) => [`${name}, batch`, ...sizes].join(' × '),
  classes: 'Classes',
  looksAt: 'Looks at',
  useIt: 'Use it',
  language: 'Language',
}
