import type { ClientContext, ClientLink, ClientOptions } from '@orpc/client'
import type { Channel } from './channel.ts'

export type ConnectionListener = (state: { connected: boolean; failedAttempts: number }) => void

const firstWaitMilliseconds = 300
const longestWaitMilliseconds = 5000

/**
 * A link that survives the loss of its connection: calls under way fail, calls made meanwhile wait for the
 * next connection, and the next connection is tried with growing pauses for as long as the page lives.
 */
export class ReconnectingLink implements ClientLink<ClientContext> {
  readonly #openChannel: () => Channel
  readonly #listener: ConnectionListener
  #current: Promise<ClientLink<ClientContext>>

  constructor(openChannel: () => Channel, listener: ConnectionListener) {
    this.#openChannel = openChannel
    this.#listener = listener
    this.#current = this.#connect()
  }

  async call(
    path: readonly string[],
    input: unknown,
    options: ClientOptions<ClientContext>,
  ): Promise<unknown> {
    const link = await this.#current
    return link.call(path, input, options)
  }

  async #connect(): Promise<ClientLink<ClientContext>> {
    for (let failedAttempts = 0; ; failedAttempts++) {
      const channel = this.#openChannel()
      try {
        await channel.opened
      } catch {
        this.#listener({ connected: false, failedAttempts: failedAttempts + 1 })
        await new Promise((resolve) =>
          setTimeout(resolve, Math.min(longestWaitMilliseconds, firstWaitMilliseconds * 2 ** failedAttempts)),
        )
        continue
      }
      this.#listener({ connected: true, failedAttempts: 0 })
      void channel.closed.then(() => {
        this.#listener({ connected: false, failedAttempts: 0 })
        this.#current = this.#connect()
      })
      return channel.link
    }
  }
}
