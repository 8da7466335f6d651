import { z } from 'zod'
import { trainSettings } from '../core/work.ts'
import type { EpochPoint } from '../core/work.ts'
import type { Connection } from './database.ts'
import type { EvaluationRecord, RunRecord } from './records.ts'

interface RunRow {
  id: number
  settings: string
  experiment: string | null
  class_names: string
  val_clip_count: number
  created_at: string
}

interface EvaluationRow {
  epochs: number | null
  accuracy: number
  mean_class_accuracy: number
  class_names: string
  confusion: string
}

interface PredictionRow {
  clip_id: number | null
  name: string
  label: string
  prediction: string
  scores: string
}

const names = z.array(z.string())
const numbers = z.array(z.number())
const matrix = z.array(numbers)
const tree = z.record(z.string(), z.unknown())

/** What a new run is made of. */
export type NewRun = Omit<RunRecord, 'id' | 'createdAt'>

/** Training runs with their epochs and their evaluation. How a run stands follows from its jobs. */
export class RunTable {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** @returns Number of the new run, from 1. */
  add({ settings, experiment, classNames, valClipCount }: NewRun): number {
    const result = this.#connection
      .prepare(
        `INSERT INTO runs (settings, experiment, class_names, val_clip_count, created_at) VALUES (?, ?, ?, ?, ?)`,
      )
      .run(
        JSON.stringify(settings),
        experiment === null ? null : JSON.stringify(experiment),
        JSON.stringify(classNames),
        valClipCount,
        new Date().toISOString(),
      )
    return Number(result.lastInsertRowid)
  }

  /** Oldest first. */
  all(): RunRecord[] {
    return this.#connection.prepare<[], RunRow>('SELECT * FROM runs ORDER BY id').all().map(runRecord)
  }

  get(id: number): RunRecord | null {
    const row = this.#connection.prepare<[number], RunRow>('SELECT * FROM runs WHERE id = ?').get(id)
    return row === undefined ? null : runRecord(row)
  }

  epochs(runId: number): EpochPoint[] {
    return this.#connection
      .prepare<[number], EpochPoint>(
        `SELECT epoch, train_loss AS trainLoss, train_accuracy AS trainAccuracy, val_loss AS valLoss,
           val_accuracy AS valAccuracy, learning_rate AS learningRate, clips_per_second AS clipsPerSecond
         FROM epochs WHERE run_id = ? ORDER BY epoch`,
      )
      .all(runId)
  }

  /**
   * Stores an epoch. A resumed run may go on from before the last stored one: the epoch replaces the old one, and later
   * ones, which were never saved, go.
   */
  putEpoch(runId: number, point: EpochPoint): void {
    this.#connection.prepare('DELETE FROM epochs WHERE run_id = ? AND epoch > ?').run(runId, point.epoch)
    this.#connection
      .prepare('INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        runId,
        point.epoch,
        point.trainLoss,
        point.trainAccuracy,
        point.valLoss,
        point.valAccuracy,
        point.learningRate,
        point.clipsPerSecond,
      )
  }

  setValClipCount(runId: number, valClipCount: number): void {
    this.#connection.prepare('UPDATE runs SET val_clip_count = ? WHERE id = ?').run(valClipCount, runId)
  }

  /** Epochs of training behind the stored evaluation, 0 where they are unknown; null without one. */
  evaluatedEpochs(runId: number): number | null {
    const row = this.#connection
      .prepare<[number], { epochs: number | null }>('SELECT epochs FROM evaluations WHERE run_id = ?')
      .get(runId)
    return row === undefined ? null : (row.epochs ?? 0)
  }

  evaluation(runId: number): EvaluationRecord | null {
    const row = this.#connection
      .prepare<[number], EvaluationRow>('SELECT * FROM evaluations WHERE run_id = ?')
      .get(runId)
    if (row === undefined) return null
    const predictions = this.#connection
      .prepare<[number], PredictionRow>('SELECT * FROM predictions WHERE run_id = ? ORDER BY position')
      .all(runId)
    return {
      epochs: row.epochs,
      accuracy: row.accuracy,
      meanClassAccuracy: row.mean_class_accuracy,
      classNames: names.parse(JSON.parse(row.class_names)),
      confusion: matrix.parse(JSON.parse(row.confusion)),
      predictions: predictions.map(({ clip_id, name, label, prediction, scores }) => ({
        clipId: clip_id,
        name,
        label,
        prediction,
        scores: numbers.parse(JSON.parse(scores)),
      })),
    }
  }

  /** Stores the evaluation of a run in place of an older one. */
  putEvaluation(runId: number, evaluation: EvaluationRecord): void {
    this.#connection
      .transaction(() => {
        this.#connection.prepare('DELETE FROM evaluations WHERE run_id = ?').run(runId)
        this.#connection
          .prepare(
            `INSERT INTO evaluations (run_id, accuracy, mean_class_accuracy, class_names, confusion, epochs)
             VALUES (?, ?, ?, ?, ?, ?)`,
          )
          .run(
            runId,
            evaluation.accuracy,
            evaluation.meanClassAccuracy,
            JSON.stringify(evaluation.classNames),
            JSON.stringify(evaluation.confusion),
            evaluation.epochs,
          )
        const insert = this.#connection.prepare('INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?)')
        evaluation.predictions.forEach(({ clipId, name, label, prediction, scores }, position) =>
          insert.run(runId, position, clipId, name, label, prediction, JSON.stringify(scores)),
        )
      })
      .immediate()
  }
}

function runRecord(row: RunRow): RunRecord {
  return {
    id: row.id,
    settings: trainSettings.parse(JSON.parse(row.settings)),
    experiment: row.experiment === null ? null : tree.parse(JSON.parse(row.experiment)),
    classNames: names.parse(JSON.parse(row.class_names)),
    valClipCount: row.val_clip_count,
    createdAt: row.created_at,
  }
}
