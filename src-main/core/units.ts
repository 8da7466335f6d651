/**
 * Frames, seconds and presentation time stamps are different types, so that one cannot be passed for another.
 * Only a frame table (media/) converts between them.
 */
declare const unit: unique symbol

/** 0-based index into the decoded frames of one video, in presentation order. */
export type FrameIndex = number & { readonly [unit]: 'frame index' }
/** A time or a duration in seconds. */
export type Seconds = number & { readonly [unit]: 'seconds' }
/** A presentation time stamp in units of its stream's time base. */
export type Pts = number & { readonly [unit]: 'pts' }

/** @throws RangeError when `value` is not a whole number of 0 or more. */
export function frameIndex(value: number): FrameIndex {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a frame index: ${value}`)
  return value as FrameIndex
}

/** @throws RangeError when `value` is not finite. */
export function seconds(value: number): Seconds {
  if (!Number.isFinite(value)) throw new RangeError(`not a time in seconds: ${value}`)
  return value as Seconds
}
