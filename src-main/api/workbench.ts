import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import { isAbsolute, join, relative } from 'node:path'
import { describeError, KineoError } from '../core/errors.ts'
import type { ReportProgress } from '../core/progress.ts'
import { version } from '../core/version.ts'
import { renderSampleAside } from '../jobs/index.ts'
import type { StartWorker } from '../jobs/index.ts'
import { ffmpegVersion } from '../media/index.ts'
import {
  canonicalFolder,
  freeProjectFolder,
  kineoHome,
  Project,
  projectOfSource,
  recentProjects,
  rememberProject,
} from '../project/index.ts'
import type {
  AppEvent,
  AppInfo,
  Clip,
  Evaluation,
  Exported,
  FolderListing,
  Job,
  ProjectState,
  Run,
  SpecChanges,
  TrainPlan,
} from './contract/index.ts'
import { EventHub } from './event-hub.ts'
import { listFolder } from './folder-listing.ts'
import { mediaHandler } from './media-handler.ts'
import { OpenProject } from './open-project.ts'
import { evaluateChain, exportChain, prepareChain, resumeChain, startRun } from './plan-jobs.ts'
import { planRun } from './plan-run.ts'
import { modelFile, presentEvaluation, presentJob, presentRun } from './present.ts'
import type { RequestHandler } from './page-handler.ts'
import { readSourceFolder } from './source-folder.ts'

/** What only the host can do. */
export interface HostAbilities {
  kind: 'desktop' | 'browser'
  /** Shows the system's folder dialog; null when it was cancelled. Absent where there is none. */
  chooseFolder?: () => Promise<string | null>
  /** Opens a folder in the file manager. Absent where there is none. */
  reveal?: (path: string) => Promise<boolean>
  /** Starts a worker; the default is a detached process of this Node. */
  startWorker?: StartWorker
  /** For bugs, which the person does not get to read in the app. */
  log: (line: string) => void
}

/** Everything that the app can do, for all clients of one host. It knows neither Electron nor HTTP. */
export class Workbench {
  readonly #host: HostAbilities
  readonly #events = new EventHub()
  /** Serves the media addresses that clips carry. */
  readonly media: RequestHandler
  #open: OpenProject | null = null
  #opening: Promise<unknown> = Promise.resolve()

