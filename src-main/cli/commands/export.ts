import { exportModel } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const exportCommand: Command = {
  name: 'export',
  help: `Usage: kineo export -e spec.yaml export.checkpoint=FILE [export.onnx_file=FILE] [--force] [key=value ...]

Writes a checkpoint as ONNX (input_rgb and input_of as the network has them -> fc_pred, opset 17, dynamic batch) with
label map and preprocessing in its metadata, and labels.txt beside it. Without export.onnx_file it stands beside the
checkpoint. With encryption_key it is encrypted, and only Kineo opens it.

${specHelp}
  --force                      overwrite files that are there
  --unencrypted                write plain ONNX although encryption_key is given to open the checkpoint

Example:
  kineo export -e spec.yaml export.checkpoint=results/train/ar_model_latest.pth export.onnx_file=model.onnx
`,
  async run(args, { terminal }) {
    const { spec, flags } = await readSpecArguments('export', args, terminal, ['force', 'unencrypted'])
    const report = await exportModel(
      spec,
      { force: flags.has('force'), unencrypted: flags.has('unencrypted') },
      {
        onLine: (text) => {
          terminal.line(text)
          terminal.event('line', { text })
        },
      },
    )
    terminal.line(
      `Wrote ${report.onnxFile} (${(report.bytes / 1e6).toFixed(1)} MB${report.encrypted ? ', encrypted' : ''})`,
    )
    terminal.line(`Wrote ${report.labelsFile}`)
    terminal.event('result', report)
    return 0
  },
}
