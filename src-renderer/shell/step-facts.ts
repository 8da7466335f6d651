import type { Job } from '../../src-main/api/contract/index.ts'
import type { AppState } from '../state/app.svelte.ts'
import { fractionOf, isOpen } from '../state/jobs.svelte.ts'
import type { Step } from '../state/navigation.svelte.ts'
import { texts } from '../texts/index.ts'
import { rightCount } from '../verdicts/review-verdict.ts'

/** What the rail says of a step: one line of fact and a mark. */
export interface StepFact {
  text: string
  mark: 'done' | 'attention' | 'running' | 'open' | 'off'
  job: Job | null
}

function trainFact(app: AppState): StepFact {
  const words = texts.step.train
  const learning = app.runs.learning
  if (learning !== null) {
    const epoch = learning.live?.epoch ?? learning.points.length + 1
    return {
      text:
        learning.status === 'queued'
          ? words.queued
          : words.epoch(Math.min(epoch, learning.settings.epochs), learning.settings.epochs),
      mark: 'running',
      job: app.jobs.list.find((job) => job.runId === learning.id && isOpen(job)) ?? null,
    }
  }
  if (app.runs.list.length > 0) return { text: words.runs(app.runs.list.length), mark: 'done', job: null }
  const blocked = app.training.plan?.blockedBy !== null
  return { text: blocked ? words.waits : words.ready, mark: blocked ? 'off' : 'open', job: null }
}

/** The fact of one step for the state as it is now. */
export function stepFact(app: AppState, step: Step): StepFact {
  const project = app.project.current
  if (project === null) {
    if (step === 'library') return { text: texts.step.library.start, mark: 'open', job: null }
    return { text: texts.step[step].waits, mark: 'off', job: null }
  }
  switch (step) {
    case 'library':
      return {
        text: texts.step.library.fact(project.clipCount, project.brokenClipCount),
        mark: project.brokenClipCount > 0 ? 'attention' : 'done',
        job: null,
      }
    case 'dataset': {
      const job = app.prepareJob
      if (job !== null) {
        const percentDone = `${Math.round((fractionOf(job) ?? 0) * 100)} %`
        return { text: texts.step.dataset.running(percentDone), mark: 'running', job }
      }
      const missing = Math.max(0, app.project.usableClipCount - project.preparedClipCount)
      if (missing > 0) return { text: texts.step.dataset.missing(missing), mark: 'open', job: null }
      return { text: texts.step.dataset.ready(project.preparedClipCount), mark: 'done', job: null }
    }
    case 'train':
      return trainFact(app)
    case 'review': {
      const evaluating =
        app.jobs.list.find((job) => job.kind === 'evaluate' && job.status === 'running') ?? null
      if (evaluating !== null) return { text: texts.step.review.evaluating, mark: 'running', job: evaluating }
      const run = app.runs.reviewed
      if (run === null) return { text: texts.step.review.waits, mark: 'off', job: null }
      const evaluation = app.runs.evaluationOf(run.id)
      if (evaluation === null) return { text: texts.step.review.result(run.name), mark: 'done', job: null }
      const wrong = evaluation.videos.length - rightCount(evaluation)
      return { text: texts.step.review.mistakes(run.name, wrong), mark: 'done', job: null }
    }
    case 'export': {
      const run = app.runs.exportable
      if (run === null) return { text: texts.step.export.waits, mark: 'off', job: null }
      if (run.exportedFile === null) return { text: texts.step.export.open, mark: 'open', job: null }
      return { text: texts.step.export.done(run.name), mark: 'done', job: null }
    }
  }
}
