import type { TrainSettings } from '../../../src-main/api/contract/index.ts'

/** One input of an exported model. */
export interface ModelInput {
  name: 'input_rgb' | 'input_of'
  /** Sizes behind the batch: channels (2D: of all frames), in 3D frames, height, width. */
  sizes: number[]
}

/** The inputs of the model of a run, in the order in which they are fed. */
export function modelInputs(settings: TrainSettings): ModelInput[] {
  const { modelType, inputType, rgbFrames, ofFrames, height, width } = settings
  const sizes = (channels: number, frames: number): number[] =>
    inputType === '3d' ? [channels, frames, height, width] : [channels * frames, height, width]
  const inputs: ModelInput[] = []
  if (modelType !== 'of') inputs.push({ name: 'input_rgb', sizes: sizes(3, rgbFrames) })
  if (modelType !== 'rgb') inputs.push({ name: 'input_of', sizes: sizes(2, ofFrames) })
  return inputs
}
