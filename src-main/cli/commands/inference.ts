import { infer, inferenceLine } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { progressLine } from '../progress-line.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const inferenceCommand: Command = {
  name: 'inference',
  help: `Usage: kineo inference -e spec.yaml inference.checkpoint=FILE inference.inference_dataset_dir=FOLDER [key=value ...]

Names the action of every video: prints "path : ['label']" for each, with one label for each segment, and writes
scores.json (scores, segments and their frames) into inference.results_dir (else results_dir/inference).

FOLDER is a class-level folder of prepared videos, a whole tree of class folders, a folder of video files, or one video
file. Video files are decoded on the way, and their optical flow is computed when the network looks at it.

${specHelp}

Example:
  kineo inference -e spec.yaml inference.checkpoint=results/train/ar_model_latest.pth \\
    inference.inference_dataset_dir=dataset/val/fall
`,
  async run(args, { terminal, signal }) {
    const { spec } = await readSpecArguments('inference', args, terminal)
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
