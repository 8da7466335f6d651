import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { Readable } from 'node:stream'

const contentTypes = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ico', 'image/x-icon'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.m4v', 'video/mp4'],
  ['.mov', 'video/quicktime'],
  ['.mp4', 'video/mp4'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.wasm', 'application/wasm'],
  ['.webm', 'video/webm'],
  ['.woff2', 'font/woff2'],
])

/** A short text as an answer. */
export function textResponse(status: number, text: string): Response {
  return new Response(text, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } })
}

type ByteRange = { start: number; end: number }

/**
 * The range that a `Range` header asks for: null for the whole file (also when the header is none that we know, as
 * RFC 9110 wants), 'unsatisfiable' when it lies outside.
 */
function parseRange(header: string | null, size: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (match === null) return null
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return null
  if (first === '') {
    const length = Number(last)
    return length === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - length), end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return null
  return start >= size ? 'unsatisfiable' : { start, end }
}

/**
 * Answers GET and HEAD with a file, or the one range of it that was asked for.
 *
 * @param cacheControl For instance `private, max-age=31536000, immutable` where the address names the version.
 */
export async function fileResponse(request: Request, path: string, cacheControl: string): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return new Response(null, { status: 405, headers: { Allow: 'GET, HEAD' } })
  }
  const info = await stat(path).catch(() => null)
  if (info === null || !info.isFile()) return textResponse(404, 'Not found')

  const etag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`
  const headers = new Headers({
    'Content-Type': contentTypes.get(extname(path).toLowerCase()) ?? 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    'Cache-Control': cacheControl,
    ETag: etag,
  })
  const range = parseRange(request.headers.get('range'), info.size)
  if (range === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${info.size}`)
    headers.delete('Content-Type')
    return new Response(null, { status: 416, headers })
  }
  if (range === null && request.headers.get('if-none-match') === etag) {
    return new Response(null, { status: 304, headers })
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 }
  if (range !== null) headers.set('Content-Range', `bytes ${start}-${end}/${info.size}`)
  headers.set('Content-Length', String(end - start + 1))
  const status = range === null ? 200 : 206
  if (request.method === 'HEAD' || info.size === 0) return new Response(null, { status, headers })

  const stream = createReadStream(path, { start, end, highWaterMark: 256 * 1024 })
  // A viewer that seeks drops its request; that is no error of ours.
  stream.on('error', () => {})
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { status, headers })
}
