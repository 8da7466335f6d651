import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { EpochReport } from '../hooks.ts'

const header = 'epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,clips_per_second,seconds'

/** The figures of each epoch in `metrics.csv`; empty fields where an epoch was not validated. */
export class MetricsCsv {
  readonly #path: string
  readonly #rows: string[]

  private constructor(path: string, rows: string[]) {
    this.#path = path
    this.#rows = rows
  }

  /**
   * Opens the file of a run that goes on behind `finishedEpochs` epochs: rows of later epochs, which were written but
   * not saved to a checkpoint, are dropped. 0 starts a new file.
   */
  static async open(path: string, finishedEpochs: number): Promise<MetricsCsv> {
    const text = finishedEpochs === 0 ? '' : await readFile(path, 'utf8').catch(() => '')
    const rows = text
      .split('\n')
      .slice(1)
      .filter((row) => row !== '' && Number(row.split(',')[0]) <= finishedEpochs)
    return new MetricsCsv(path, rows)
  }

  async add(report: EpochReport): Promise<void> {
    const { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, learningRate } = report
    const speed = [report.clipsPerSecond.toFixed(2), report.seconds.toFixed(2)]
    this.#rows.push(
      [epoch, trainLoss, trainAccuracy, valLoss ?? '', valAccuracy ?? '', learningRate, ...speed].join(','),
    )
    await writeFileAtomic(this.#path, `${[header, ...this.#rows].join('\n')}\n`)
  }
}
