import type { ActionClass, ProjectState } from '../../src-main/api/contract/index.ts'
import { texts } from '../texts/index.ts'
import type { Verdict } from './verdict.ts'

/** Largest class this many times the smallest counts as uneven. */
const unevenRatio = 2
/** Fewer training clips than this in a class count as few. */
const fewTrainClips = 5

/** Whether the classes have about the same number of training clips. */
export function isEven(classes: readonly ActionClass[]): boolean {
  const counts = classes.map((each) => each.trainClips)
  return counts.length > 0 && Math.max(...counts) < unevenRatio * Math.max(1, Math.min(...counts))
}

/** What the Library says of the clips that were found. */
export function libraryVerdict(project: ProjectState): Verdict {
  const words = texts.library.verdict
  if (project.clipCount === 0) return { tone: 'warn', ...words.noClips }
  if (project.brokenClipCount > 0) {
    return { tone: 'warn', ...words.broken(project.brokenClipCount, project.clipCount) }
  }
  if (project.classes.length < 2) return { tone: 'warn', ...words.oneClass }
  if (project.unreadClipCount > 0) {
    return { tone: 'info', ...words.reading(project.clipCount - project.unreadClipCount, project.clipCount) }
  }
  return { tone: 'ok', ...words.ready(project.clipCount, project.classes.length) }
}

/** What the Dataset step says: whether one can train on this, and what is missing. */
export function datasetVerdict(project: ProjectState, unpreparedClipCount: number): Verdict {
  const words = texts.dataset.verdict
  const trainCounts = project.classes.map((each) => each.trainClips)
  const empty = project.classes.filter((each) => each.trainClips === 0).map((each) => each.name)
  if (project.classes.length < 2) return { tone: 'warn', ...words.oneClass }
  if (empty.length > 0) return { tone: 'warn', ...words.emptyClasses(empty) }
  if (unpreparedClipCount > 0 && project.kind === 'videos') {
    return { tone: 'info', ...words.unprepared(unpreparedClipCount, project.preparedClipCount) }
  }
  if (project.classes.every((each) => each.valClips === 0)) return { tone: 'warn', ...words.noValidation }
  if (!isEven(project.classes)) {
    return { tone: 'warn', ...words.uneven(Math.min(...trainCounts), Math.max(...trainCounts)) }
  }
  if (Math.min(...trainCounts) < fewTrainClips)
    return { tone: 'info', ...words.few(Math.min(...trainCounts)) }
  return { tone: 'ok', ...words.ready }
}
