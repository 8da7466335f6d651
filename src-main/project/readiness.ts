import type { TrainSettings } from '../core/work.ts'
import type { ClipRecord } from './records.ts'

/** True when the clip's frames are there. */
export function isPrepared(clip: ClipRecord): boolean {
  return clip.framesFolder !== null && (clip.hasRgb || clip.hasFlow)
}

/** True when a network of this type can learn from the clip now. */
export function isReadyFor(clip: ClipRecord, modelType: TrainSettings['modelType']): boolean {
  if (clip.problem !== null || !isPrepared(clip)) return false
  return (modelType === 'of' || clip.hasRgb) && (modelType === 'rgb' || clip.hasFlow)
}
