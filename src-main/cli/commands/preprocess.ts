import { KineoError } from '../../core/errors.ts'
import { preprocess, type PreprocessOptions, type PreprocessReport } from '../../tasks/preprocess.ts'
import type { Command } from '../command.ts'
import { longWorkHooks } from '../long-work.ts'
import { readOptions } from '../read-options.ts'
import type { Terminal } from '../terminal.ts'

export const preprocessCommand: Command = {
  name: 'preprocess',
  help: `Usage: kineo preprocess IN --out DATASET [options]

Makes a dataset in the layout of TAO's ActionRecognitionNet. IN is
  a folder of class-named folders of videos   -> DATASET/CLASS/CLIP/{rgb,u,v}
  the same with train/ and val/ above         -> DATASET/{train,val}/CLASS/CLIP/{rgb,u,v}, and test/ likewise
  one video, or a folder of videos            -> DATASET/CLIP/{rgb,u,v}, for kineo inference

rgb/ gets every frame as PNG, u/ and v/ the optical flow between frames as gray JPEG. Ctrl-C leaves whole clips
only; started again, it goes on where it stopped and skips what has not changed.

Options:
  --out DATASET        folder of the dataset, outside of IN
  --flow dis|none      optical flow, or rgb alone (default dis)
  --preset fast|medium speed or precision of the flow (default medium)
  --max-side N         scale larger videos down to N pixels on their longer side
  --fps F              resample to F frames per second (default: every decoded frame)
  --workers N          clips at a time (default: one a core)
  --val F              set the share F of each class aside as val/ (0.2 = a fifth)
  --seed N             decides which (default 1234)

Examples:
  kineo preprocess videos --out dataset --val 0.2
  kineo preprocess door-camera.mp4 --out clips --max-side 320
`,
  async run(args, { terminal, signal }) {
    const report = await preprocess(readArguments(args), {
      ...longWorkHooks(terminal, signal),
      onClip: (outcome) => {
        terminal.event('clip', outcome)
        if (outcome.status === 'failed') terminal.warn(`${outcome.source}: ${outcome.reason}`)
      },
    })
    printReport(report, terminal)
    terminal.event('result', report)
    return report.failed > 0 ? 1 : 0
  },
}

function readArguments(args: string[]): PreprocessOptions {
  const text = { type: 'string' } as const
  const { values, positionals } = readOptions('preprocess', args, {
    ...{ out: text, flow: text, preset: text, 'max-side': text },
    ...{ fps: text, workers: text, val: text, seed: text },
  })
  const [input, ...more] = positionals
  if (input === undefined) throw new KineoError('usage', 'IN is missing: a video or a folder', usageRemedy)
  if (more.length > 0)
    throw new KineoError('usage', `One input at a time, not also ${more.join(', ')}`, usageRemedy)
  if (values.out === undefined)
    throw new KineoError('usage', '--out is missing: the folder of the dataset', usageRemedy)
  return {
    input,
    output: values.out,
    flow: oneOf('--flow', values.flow, ['dis', 'none']),
    preset: oneOf('--preset', values.preset, ['medium', 'fast']),
    maxSide: number('--max-side', values['max-side']),
    fps: number('--fps', values.fps),
    workers: number('--workers', values.workers),
    valFraction: number('--val', values.val),
    seed: number('--seed', values.seed) ?? 1234,
  }
}

const usageRemedy = { remedy: 'See kineo preprocess --help' }

function oneOf<Choice extends string>(
  option: string,
  value: string | undefined,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const choice = value === undefined ? choices[0] : choices.find((known) => known === value)
  if (choice === undefined)
    throw new KineoError('usage', `${option} is ${choices.join(' or ')}, not ${value}`)
  return choice
}

function number(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const parsed = value.trim() === '' ? Number.NaN : Number(value)
  if (Number.isNaN(parsed)) throw new KineoError('usage', `${option} must be a number, not "${value}"`)
  return parsed
}

function printReport(report: PreprocessReport, terminal: Terminal): void {
  const { clips, written, unchanged, failed, frames, seconds, ignored } = report
  for (const { place, warning } of clips) if (warning !== null) terminal.line(`Warning: ${place}: ${warning}`)
  if (ignored.length > 0) {
    const names = ignored.slice(0, 3).join(', ')
    terminal.line(
      `Left out, being no videos: ${names}${ignored.length > 3 ? ` and ${ignored.length - 3} more` : ''}`,
    )
  }
  const parts = [`${written} written`, ...(unchanged > 0 ? [`${unchanged} unchanged`] : [])]
  if (written > 0)
    parts.push(`${frames} frames in ${seconds.toFixed(1)} s (${(frames / seconds).toFixed(0)} frames/s)`)
  if (failed > 0) {
    terminal.warn(`${failed} of ${clips.length} could not be read:`)
    for (const { source, reason } of clips) if (reason !== null) terminal.warn(`  ${source}: ${reason}`)
  }
  terminal.line(
    written + unchanged === 0
      ? 'No dataset was made'
      : `Clips: ${parts.join(', ')}\nDataset: ${report.output}`,
  )
}
