import type { Evaluation, Exported, Run } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'

/** True while a run waits or learns. */
export function isLearning(run: Run): boolean {
  return run.status === 'training' || run.status === 'queued'
}

/** All runs of the project, newest first, and the one that Train, Review and Export speak of. */
export class Runs {
  #byId = $state.raw<ReadonlyMap<number, Run>>(new Map())
  #chosenId = $state<number | null>(null)
  /** The Train step shows the settings of a new run instead of the chosen one. */
  settingUp = $state(false)
  #evaluations = $state.raw<ReadonlyMap<number, Evaluation>>(new Map())
  #exports = $state.raw<ReadonlyMap<number, Exported>>(new Map())

  readonly list: Run[] = $derived([...this.#byId.values()].sort((a, b) => b.id - a.id))
  readonly learning: Run | null = $derived(this.list.find(isLearning) ?? null)
  readonly chosen: Run | null = $derived(
    this.list.find((run) => run.id === this.#chosenId) ?? this.learning ?? this.list[0] ?? null,
  )
  /** The run that Review and Export speak of: the chosen one if it has been evaluated, else the newest that has. */
  readonly reviewed: Run | null = $derived(
    this.chosen?.evaluated === true ? this.chosen : (this.list.find((run) => run.evaluated) ?? null),
  )

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const runs = await this.#api.runs.list()
    this.#byId = new Map(runs.map((run) => [run.id, run]))
    this.#evaluations = new Map()
    this.#exports = new Map()
  }

  /** Forgets which run was looked at, for another project. */
  forget(): void {
    this.#byId = new Map()
    this.#evaluations = new Map()
    this.#exports = new Map()
    this.#chosenId = null
    this.settingUp = false
  }

  apply(run: Run): void {
    const before = this.#byId.get(run.id)
    this.#byId = new Map(this.#byId).set(run.id, run)
    if (before?.evaluated !== run.evaluated) this.#evaluations = without(this.#evaluations, run.id)
    if (before?.exportedFile !== run.exportedFile) this.#exports = without(this.#exports, run.id)
  }

  choose(runId: number): void {
    this.#chosenId = runId
    this.settingUp = false
  }

  evaluationOf(runId: number): Evaluation | null {
    return this.#evaluations.get(runId) ?? null
  }

  exportedOf(runId: number): Exported | null {
    return this.#exports.get(runId) ?? null
  }

  async loadEvaluation(runId: number): Promise<void> {
    const evaluation = await this.#api.runs.evaluation({ runId })
    if (evaluation !== null) this.#evaluations = new Map(this.#evaluations).set(runId, evaluation)
  }

  async loadExported(runId: number): Promise<void> {
    const exported = await this.#api.runs.exported({ runId })
    if (exported !== null) this.#exports = new Map(this.#exports).set(runId, exported)
  }
}

function without<Value>(map: ReadonlyMap<number, Value>, key: number): ReadonlyMap<number, Value> {
  const copy = new Map(map)
  copy.delete(key)
  return copy
}
