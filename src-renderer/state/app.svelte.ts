import { createContext } from 'svelte'
import type { AppEvent, Job } from '../../src-main/api/contract/index.ts'
import type { Api } from '../api/client.ts'
import { texts } from '../texts/index.ts'
import { Announcer } from './announcer.svelte.ts'
import type { Connection } from './connection.svelte.ts'
import { fractionOf, isOpen, Jobs } from './jobs.svelte.ts'
import { Messages } from './messages.svelte.ts'
import { Navigation } from './navigation.svelte.ts'
import { Overlays } from './overlays.svelte.ts'
import { Project } from './project.svelte.ts'
import { isLearning, Runs } from './runs.svelte.ts'
import { Theme } from './theme.svelte.ts'
import { Training } from './training.svelte.ts'

const pauseBeforeListeningAgainMilliseconds = 500

/** The states of all concerns, and what goes across them: events, opening projects, starting work. */
export class AppState {
  readonly connection: Connection
  readonly navigation = new Navigation()
  readonly theme = new Theme()
  readonly overlays = new Overlays()
  readonly messages = new Messages()
  readonly announcer = new Announcer()
  readonly project: Project
  readonly jobs: Jobs
  readonly runs: Runs
  readonly training: Training
  /** Whether Prepare also makes optical flow. */
  withFlow = $state(true)
  #preparing = $state(false)
  #exporting = $state(false)

  readonly prepareJob: Job | null = $derived.by(() => {
    const job = this.jobs.latest('prepare')
    return job !== null && isOpen(job) ? job : null
  })
  readonly exportJob: Job | null = $derived.by(() => {
    const job = this.jobs.latest('export')
    return job !== null && isOpen(job) ? job : null
  })
  /** Clips that Prepare would work on. */
  readonly unpreparedClipCount = $derived.by(() => {
    const project = this.project.current
    if (project === null) return 0
    if (this.withFlow && !project.hasFlow) return this.project.usableClipCount
    return Math.max(0, this.project.usableClipCount - project.preparedClipCount)
  })
  readonly canPrepare = $derived.by(
    () =>
      this.project.current?.kind === 'videos' &&
      this.unpreparedClipCount > 0 &&
      this.prepareJob === null &&
      !this.#preparing,
  )
  readonly canTrain = $derived.by(
    () =>
      this.training.plan !== null &&
      this.training.plan.blockedBy === null &&
      this.training.plan.problems.length === 0 &&
      this.training.invalid.length === 0 &&
      this.runs.learning === null &&
      !this.training.starting,
  )
  readonly canExport = $derived.by(
    () => this.runs.exportable !== null && this.exportJob === null && !this.#exporting,
  )

  readonly #api: Api
  #folder: string | null = null
  #refreshing: Promise<void> | null = null
  #refreshAgain = false

  constructor(api: Api, connection: Connection) {
    this.#api = api
    this.connection = connection
    this.project = new Project(api)
    this.jobs = new Jobs(api)
    this.runs = new Runs(api)
    this.training = new Training(api)
  }

  /** Loads everything and follows every change until `signal` is aborted. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const events = await this.#api.events(undefined, { signal })
        await this.refresh()
        for await (const event of events) this.#apply(event)
      } catch {
        // The link reports the lost connection; here we only listen again once it is back.
      }
      await new Promise((resolve) => setTimeout(resolve, pauseBeforeListeningAgainMilliseconds))
    }
  }

  /** Asks again for project, jobs, runs and recommendation; calls while one is under way share the next. */
  async refresh(): Promise<void> {
    if (this.#refreshing !== null) {
      this.#refreshAgain = true
      return this.#refreshing
    }
    this.#refreshing = this.#refreshOnce()
    try {
      await this.#refreshing
    } finally {
      this.#refreshing = null
    }
    if (this.#refreshAgain) {
      this.#refreshAgain = false
      await this.refresh()
    }
  }

