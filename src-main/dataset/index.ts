/** Datasets in TAO's layout: listing, frame sampling, transforms and the batch loader. */
export type { ModelType, Stream, StreamInputs } from '../core/streams.ts'
export { BatchLoader, type Batch, type LoaderOptions } from './batch-loader.ts'
export { checkDataset, type DatasetCheck } from './check-dataset.ts'
export type { ColorJitter } from './color-jitter.ts'
export type { Crop } from './crops.ts'
export { flippedClasses } from './flipped-classes.ts'
export type { ReportNote } from './problems.ts'
export { frameCount, listDataset, listVideos, type VideoSample } from './samples.ts'
export {
  sampleCenterFrames,
  sampleSegments,
  sampleTrainingFrames,
  type FrameIndices,
  type SampleStrategy,
  type SamplingRule,
  type SegmentRule,
} from './sampling.ts'
export { checkTransform, type Normalisation, type TransformConfig } from './transforms.ts'
