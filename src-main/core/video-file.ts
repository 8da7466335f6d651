import { basename, extname } from 'node:path'

const videoExtensions = new Set(
  '.3g2 .3gp .asf .avi .divx .f4v .flv .gif .h264 .hevc .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv .y4m'.split(
    ' ',
  ),
)

/** Whether the name is that of a video; hidden files (`._clip.mp4` of macOS) are not. */
export function isVideoFile(path: string): boolean {
  return !basename(path).startsWith('.') && videoExtensions.has(extname(path).toLowerCase())
}
