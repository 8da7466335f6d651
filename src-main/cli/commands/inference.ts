import { infer, inferenceLine } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { progressLine } from '../progress-line.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const inferenceCommand: Command = {
  name: 'inference',
  help: `Usage: kineo inference -e spec.yaml inference.checkpoint=FILE inference.inference_dataset_dir=FOLDER [key=value ...]

Names the action of every video in one class-level folder: prints "path : ['label']" for each and writes scores.json
into inference.results_dir (else results_dir/inference).

${specHelp}

Example:
  kineo inference -e spec.yaml inference.checkpoint=results/train/ar_model_latest.pth \\
    inference.inference_dataset_dir=dataset/val/fall
`,
  async run(args, { terminal, signal }) {
    const { spec } = await readSpecArguments('inference', args)
    const report = await infer(spec, {
      signal,
      // Standard output is for the results alone.
      onLine: (text) => {
        terminal.warn(text)
        terminal.event('line', { text })
      },
      onProgress: (progress) => {
        terminal.live(progressLine(progress))
        terminal.event('progress', progress)
      },
    })
    for (const video of report.videos) terminal.line(inferenceLine(video))
    terminal.event('result', report)
    return 0
  },
}
