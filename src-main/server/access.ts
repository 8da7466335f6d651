import { randomBytes, timingSafeEqual } from 'node:crypto'

/** Names by which a browser on this machine (or behind an ssh tunnel, on any port) may reach a loopback server. */
const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Who may use the browser host. The address that Kineo prints carries a token that works once, so that it is worth nothing
 * in a history or a list of processes; it is traded for a cookie that scripts cannot read and other sites cannot send.
 */
export class Access {
  readonly #session = randomBytes(24).toString('hex')
  readonly #cookieName: string
  #token: string | null = null

  /** @param port Part of the cookie's name, since browsers share cookies between the ports of a host. */
  constructor(port: number) {
    this.#cookieName = `kineo-${port}`
  }

  /** Makes a token; an older unused one is void. */
  newToken(): string {
    this.#token = randomBytes(24).toString('hex')
    return this.#token
  }

  /** Whether `token` is the one that was given out; it is used up by this. */
  redeem(token: string | null | undefined): boolean {
    if (this.#token === null || !isSame(token, this.#token)) return false
    this.#token = null
    return true
  }

  /** Value of `Set-Cookie` for somebody whose token was redeemed. */
  cookie(): string {
    return `${this.#cookieName}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`
  }

  /** Whether a `Cookie` header holds the session. */
  admits(cookieHeader: string | null | undefined): boolean {
    const cookies = (cookieHeader ?? '').split(';').map((pair) => pair.trim().split('='))
    return cookies.some(([name, value]) => name === this.#cookieName && isSame(value, this.#session))
  }
}

function isSame(given: string | null | undefined, expected: string): boolean {
  if (typeof given !== 'string' || given.length !== expected.length) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(expected))
}

/** False for a foreign name that somebody has pointed at this machine (DNS rebinding). */
export function isLoopbackHost(hostHeader: string | null | undefined): boolean {
  const name = /^(.*?)(?::\d{1,5})?$/.exec(hostHeader ?? '')?.[1] ?? ''
  return loopbackNames.has(name.toLowerCase())
}

/** Whether a page of this very server opens a WebSocket; browsers let any page try. */
export function isOwnOrigin(
  origin: string | null | undefined,
  hostHeader: string | null | undefined,
): boolean {
  return isLoopbackHost(hostHeader) && origin === `http://${hostHeader ?? ''}`
}
