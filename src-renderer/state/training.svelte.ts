import type {
  SpecChanges,
  SpecKey,
  SpecSection,
  TrainPlan,
  TrainSettings,
} from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'
import { failureOf, type Failure } from '../api/failure.ts'
import { keysOfSettings, settingsWith } from './run-settings.ts'

/** The next run: what Kineo recommends, and what the person changed of it, key by key of the experiment spec. */
export class Training {
  /** The run as it would be with the changes that were there when the host was asked last. */
  plan = $state.raw<TrainPlan | null>(null)
  /** Every key of the spec; asked for when somebody wants to see them. */
  spec = $state.raw<{ sections: SpecSection[]; keys: SpecKey[] } | null>(null)
  failure = $state.raw<Failure | null>(null)
  starting = $state(false)
  /** Names of the settings whose fields hold no valid number now. */
  invalid = $state.raw<readonly string[]>([])
  changes = $state.raw<SpecChanges>({})
  readonly changeCount = $derived(Object.keys(this.changes).length)
  /** With what was typed just now, before the host has said what comes of it. */
  readonly settings: TrainSettings | null = $derived(
    this.plan === null ? null : settingsWith(this.plan.settings, this.changes),
  )
  /** What is wrong, by key. */
  readonly problems: Readonly<Record<string, string>> = $derived(
    Object.fromEntries(this.plan?.problems.map(({ key, message }) => [key, message]) ?? []),
  )

  /** What is worth knowing of a key, by key. */
  readonly advice: Readonly<Record<string, string>> = $derived(
    Object.fromEntries(this.plan?.advice.map(({ key, message }) => [key, message]) ?? []),
  )

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  /** Asks what comes of the changes; an answer that later changes have overtaken is dropped. */
  async refresh(): Promise<void> {
    const changes = this.changes
    try {
      const plan = await this.#api.training.plan({ changes })
      if (changes !== this.changes) return
      this.plan = plan
      this.failure = null
    } catch (error) {
      this.failure = failureOf(error)
    }
  }

  async loadSpec(): Promise<void> {
    try {
      this.spec ??= await this.#api.training.spec()
    } catch (error) {
      this.failure = failureOf(error)
    }
  }

  /** YAML of a key as it is now. */
  valueOf(key: string): string {
    return this.changes[key] ?? this.plan?.recipe[key] ?? ''
  }

  /** Sets keys of the spec; one that is what the recipe has counts as unchanged. */
  write(values: SpecChanges): void {
    const next = { ...this.changes, ...values }
    for (const key of Object.keys(values)) if (next[key] === this.plan?.recipe[key]) delete next[key]
    this.#change(next)
  }

  /** Gives a key back to the recipe. */
  reset(key: string): void {
    const { [key]: _, ...rest } = this.changes
    this.#change(rest)
  }

  change(part: Partial<TrainSettings>): void {
    this.write(keysOfSettings(part))
  }

  setValidity(name: string, valid: boolean): void {
    if (valid === !this.invalid.includes(name)) return
    this.invalid = valid ? this.invalid.filter((each) => each !== name) : [...this.invalid, name]
  }

  /** Back to the recipe. */
  restore(): void {
    if (this.changeCount > 0) this.#change({})
  }

  /** Forgets the run that was planned, for another project. */
  forget(): void {
    this.changes = {}
    this.plan = null
  }

  /** @returns The id of the new run, or null when there was nothing to start with. */
  async start(): Promise<number | null> {
    if (this.plan === null || this.starting) return null
    this.starting = true
    try {
      return (await this.#api.training.start({ changes: this.changes })).runId
    } finally {
      this.starting = false
    }
  }

  #change(next: SpecChanges): void {
    this.changes = next
    void this.refresh()
  }
}
