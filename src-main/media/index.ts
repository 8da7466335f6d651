export { decodeFrames, type DecodedFrame, type DecodeOptions } from './decode.ts'
export { encodeClips, makeProxy, thumbnail, type EncodeOptions, type ThumbnailOptions } from './encode.ts'
export { ffmpegVersion, mediaTools, type MediaTools } from './media-tools.ts'
export { probe, type MediaInfo } from './probe.ts'
export { cutExactly, type Cut, type ExactCutOptions } from './exact-cut.ts'
export { cutAtKeyFrames, type TrueCut } from './keyframe-cut.ts'
export {
  FrameTable,
  packedFrameTable,
  readFrameTable,
  type FrameTableContent,
  type FrameTableOptions,
  type PackedFrameTable,
  type TimeBase,
} from './frame-table.ts'
