export { FlowPool, pairsInRequest } from './flow-pool.ts'
export { flowToGray, rgbToGray, type GrayFlow } from './gray.ts'
export { OpticalFlow, type Flow, type FlowPreset } from './optical-flow.ts'
