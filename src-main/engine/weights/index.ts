export {
  adaptWeights,
  describeAdaptation,
  type AdaptationReport,
  type AdaptedWeights,
} from './adapt-weights.ts'
export { readWeights, type Weights } from './read-weights.ts'