  async openFolder(folder: string): Promise<void> {
    await this.#attempt(async () => {
      await this.project.openFolder(folder)
      await this.#enterProject()
    })
  }

  async openSample(): Promise<void> {
    await this.#attempt(async () => {
      await this.project.openSample()
      await this.#enterProject()
    })
  }

  async closeProject(): Promise<void> {
    await this.#attempt(async () => {
      await this.project.close()
      this.navigation.go('library')
      await this.refresh()
    })
  }

  /** The system's folder dialog where the host has one, else the folder chooser of the page. */
  async chooseFolder(): Promise<void> {
    await this.#attempt(async () => {
      const answer = await this.#api.files.chooseFolder()
      if (!answer.available) this.overlays.show('folder')
      else if (answer.path !== null) await this.openFolder(answer.path)
    })
  }

  listFolder(path: string | null): ReturnType<Api['files']['list']> {
    return this.#api.files.list({ path })
  }

  /** Shows a folder in the file manager; where the host cannot, the message says where it is. */
  async reveal(path: string): Promise<void> {
    await this.#attempt(async () => {
      const { opened } = await this.#api.files.reveal({ path })
      if (!opened) this.messages.say(texts.export.folderIsAt(path))
    })
  }

  async prepare(): Promise<void> {
    if (!this.canPrepare) return
    this.#preparing = true
    await this.#attempt(() => this.#api.dataset.prepare({ flow: this.withFlow ? 'dis' : 'none' }))
    this.#preparing = false
  }

  async startTraining(): Promise<void> {
    if (!this.canTrain) return
    await this.#attempt(async () => {
      const runId = await this.training.start()
      if (runId !== null) this.runs.choose(runId)
    })
  }

  /** Stops the training of a run; what it has learned by then is checked all the same. */
  async stopRun(runId: number): Promise<void> {
    const job = this.jobs.list.find((each) => each.runId === runId && each.kind === 'train' && isOpen(each))
    if (job !== undefined) await this.cancelJob(job.id)
  }

  async resumeRun(runId: number): Promise<void> {
    await this.#attempt(async () => {
      const resumed = await this.#api.training.resume({ runId })
      this.runs.choose(resumed.runId)
    })
  }

  /** Checks what a run that has ended early has learned. */
  async checkRun(runId: number): Promise<void> {
    await this.#attempt(() => this.#api.runs.evaluate({ runId }))
  }

  /** Shows every setting of the next run. */
  showAllSettings(): void {
    this.navigation.go('train')
    this.runs.settingUp = true
    this.overlays.show('spec')
    void this.training.loadSpec()
  }

  async cancelJob(jobId: number): Promise<void> {
    await this.#attempt(() => this.jobs.cancel(jobId))
  }

  async exportChosen(): Promise<void> {
    const run = this.runs.exportable
    if (run === null || !this.canExport) return
    this.#exporting = true
    await this.#attempt(() => this.#api.runs.export({ runId: run.id }))
    this.#exporting = false
  }

  /** Does what a person asked for; a failure becomes a message. */
  async #attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action()
    } catch (error) {
      this.messages.fail(error)
    }
  }

  async #enterProject(): Promise<void> {
    this.navigation.go('library')
    await this.refresh()
  }

  async #refreshOnce(): Promise<void> {
    await this.project.refresh()
    const folder = this.project.current?.folder ?? null
    if (folder !== this.#folder) {
      this.#folder = folder
      this.runs.forget()
      this.training.forget()
    }
    if (folder === null) return
    await Promise.all([this.jobs.refresh(), this.runs.refresh(), this.training.refresh()])
  }

  #apply(event: AppEvent): void {
    if (event.type === 'project') {
      void this.refresh()
    } else if (event.type === 'opening') {
      this.project.openingProgress = event.progress
    } else if (event.type === 'job') {
      this.#announceJob(event.job)
      this.jobs.apply(event.job)
    } else {
      const wasLearning = this.runs.list.some((run) => run.id === event.run.id && isLearning(run))
      this.runs.apply(event.run)
      if (wasLearning && !isLearning(event.run)) void this.training.refresh()
    }
  }

  #announceJob(job: Job): void {
    const before = this.jobs.list.find((each) => each.id === job.id)
    const fraction = fractionOf(job)
    if (fraction !== null && job.status === 'running')
      this.announcer.progress(`job-${job.id}`, job.title, fraction)
    if (before !== undefined && isOpen(before) && !isOpen(job)) {
      this.announcer.say(texts.jobs.ended(job))
      if (job.status === 'failed') this.messages.fail(new Error(job.message ?? texts.jobs.ended(job)))
    }
  }
}

export const [getApp, setApp] = createContext<AppState>()
