import { join } from 'node:path'
import { classTable, evaluate, taoBlock } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { progressLine } from '../progress-line.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const evaluateCommand: Command = {
  name: 'evaluate',
  help: `Usage: kineo evaluate -e spec.yaml evaluate.checkpoint=FILE [key=value ...]

Measures a checkpoint on evaluate.test_dataset_dir (else dataset.val_dataset_dir). Writes results.json (every video with
its scores; precision, recall and F1 of each class), confusion_matrix.csv, confusion_matrix.png and misclassified.csv
into evaluate.results_dir (else results_dir/evaluate).

evaluate.video_eval_mode=center looks at one clip from the middle of each video, conv at video_num_segments of them, all
at every clip; the scores of a video's clips are averaged.

${specHelp}

Example:
  kineo evaluate -e spec.yaml evaluate.checkpoint=results/train/ar_model_latest.pth
`,
  async run(args, { terminal, signal }) {
    const { spec } = await readSpecArguments('evaluate', args, terminal)
    const report = await evaluate(spec, {
      signal,
      onLine: (text) => {
        terminal.line(text)
        terminal.event('line', { text })
      },
      onProgress: (progress) => {
        terminal.live(progressLine(progress))
        terminal.event('progress', progress)
      },
    })
    for (const line of [...taoBlock(report), ...classTable(report)]) terminal.line(line)
    terminal.line(`Every video: ${join(report.folder, 'results.json')}`)
    terminal.event('result', report)
    return 0
  },
}
