import { SvelteMap } from 'svelte/reactivity'
import type { Job } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'

/** True while a job still has work before it. */
export function isOpen(job: Job): boolean {
  return job.status === 'running' || job.status === 'queued'
}

/** How far a job is, from 0 to 1; null while its length is unknown. */
export function fractionOf(job: Job): number | null {
  if (job.progress === null || job.progress.total === null || job.progress.total === 0) return null
  return Math.min(1, job.progress.done / job.progress.total)
}

/** All jobs of the project, newest first. */
export class Jobs {
  readonly #byId = new SvelteMap<number, Job>()
  readonly list: Job[] = $derived([...this.#byId.values()].sort((a, b) => b.id - a.id))
  readonly running: Job | null = $derived(this.list.find((job) => job.status === 'running') ?? null)
  readonly queued: Job[] = $derived(this.list.filter((job) => job.status === 'queued').reverse())
  readonly ended: Job[] = $derived(this.list.filter((job) => !isOpen(job)))

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    const jobs = await this.#api.jobs.list()
    this.#byId.clear()
    for (const job of jobs) this.#byId.set(job.id, job)
  }

  apply(job: Job): void {
    this.#byId.set(job.id, job)
  }

  /** The newest job of a kind, of one run if asked for. */
  latest(kind: Job['kind'], runId?: number): Job | null {
    return this.list.find((job) => job.kind === kind && (runId === undefined || job.runId === runId)) ?? null
  }

  async cancel(jobId: number): Promise<void> {
    await this.#api.jobs.cancel({ jobId })
  }
}
