import { exportModel } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const exportCommand: Command = {
  name: 'export',
  help: `Usage: kineo export -e spec.yaml export.checkpoint=FILE [export.onnx_file=FILE] [--force] [key=value ...]

Writes a checkpoint as ONNX (input_rgb or input_of -> fc_pred, opset 17, dynamic batch) with label map and preprocessing
in its metadata, and labels.txt beside it. Without export.onnx_file it stands beside the checkpoint.

${specHelp}
  --force                      overwrite files that are there

Example:
  kineo export -e spec.yaml export.checkpoint=results/train/ar_model_latest.pth export.onnx_file=model.onnx
`,
  async run(args, { terminal }) {
    const { spec, flags } = await readSpecArguments('export', args, ['force'])
    const report = await exportModel(
      spec,
      { force: flags.has('force') },
      {
        onLine: (text) => {
          terminal.line(text)
          terminal.event('line', { text })
        },
      },
    )
    terminal.line(`Wrote ${report.onnxFile} (${(report.bytes / 1e6).toFixed(1)} MB)`)
    terminal.line(`Wrote ${report.labelsFile}`)
    terminal.event('result', report)
    return 0
  },
}
