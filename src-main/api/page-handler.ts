import { existsSync } from 'node:fs'
import { join, normalize, sep } from 'node:path'
import { fileResponse, textResponse } from './file-response.ts'

/**
 * What the page may load and do: its own files only. `connect-src` names WebSockets of the same host since `'self'` does
 * not cover them in every browser.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob: data:",
  "font-src 'self' data:",
  "connect-src 'self' ws:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Headers of every answer to the page, on both hosts. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), display-capture=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

export type RequestHandler = (request: Request) => Promise<Response>

/** Serves the built renderer: `/` is index.html, files in assets/ have their hash in the name and stay cached. */
export function pageHandler(rendererFolder: string): RequestHandler {
  return async (request) => {
    const path = filePath(rendererFolder, new URL(request.url).pathname)
    if (path === null) return textResponse(404, 'Not found')
    const hashed = path.startsWith(join(rendererFolder, 'assets') + sep)
    return fileResponse(request, path, hashed ? 'private, max-age=31536000, immutable' : 'no-cache')
  }
}

/** The file that a path of the page means, or null for one outside the folder. */
function filePath(folder: string, pathname: string): string | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(pathname)
  } catch {
    return null
  }
  const path = normalize(join(folder, decoded === '/' ? 'index.html' : decoded))
  return path.startsWith(folder + sep) && !decoded.includes('\0') ? path : null
}

/** True when the renderer was built. */
export function isRendererBuilt(rendererFolder: string): boolean {
  return existsSync(join(rendererFolder, 'index.html'))
}

/** Adds headers to an answer whose own headers may be locked. */
export function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const merged = new Headers(response.headers)
  for (const [name, value] of Object.entries(headers)) merged.set(name, value)
  return new Response(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers: merged,
  })
}
