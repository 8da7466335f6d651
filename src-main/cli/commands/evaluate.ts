import { join } from 'node:path'
import { evaluate, taoBlock } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { progressLine } from '../progress-line.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const evaluateCommand: Command = {
  name: 'evaluate',
  help: `Usage: kineo evaluate -e spec.yaml evaluate.checkpoint=FILE [key=value ...]

Measures a checkpoint on evaluate.test_dataset_dir (else dataset.val_dataset_dir) and writes results.json and
confusion_matrix.csv into evaluate.results_dir (else results_dir/evaluate).

${specHelp}

Example:
  kineo evaluate -e spec.yaml evaluate.checkpoint=results/train/ar_model_latest.pth
`,
  async run(args, { terminal, signal }) {
    const { spec } = await readSpecArguments('evaluate', args)
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
    for (const line of taoBlock(report)) terminal.line(line)
    terminal.line(`Every video: ${join(report.folder, 'results.json')}`)
    terminal.event('result', report)
    return 0
  },
}
