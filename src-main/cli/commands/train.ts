import { formatRemaining } from '../../core/progress.ts'
import { type EpochReport, type StepReport, train } from '../../tasks/index.ts'
import type { Command } from '../command.ts'
import { progressLine } from '../progress-line.ts'
import { readSpecArguments, specHelp } from '../spec-arguments.ts'

export const trainCommand: Command = {
  name: 'train',
  help: `Usage: kineo train -e spec.yaml [key=value ...]

Trains a network and writes checkpoints, status.json, experiment.yaml, metrics.csv and the ONNX graphs into
train.results_dir (else results_dir/train). Started again with the same folder it goes on from the last checkpoint.

${specHelp}

Example:
  kineo train -e spec.yaml train.num_epochs=25 results_dir=results/flow
`,
  async run(args, { terminal, signal }) {
    const { spec } = await readSpecArguments('train', args, terminal)
    const startedAt = performance.now()
    const summary = await train(spec, {
      signal,
      onLine: (text) => {
        terminal.line(text)
        terminal.event('line', { text })
      },
      onProgress: (progress) => {
        // Steps have a line of their own.
        if (progress.unit !== 'steps') terminal.live(progressLine(progress))
      },
      onStep: (report) => {
        terminal.live(stepLine(report))
        terminal.event('step', report)
      },
      onEpoch: (report) => {
        terminal.line(epochLine(report, spec.train.num_epochs))
        terminal.event('epoch', report)
      },
    })
    const seconds = (performance.now() - startedAt) / 1000
    terminal.event('result', { ...summary, seconds })
    if (!summary.alreadyFinished) {
      terminal.line(
        `Trained ${summary.epochs.length} epochs in ${seconds.toFixed(0)} s: ${summary.checkpoint}`,
      )
      if (summary.bestCheckpoint !== null) terminal.line(`The best of them: ${summary.bestCheckpoint}`)
    }
    return 0
  },
}

function stepLine(report: StepReport): string {
  const { epoch, epochs, step, stepsPerEpoch, loss, accuracy, clipsPerSecond, remainingSeconds } = report
  const left = remainingSeconds === null ? '' : `  ${formatRemaining(remainingSeconds)} left`
  // Fits a terminal of 80 columns.
  return `epoch ${epoch}/${epochs} step ${step}/${stepsPerEpoch}  loss ${loss.toFixed(4)}  accuracy ${(accuracy * 100).toFixed(0)} %  ${clipsPerSecond.toFixed(1)} clips/s${left}`
}

function epochLine(report: EpochReport, epochs: number): string {
  const { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, clipsPerSecond, seconds } = report
  const validated =
    valLoss === null || valAccuracy === null
      ? ''
      : `  val loss ${valLoss.toFixed(4)}  val accuracy ${percent(valAccuracy)}`
  const left = formatRemaining((epochs - epoch) * seconds)
  const remaining = epoch === epochs ? '' : `  about ${left} left`
  return `epoch ${epoch}/${epochs}  loss ${trainLoss.toFixed(4)}  accuracy ${percent(trainAccuracy)}${validated}  ${clipsPerSecond.toFixed(1)} clips/s${remaining}`
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`
}
