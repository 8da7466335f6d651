import { describeError, isCancelled, KineoError } from '../core/errors.ts'
import type { ClipMedia } from './clip-media.ts'
import { fileResponse, textResponse } from './file-response.ts'
import type { RequestHandler } from './page-handler.ts'
import type { ClipRecord } from '../project/index.ts'

/** What the handler needs of the open project. */
export interface MediaSource {
  key: string
  media: ClipMedia
  clip(id: number): ClipRecord | null
}

/** Prefix of every media address, on both hosts. */
export const mediaPrefix = '/media/'

/** The address names the file's version, so that it may stay in the browser's cache for good. */
const cacheForGood = 'private, max-age=31536000, immutable'

/**
 * Serves `/media/<project key>/clips/<id>/{video,thumbnail}` with ranges. Addresses hold ids, never paths, so no request
 * reaches a file that is not a clip of the open project.
 *
 * @param source The open project, or null.
 */
export function mediaHandler(source: () => MediaSource | null, log: (line: string) => void): RequestHandler {
  return async (request) => {
    const { pathname } = new URL(request.url)
    const [, key, id, what] =
      /^\/media\/([0-9a-f]+)\/clips\/(\d{1,9})\/(video|thumbnail)$/.exec(pathname) ?? []
    const project = source()
    if (project === null || key !== project.key || id === undefined) return textResponse(404, 'Not found')
    const clip = project.clip(Number(id))
    if (clip === null) return textResponse(404, 'Not found')
    try {
      const path = await (what === 'video'
        ? project.media.playableFile(clip)
        : project.media.thumbnailFile(clip))
      return await fileResponse(request, path, cacheForGood)
    } catch (error) {
      if (isCancelled(error)) return textResponse(503, 'The project was closed')
      if (!(error instanceof KineoError)) log(`${pathname}: ${String(error)}`)
      return textResponse(422, describeError(error))
    }
  }
}
