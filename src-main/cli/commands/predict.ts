import { basename, relative } from 'node:path'
import { KineoError } from '../../core/errors.ts'
import { predict, type PredictedVideo, type PredictOptions } from '../../tasks/prediction/predict.ts'
import type { Command } from '../command.ts'
import { longWorkHooks } from '../long-work.ts'
import { readOptions } from '../read-options.ts'
import type { Terminal } from '../terminal.ts'

/** Stretches of a video that are printed; a video with more is read in its scores. */
const mostPrinted = 60

export const predictCommand: Command = {
  name: 'predict',
  help: `Usage: kineo predict MODEL VIDEO [options] [key=value ...]

Scores a video as a sliding window: says which action is seen when, and how sure the network is.

MODEL  a checkpoint (.pth of Kineo, or unencrypted of TAO) or an ONNX model exported from one
VIDEO  a video file, or a folder of videos

A window has as many frames as the network takes, and moves on by --stride. Frames are scaled or cropped as in training,
and optical flow is computed on the way. A model of Kineo knows its classes and how its frames were made. For others, say
it: --labels, and a spec with -e or single keys of one, such as model.sample_rate=2.

Options:
  --stride N            frames between the starts of two windows (default 1)
  --out FILE            stores the scores of every window as JSON; for a folder of videos a folder, one file each
  --force               overwrite what is there
  --labels FILE         class names: one a line in the order of training, or on one line with ; between
  -e, --experiment_spec FILE   the experiment spec (YAML) of the model
  key=value             a key of the spec, such as dataset.augmentation_config.val_center_crop=true
  --encryption-key KEY  opens an encrypted model
  --batch N             windows that the network gets at once (default: by their size)
  --json                print one JSON object a line, for programs
  --help                this text

Examples:
  kineo predict results/train/ar_model_latest.pth door-camera.mp4 --out scores.json
  kineo predict model.onnx videos --stride 4 --out scores
  kineo predict tao-model.onnx walk.mp4 --labels labels.txt model.sample_rate=2
`,
  async run(args, { terminal, signal }) {
    const options = readArguments(args)
    const report = await predict(options, {
      ...longWorkHooks(terminal, signal, (text) => terminal.warn(text)),
      onVideo: (video) => {
        printVideo(video, terminal)
        terminal.event('video', video)
      },
    })
    const { videos, failed } = report
    if (failed.length > 0) {
      terminal.warn(`${failed.length} of ${videos.length + failed.length} could not be read:`)
      for (const { reason } of failed) terminal.warn(`  ${reason}`)
    }
    if (options.output === undefined && videos.length > 0) {
      terminal.line('The scores of the windows were not stored; --out scores.json keeps them.')
    }
    terminal.event('result', report)
    return failed.length > 0 ? 1 : 0
  },
}

function readArguments(args: string[]): PredictOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values, positionals } = readOptions('predict', args, {
    ...{ stride: text, out: text, force: flag, labels: text, batch: text, 'encryption-key': text },
    experiment_spec: { type: 'string', short: 'e' },
  })
  const usage = { remedy: 'See kineo predict --help' }
  const isOverride = (word: string): boolean => /^[a-z_]+(\.[\w-]+)*=/.test(word)
  const [model, input, ...more] = positionals.filter((word) => !isOverride(word))
  if (model === undefined) {
    throw new KineoError('usage', 'MODEL is missing: a .pth or an .onnx, and VIDEO after it', usage)
  }
  if (input === undefined) {
    throw new KineoError('usage', 'VIDEO is missing: a video or a folder of videos', usage)
  }
  if (more.length > 0) {
    throw new KineoError('usage', `One video or folder at a time, not also ${more.join(', ')}`, usage)
  }
  return {
    model,
    input,
    stride: wholeNumber('--stride', values.stride),
    output: values.out,
    force: values.force,
    labelsFile: values.labels,
    batchSize: wholeNumber('--batch', values.batch),
    encryptionKey: values['encryption-key'],
    specFile: values.experiment_spec,
    overrides: positionals.filter(isOverride),
  }
}

function wholeNumber(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value) || Number(value) < 1) {
    throw new KineoError('usage', `${option} must be a whole number from 1, not "${value}"`)
  }
  return Number(value)
}

function printVideo(video: PredictedVideo, terminal: Terminal): void {
  const { path, frames, fps, windows, looped, damage, stretches, moreStretches, scoresFile } = video
  const length = fps === null ? '' : `, ${time(frames / fps)}`
  terminal.line(`${basename(path)}: ${frames} frames${length}, ${windows} window${windows === 1 ? '' : 's'}`)
  if (damage !== null) terminal.warn(`${path} is damaged, the rest of it was not read: ${damage}`)
  if (looped) {
    terminal.warn(
      `${path} is shorter than a window: it was played again from its start to fill one, as TAO does.`,
    )
  }
  const shown = stretches.slice(0, mostPrinted)
  const widest = Math.max(0, ...shown.map(({ label }) => label.length))
  for (const { label, firstFrame, lastFrame, score } of shown) {
    const from = fps === null ? `frame ${firstFrame}` : time(firstFrame / fps)
    const to = fps === null ? `frame ${lastFrame}` : time((lastFrame + 1) / fps)
    terminal.line(`  ${from} - ${to}  ${label.padEnd(widest)}  ${(score * 100).toFixed(0).padStart(3)} %`)
  }
  const hidden = stretches.length - shown.length + moreStretches
  if (hidden > 0) terminal.line(`  and ${hidden} more stretches`)
  if (scoresFile !== null) terminal.line(`Scores: ${relative(process.cwd(), scoresFile) || scoresFile}`)
}

/** `0:07.4`, `1:02:07.4`. */
function time(seconds: number): string {
  const tenths = Math.round(seconds * 10)
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60]
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
