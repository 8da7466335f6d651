import type { Evaluation } from '../../../src-main/api/contract/index.ts'

export type EvaluatedVideo = Evaluation['videos'][number]

/** How sure the model was of its answer, from 0 to 1. */
export function sureness(evaluation: Evaluation, video: EvaluatedVideo): number {
  return video.scores[evaluation.classNames.indexOf(video.prediction)] ?? 0
}

/** Wrong answers, the surest first. */
export function wrongVideos(evaluation: Evaluation): EvaluatedVideo[] {
  return evaluation.videos
    .filter((video) => video.label !== video.prediction)
    .sort((a, b) => sureness(evaluation, b) - sureness(evaluation, a))
}

/** The videos that one cell of the confusion matrix counts, the surest first. */
export function videosOfCell(
  evaluation: Evaluation,
  cell: { truth: number; prediction: number },
): EvaluatedVideo[] {
  return evaluation.videos
    .filter(
      (video) =>
        video.label === evaluation.classNames[cell.truth] &&
        video.prediction === evaluation.classNames[cell.prediction],
    )
    .sort((a, b) => sureness(evaluation, b) - sureness(evaluation, a))
}