  constructor(host: HostAbilities) {
    this.#host = host
    this.media = mediaHandler(() => this.#open, host.log)
  }

  async info(): Promise<AppInfo> {
    const cpuCount = availableParallelism()
    return {
      version,
      host: this.#host.kind,
      cpuCount,
      ffmpegVersion: await ffmpegVersion(),
      device: `CPU, ${cpuCount === 1 ? '1 thread' : `${cpuCount} threads`}`,
      homeFolder: homedir(),
      recentProjects: await recentProjects(),
    }
  }

  listFolder(path: string | null): Promise<FolderListing> {
    return listFolder(path)
  }

  async chooseFolder(): Promise<{ path: string | null; available: boolean }> {
    if (this.#host.chooseFolder === undefined) return { path: null, available: false }
    return { path: await this.#host.chooseFolder(), available: true }
  }

  /** Opens a folder of the project in the file manager. Paths outside the project are refused. */
  async reveal(path: string): Promise<{ opened: boolean }> {
    const { project } = this.#required()
    const inside = relative(await canonicalFolder(project.folder), await canonicalFolder(path))
    if (inside.startsWith('..') || isAbsolute(inside) || !existsSync(path)) {
      throw new KineoError('input', 'This folder does not belong to the project', { where: path })
    }
    return { opened: (await this.#host.reveal?.(path)) ?? false }
  }

  state(): ProjectState | null {
    return this.#open?.state() ?? null
  }

  clips(): Clip[] {
    return this.#required().clips()
  }

  /**
   * Opens a project folder, or the project of a source folder, which is made when there is none yet. The project that was
   * open before is closed; its jobs go on.
   *
   * @throws KineoError when the folder holds nothing that can be opened.
   */
  open(folder: string): Promise<ProjectState> {
    return this.#oneAtATime(async () => this.#show(await openFolder(folder, this.#host.log)))
  }

  /** Renders the sample clips where they are missing, telling how far it is, and opens them. */
  openSample(): Promise<ProjectState> {
    return this.#oneAtATime(async () => {
      try {
        const opening = openSampleFolder((progress) => this.#events.emit({ type: 'opening', progress }))
        return this.#show(await opening)
      } finally {
        this.#events.emit({ type: 'opening', progress: null })
      }
    })
  }

  close(): Promise<null> {
    return this.#oneAtATime(() => {
      this.#open?.close()
      this.#open = null
      this.#events.emit({ type: 'project' })
      return Promise.resolve(null)
    })
  }

  jobs(): Job[] {
    return this.#open?.project.jobs.all().map(presentJob) ?? []
  }

  cancelJob(jobId: number): null {
    this.#required().queue.cancel(jobId)
    return null
  }

  prepare(flow: 'dis' | 'none'): { jobId: number } {
    const { project, queue } = this.#required()
    const [jobId = 0] = queue.add(prepareChain(project, flow))
    return { jobId }
  }

  planTraining(changes: SpecChanges): TrainPlan {
    return planRun(this.#required().project, changes)
  }

  startTraining(changes: SpecChanges): { runId: number } {
    const { project, queue } = this.#required()
    const { runId, chain } = startRun(project, changes)
    queue.add(chain)
    return { runId }
  }

  resumeTraining(runId: number): { runId: number } {
    const { project, queue } = this.#required()
    queue.add(resumeChain(project, runId))
    return { runId }
  }

  runs(): Run[] {
    const project = this.#open?.project
    return project?.runs.all().map((run) => presentRun(project, run)) ?? []
  }

  evaluateRun(runId: number): { jobId: number } {
    const { project, queue } = this.#required()
    const [jobId = 0] = queue.add(evaluateChain(project, runId))
    return { jobId }
  }

  evaluation(runId: number): Evaluation | null {
    const { project, media } = this.#required()
    return presentEvaluation(project, media, runId)
  }

  exportRun(runId: number): { jobId: number } {
    const { project, queue } = this.#required()
    const [jobId = 0] = queue.add(exportChain(project, runId))
    return { jobId }
  }

  async exported(runId: number): Promise<Exported | null> {
    const folder = join(this.#required().project.runFolder(runId), 'export')
    if (!existsSync(join(folder, modelFile))) return null
    const files: Exported['files'] = []
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isFile()) files.push({ name: entry.name, bytes: (await stat(join(folder, entry.name))).size })
    }
    return { runId, folder, files: files.sort((a, b) => a.name.localeCompare(b.name)) }
  }

  /** Everything that exists, then everything that changes, until the signal is aborted. */
  events(signal: AbortSignal | undefined): AsyncGenerator<AppEvent, void> {
    return this.#events.subscribe(this.#open?.everything() ?? [], signal)
  }

  /** Number of clients that listen to events. */
  get listenerCount(): number {
    return this.#events.size
  }

  /** Jobs that wait or run in the open project; they outlive the host. */
  get openJobs(): Job[] {
    return this.#open?.project.jobs.open().map(presentJob) ?? []
  }

  /** Lets go of the project; running jobs go on in their own process. */
  dispose(): void {
    this.#open?.close()
    this.#open = null
  }

  #required(): OpenProject {
    if (this.#open !== null) return this.#open
    throw new KineoError('usage', 'No project is open', { remedy: 'Open a folder of videos first' })
  }

  #show(project: Project): ProjectState {
    const before = this.#open
    if (before?.project.folder === project.folder) {
      // The same again: what changed in its folder was read just now; whoever looks at it goes on.
      project.close()
      before.refresh()
      return before.state()
    }
    before?.close()
    const open = new OpenProject(project, {
      startWorker: this.#host.startWorker,
      emit: (event) => this.#events.emit(event),
      log: this.#host.log,
    })
    this.#open = open
    this.#events.emit({ type: 'project' })
    for (const event of open.everything()) this.#events.emit(event)
    return open.state()
  }

  /** Two clients that open folders at once do so one after the other. */
  #oneAtATime<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#opening.then(work)
    this.#opening = result.catch(() => undefined)
    return result
  }
}

async function openFolder(folder: string, log: (line: string) => void): Promise<Project> {
  const path = await canonicalFolder(folder)
  const existing = Project.existsIn(path) ? path : projectOfSource(path)
  const project = existing === null ? await createProject(path) : Project.open(existing)
  try {
    if (existing !== null) await rescan(project, log)
    await rememberProject(project)
    return project
  } catch (error) {
    project.close()
    throw error
  }
}

async function createProject(sourceFolder: string): Promise<Project> {
  const source = await readSourceFolder(sourceFolder)
  const folder = freeProjectFolder(sourceFolder)
  const name = folder.slice(kineoHome().length + 1)
  const project = Project.create(folder, { name, kind: source.kind, sourceFolder, isSample: false })
  project.clips.synchronise(source.classNames, source.clips)
  return project
}

/** Reads what has changed in the source folder. One that is not there now leaves the project as it is. */
async function rescan(project: Project, log: (line: string) => void): Promise<void> {
  const { sourceFolder } = project.record()
  const known = new Map(project.clips.all().map((clip) => [clip.path, clip.split]))
  try {
    const source = await readSourceFolder(sourceFolder, known)
    project.clips.synchronise(source.classNames, source.clips)
  } catch (error) {
    if (!(error instanceof KineoError)) throw error
    log(`The source folder was not read again: ${describeError(error)}`)
  }
}

async function openSampleFolder(onProgress: ReportProgress): Promise<Project> {
  const folder = join(kineoHome(), 'Sample')
  const clips = join(folder, 'clips')
  await renderSampleAside(clips, onProgress)
  const project = Project.existsIn(folder)
    ? Project.open(folder)
    : Project.create(folder, { name: 'Sample', kind: 'videos', sourceFolder: clips, isSample: true })
  try {
    const source = await readSourceFolder(clips)
    project.clips.synchronise(source.classNames, source.clips)
    await rememberProject(project)
    return project
  } catch (error) {
    project.close()
    throw error
  }
}
