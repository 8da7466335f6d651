/** Datasets in TAO's layout: listing, frame sampling, transforms and the batch loader. */
export { BatchLoader, type Batch, type LoaderOptions } from './batch-loader.ts'
export {
  frameCount,
  listDataset,
  listVideos,
  type ModelType,
  type ReportNote,
  type VideoSample,
} from './samples.ts'
export {
  sampleCenterFrames,
  sampleTrainingFrames,
  type SampleStrategy,
  type SamplingRule,
} from './sampling.ts'
export { checkTransform, type Crop, type TransformConfig } from './transforms.ts'
