import type { ActionClass, AppInfo, Clip, Job, ProjectState } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'
import { failureOf, type Failure } from '../api/failure.ts'
import { classLetters } from '../ui/class-marks.ts'

/** The open project: its classes, its clips, and how far it is. */
export class Project {
  info = $state.raw<AppInfo | null>(null)
  current = $state.raw<ProjectState | null>(null)
  clips = $state.raw<Clip[]>([])
  /** `loading` until the first answer; afterwards old content stays while new content comes. */
  status = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state.raw<Failure | null>(null)
  /** What is being opened now. */
  opening = $state<'folder' | 'sample' | null>(null)
  /** How far that is, where it takes a while. */
  openingProgress = $state.raw<Job['progress']>(null)

  readonly classes: ActionClass[] = $derived(this.current?.classes ?? [])
  readonly letters: string[] = $derived(classLetters(this.classes.map((each) => each.name)))
  readonly trainClipCount = $derived(this.classes.reduce((sum, each) => sum + each.trainClips, 0))
  readonly valClipCount = $derived(this.classes.reduce((sum, each) => sum + each.valClips, 0))
  readonly usableClipCount = $derived((this.current?.clipCount ?? 0) - (this.current?.brokenClipCount ?? 0))

  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async refresh(): Promise<void> {
    try {
      const [info, current] = await Promise.all([this.#api.app.info(), this.#api.project.state()])
      this.info = info
      await this.#take(current)
      this.failure = null
      this.status = 'ready'
    } catch (error) {
      this.failure = failureOf(error)
      if (this.current === null) this.status = 'failed'
    }
  }

  async openFolder(folder: string): Promise<void> {
    await this.#open('folder', () => this.#api.project.open({ folder }))
  }

  async openSample(): Promise<void> {
    await this.#open('sample', () => this.#api.project.openSample())
  }

  async close(): Promise<void> {
    await this.#api.project.close()
    await this.refresh()
  }

  async #open(what: 'folder' | 'sample', call: () => Promise<ProjectState>): Promise<void> {
    this.opening = what
    try {
      await this.#take(await call())
    } finally {
      this.opening = null
    }
  }

  async #take(current: ProjectState | null): Promise<void> {
    const clips = current === null ? [] : await this.#api.project.clips()
    this.current = current
    this.clips = clips
  }
}
