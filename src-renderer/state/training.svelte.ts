import type { Recommendation, TrainSettings } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'
import { failureOf, type Failure } from '../api/failure.ts'

/** The settings of the next run: what Kineo recommends, and what the person changed of it. */
export class Training {
  recommendation = $state.raw<Recommendation | null>(null)
  failure = $state.raw<Failure | null>(null)
  starting = $state(false)
  /** Names of the settings whose fields hold no valid number now. */
  invalid = $state.raw<readonly string[]>([])
  #changes = $state.raw<Partial<TrainSettings>>({})
  readonly settings: TrainSettings | null = $derived(
    this.recommendation === null ? null : { ...this.recommendation.settings, ...this.#changes },
  )
  readonly changed = $derived(Object.keys(this.#changes).length > 0)

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    try {
      this.recommendation = await this.#api.training.recommend()
      this.failure = null
    } catch (error) {
      this.failure = failureOf(error)
    }
  }

  change(part: Partial<TrainSettings>): void {
    const next: Partial<TrainSettings> = { ...this.#changes, ...part }
    const recommended = this.recommendation?.settings
    if (recommended !== undefined) {
      for (const key of Object.keys(next) as (keyof TrainSettings)[]) {
        if (next[key] === recommended[key]) delete next[key]
      }
    }
    this.#changes = next
  }

  setValidity(name: string, valid: boolean): void {
    if (valid === !this.invalid.includes(name)) return
    this.invalid = valid ? this.invalid.filter((each) => each !== name) : [...this.invalid, name]
  }

  restore(): void {
    this.#changes = {}
  }

  /** @returns The id of the new run, or null when there was nothing to start with. */
  async start(): Promise<number | null> {
    if (this.settings === null || this.starting) return null
    this.starting = true
    try {
      return (await this.#api.training.start({ settings: { ...this.settings } })).runId
    } finally {
      this.starting = false
    }
  }
}
