import { mediaPrefix, pageHandler, securityHeaders, withHeaders } from '../api/index.ts'
import type { RequestHandler } from '../api/index.ts'

/** Scheme and origin of the app's own page: `kineo://app/`. Media addresses are paths on it, as in the browser. */
export const appScheme = 'kineo'
export const appOrigin = `${appScheme}://app`

/** Whether an address belongs to the app. */
export function isAppAddress(address: string): boolean {
  return address === appOrigin || address.startsWith(`${appOrigin}/`)
}

/** Serves the built page and the media of the open project, and nothing else, to the window. */
export function appHandler(media: RequestHandler, rendererFolder: string): RequestHandler {
  const page = pageHandler(rendererFolder)
  return async (request) => {
    const { host, pathname } = new URL(request.url)
    if (host !== 'app') return new Response('Not found', { status: 404 })
    if (pathname.startsWith(mediaPrefix)) return media(request)
    return withHeaders(await page(request), securityHeaders)
  }
}
