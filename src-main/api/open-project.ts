import type { StartWorker } from '../jobs/index.ts'
import { JobQueue } from '../jobs/index.ts'
import type { ClipRecord, Project } from '../project/index.ts'
import { ClipMedia } from './clip-media.ts'
import { probeClips } from './clip-prober.ts'
import type { AppEvent, Clip, ProjectState } from './contract/index.ts'
import { folderBytes } from './folder-bytes.ts'
import { presentClip, presentJob, presentRun, presentState } from './present.ts'
import type { MediaSource } from './media-handler.ts'

/** How often the database is asked whether a worker has written, in milliseconds. */
const watchInterval = 200
/** Least time between two words about changed clips, since clients then ask for all of them. */
const clipsInterval = 600

export interface OpenProjectOptions {
  startWorker: StartWorker | undefined
  emit: (event: AppEvent) => void
  log: (line: string) => void
}

/** The project that the host has open: it watches what workers write and tells the clients. */
export class OpenProject implements MediaSource {
  readonly project: Project
  readonly media: ClipMedia
  readonly queue: JobQueue
  readonly key: string
  readonly #options: OpenProjectOptions
  readonly #stop = new AbortController()
  readonly #watch: NodeJS.Timeout
  /** Last state told of each job and run, as JSON. */
  readonly #told = new Map<string, string>()
  #dataVersion: number
  #clipRevision: number
  #clipsToldAt = Number.NEGATIVE_INFINITY
  #datasetBytes: number | null = null
  /** Revision of the clips at which the dataset was measured last. */
  #measuredRevision = -1
  #measuring = false

  constructor(project: Project, options: OpenProjectOptions) {
    this.project = project
    this.#options = options
    this.key = project.record().key
    this.media = new ClipMedia(project)
    this.#dataVersion = project.dataVersion()
    this.#clipRevision = project.clips.revision()
    this.queue = new JobQueue(project, {
      ...(options.startWorker === undefined ? {} : { startWorker: options.startWorker }),
      onChange: () => this.tell(),
    })
    this.#watch = setInterval(() => this.#look(), watchInterval)
    this.#watch.unref()
    for (const event of this.everything()) this.#told.set(...toldEntry(event))
    this.#background()
  }

  state(): ProjectState {
    return presentState(this.project, this.#datasetBytes)
  }

  clips(): Clip[] {
    return this.project.clips.all().map((clip) => presentClip(clip, this.media))
  }

  clip(id: number): ClipRecord | null {
    return this.project.clips.get(id)
  }

  /** Every job and run, as events. */
  everything(): AppEvent[] {
    return [
      ...this.project.jobs.all().map((job): AppEvent => ({ type: 'job', job: presentJob(job) })),
      ...this.project.runs
        .all()
        .map((run): AppEvent => ({ type: 'run', run: presentRun(this.project, run) })),
    ]
  }

  /** Tells the clients what differs from what they were told last. */
  tell(): void {
    for (const event of this.everything()) {
      const [subject, text] = toldEntry(event)
      if (this.#told.get(subject) === text) continue
      this.#told.set(subject, text)
      this.#options.emit(event)
    }
    this.#tellClips()
  }

  /** Changes that come in quick succession are told together; the watch tells the last of them. */
  #tellClips(): void {
    const now = performance.now()
    if (now - this.#clipsToldAt < clipsInterval) return
    const revision = this.project.clips.revision()
    if (revision === this.#clipRevision) return
    this.#clipRevision = revision
    this.#clipsToldAt = now
    this.#options.emit({ type: 'project' })
  }

  /** Reads on where the clips have changed. */
  refresh(): void {
    this.tell()
    this.#background()
  }

  close(): void {
    clearInterval(this.#watch)
    this.#stop.abort()
    this.queue.close()
    this.media.close()
    this.project.close()
  }

  #look(): void {
    const version = this.project.dataVersion()
    if (version === this.#dataVersion) this.#tellClips()
    else {
      this.#dataVersion = version
      this.tell()
    }
    if (!this.#measuring && this.#clipRevision !== this.#measuredRevision) void this.#measureDataset()
  }

  /** What takes longer than opening may: reading the heads of the videos. */
  #background(): void {
    const { signal } = this.#stop
    probeClips(this.project, this.media, () => this.tell(), signal).catch((error: unknown) => {
      if (!signal.aborted) this.#options.log(`While reading the clips: ${String(error)}`)
    })
  }

  /** Adds up the size of the dataset, which takes a while, when it stands still. */
  async #measureDataset(): Promise<void> {
    if (this.project.jobs.open().some((job) => job.kind === 'prepare')) return
    this.#measuring = true
    this.#measuredRevision = this.#clipRevision
    const bytes = await folderBytes(this.project.datasetFolder, this.#stop.signal)
    this.#measuring = false
    if (this.#stop.signal.aborted || bytes === this.#datasetBytes) return
    this.#datasetBytes = bytes
    this.#options.emit({ type: 'project' })
  }
}

function toldEntry(event: AppEvent): [string, string] {
  if (event.type === 'job') return [`job ${event.job.id}`, JSON.stringify(event.job)]
  if (event.type === 'run') return [`run ${event.run.id}`, JSON.stringify(event.run)]
  return [event.type, '']
}
