import { SvelteMap } from 'svelte/reactivity'
import type { Evaluation, Exported, Run } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'

/** True while a run waits or learns. */
export function isLearning(run: Run): boolean {
  return run.status === 'training' || run.status === 'queued'
}

/** All runs of the project, newest first, and the one that Train, Review and Export speak of. */
export class Runs {
  readonly #byId = new SvelteMap<number, Run>()
  #chosenId = $state<number | null>(null)
  /** The Train step shows the settings of a new run instead of the chosen one. */
  settingUp = $state(false)
  readonly #evaluations = new SvelteMap<number, Evaluation>()
  readonly #exports = new SvelteMap<number, Exported>()

  readonly list: Run[] = $derived([...this.#byId.values()].sort((a, b) => b.id - a.id))
  readonly learning: Run | null = $derived(this.list.find(isLearning) ?? null)
  readonly chosen: Run | null = $derived(
    this.list.find((run) => run.id === this.#chosenId) ?? this.learning ?? this.list[0] ?? null,
  )
  /** Whether the Train step shows the settings of the next run. */
  readonly showsRecipe = $derived.by(() => this.chosen === null || this.settingUp)
  /** The run that Review and Export speak of: the chosen one if it has been evaluated, else the newest that has. */
  readonly reviewed: Run | null = $derived(
    this.chosen?.evaluated === true ? this.chosen : (this.list.find((run) => run.evaluated) ?? null),
  )
  /** The run that Export speaks of: one that has learned something and no longer learns. */
  readonly exportable: Run | null = $derived.by(() => {
    const hasModel = (run: Run | null): run is Run =>
      run !== null && run.points.length > 0 && !isLearning(run)
    return hasModel(this.chosen) ? this.chosen : (this.list.find(hasModel) ?? null)
  })

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const runs = await this.#api.runs.list()
    for (const id of [...this.#byId.keys()]) if (!runs.some((run) => run.id === id)) this.#byId.delete(id)
    for (const run of runs) this.apply(run)
  }

  /** Forgets which run was looked at, for another project. */
  forget(): void {
    this.#byId.clear()
    this.#evaluations.clear()
    this.#exports.clear()
    this.#chosenId = null
    this.settingUp = false
  }

  apply(run: Run): void {
    const before = this.#byId.get(run.id)
    this.#byId.set(run.id, run)
    if (before?.evaluated !== run.evaluated || before.status !== run.status) this.#evaluations.delete(run.id)
    if (before?.exportedFile !== run.exportedFile) this.#exports.delete(run.id)
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
    if (evaluation !== null) this.#evaluations.set(runId, evaluation)
  }

  async loadExported(runId: number): Promise<void> {
    const exported = await this.#api.runs.exported({ runId })
    if (exported !== null) this.#exports.set(runId, exported)
  }
}
