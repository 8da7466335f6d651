import { basename, extname } from 'node:path'

const videoExtensions = new Set(
  '.3g2 .3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv'.split(
    ' ',
  ),
)

/** Whether the name is that of a video; hidden files (`._clip.mp4` of macOS) are not. */
export function isVideoFile(path: string): boolean {
  return !basename(path).startsWith('.') && videoExtensions.has(extname(path).toLowerCase())
}
