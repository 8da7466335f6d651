import { implement, ORPCError } from '@orpc/server'
import { isCancelled, KineoError } from '../core/errors.ts'
import { contract } from './contract/index.ts'
import { specKeys } from './plan-run.ts'
import type { Workbench } from './workbench.ts'

/** The contract over a workbench. Hosts put it behind a WebSocket or a MessagePort. */
export function createRouter(workbench: Workbench, log: (line: string) => void) {
  const os = implement(contract).use(async ({ next, path }) => {
    try {
      return await next()
    } catch (error) {
      throw toRpcError(error, path.join('.'), log)
    }
  })
  return os.router({
    app: { info: os.app.info.handler(() => workbench.info()) },
    files: {
      list: os.files.list.handler(({ input }) => workbench.listFolder(input.path)),
      chooseFolder: os.files.chooseFolder.handler(() => workbench.chooseFolder()),
      reveal: os.files.reveal.handler(({ input }) => workbench.reveal(input.path)),
    },
    project: {
      state: os.project.state.handler(() => workbench.state()),
      open: os.project.open.handler(({ input }) => workbench.open(input.folder)),
      openSample: os.project.openSample.handler(() => workbench.openSample()),
      close: os.project.close.handler(() => workbench.close()),
      clips: os.project.clips.handler(() => workbench.clips()),
    },
    jobs: {
      list: os.jobs.list.handler(() => workbench.jobs()),
      cancel: os.jobs.cancel.handler(({ input }) => workbench.cancelJob(input.jobId)),
    },
    dataset: { prepare: os.dataset.prepare.handler(({ input }) => workbench.prepare(input.flow)) },
    training: {
      spec: os.training.spec.handler(() => specKeys()),
      plan: os.training.plan.handler(({ input }) => workbench.planTraining(input.changes)),
      start: os.training.start.handler(({ input }) => workbench.startTraining(input.changes)),
      resume: os.training.resume.handler(({ input }) => workbench.resumeTraining(input.runId)),
    },
    runs: {
      list: os.runs.list.handler(() => workbench.runs()),
      evaluate: os.runs.evaluate.handler(({ input }) => workbench.evaluateRun(input.runId)),
      evaluation: os.runs.evaluation.handler(({ input }) => workbench.evaluation(input.runId)),
      export: os.runs.export.handler(({ input }) => workbench.exportRun(input.runId)),
      exported: os.runs.exported.handler(({ input }) => workbench.exported(input.runId)),
    },
    events: os.events.handler(({ signal }) => workbench.events(signal)),
  })
}

export type AppRouter = ReturnType<typeof createRouter>

/**
 * What the renderer gets of a failure: an expected one whole (code, where and remedy as data), a bug only as the fact that
 * there was one; its text goes to the log.
 */
export function toRpcError(error: unknown, path: string, log: (line: string) => void): Error {
  if (error instanceof ORPCError) return error
  if (error instanceof KineoError) {
    const { code, message, where, remedy } = error
    return new ORPCError('KINEO', {
      status: 422,
      message,
      data: { code, where: where ?? null, remedy: remedy ?? null },
    })
  }
  if (isCancelled(error)) return new ORPCError('CLIENT_CLOSED_REQUEST', { message: 'Stopped' })
  log(`${path}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return new ORPCError('INTERNAL_SERVER_ERROR', {
    message: 'Something went wrong inside Kineo',
    data: { code: 'internal', where: path, remedy: 'Try again; the details are in the log of Kineo' },
  })
}
