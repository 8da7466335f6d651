import { argmax } from '../evaluation/metrics.ts'

/** A stretch of a video in which the same class has the highest score. */
export interface Stretch {
  label: string
  /** Both inclusive, counted from 0. */
  firstFrame: number
  lastFrame: number
  /** Mean score of the label over the windows of the stretch, 0..1. */
  score: number
}

interface OpenStretch {
  classIndex: number
  firstFrame: number
  sum: number
  windows: number
}

/** More are only counted: a summary is to be read, and the memory must not grow with the video. */
export const mostStretches = 200

/**
 * Which class leads when. A window speaks for its middle, so that one stretch gives way to the next half-way between the
 * middles of two windows; the first begins and the last ends with the video.
 */
export class Timeline {
  readonly #classNames: readonly string[]
  readonly #stretches: Stretch[] = []
  readonly #frames: number[]
  #more = 0
  #open: OpenStretch | null = null
  #lastMiddle = 0

  constructor(classNames: readonly string[]) {
    this.#classNames = classNames
    this.#frames = classNames.map(() => 0)
  }

  /** Takes the windows of a video in order. */
  add(frames: { first: number; last: number }, scores: readonly number[]): void {
    const classIndex = argmax(scores)
    const middle = (frames.first + frames.last) / 2
    if (this.#open?.classIndex !== classIndex) {
      const border = this.#open === null ? 0 : Math.ceil((this.#lastMiddle + middle) / 2)
      if (this.#open !== null) this.#close(this.#open, border - 1)
      this.#open = { classIndex, firstFrame: border, sum: 0, windows: 0 }
    }
    this.#open.sum += scores[classIndex] ?? 0
    this.#open.windows++
    this.#lastMiddle = middle
  }

  /** @param frameCount Frames of the video. */
  finish(frameCount: number): {
    stretches: Stretch[]
    moreStretches: number
    frames: Record<string, number>
  } {
    if (this.#open !== null) this.#close(this.#open, frameCount - 1)
    this.#open = null
    return {
      stretches: this.#stretches,
      moreStretches: this.#more,
      frames: Object.fromEntries(this.#classNames.map((name, i) => [name, this.#frames[i] ?? 0])),
    }
  }

  #close({ classIndex, firstFrame, sum, windows }: OpenStretch, lastFrame: number): void {
    // Of windows closer than a frame, which resampled videos have, one may speak for none.
    if (lastFrame < firstFrame) return
    this.#frames[classIndex] = (this.#frames[classIndex] ?? 0) + lastFrame - firstFrame + 1
    if (this.#stretches.length >= mostStretches) {
      this.#more++
      return
    }
    const label = this.#classNames[classIndex] ?? ''
    this.#stretches.push({ label, firstFrame, lastFrame, score: sum / windows })
  }
}
