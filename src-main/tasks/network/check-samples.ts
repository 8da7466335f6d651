import { checkDataset, type TransformConfig, type VideoSample } from '../../dataset/index.ts'
import type { Spec } from '../../spec/index.ts'
import type { TaskHooks } from '../hooks.ts'

/**
 * Looks at the header of every image before any long work, so that what cannot be used is told at once and not hours
 * later.
 * @param transform What the images will go through.
 * @throws KineoError (input) naming the images; CancelledError.
 */
export async function checkSamples(
  spec: Spec,
  samples: readonly VideoSample[],
  transform: TransformConfig,
  hooks: TaskHooks,
): Promise<void> {
  await checkDataset(samples, {
    modelType: spec.model.model_type,
    transforms: [transform],
    signal: hooks.signal,
    onProgress: hooks.onProgress,
    onNote: hooks.onLine,
  })
}
