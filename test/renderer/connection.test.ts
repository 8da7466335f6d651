import { describe, expect, it } from 'vitest'
import type { Channel } from '../../src-renderer/api/channel.ts'
import { ReconnectingLink } from '../../src-renderer/api/reconnecting-link.ts'

/** Connections that the test opens, refuses and cuts. */
function channels(): {
  open: () => Channel
  cut: () => void
  refuse: (times: number) => void
  opened: () => number
} {
  let refusals = 0
  let openedCount = 0
  let cutCurrent = (): void => undefined
  return {
    open: () => {
      if (refusals > 0) {
        refusals--
        return {
          link: { call: () => Promise.reject(new Error('never')) },
          opened: Promise.reject(new Error('refused')),
          closed: Promise.resolve(),
        }
      }
      const number = ++openedCount
      const closed = new Promise<void>((resolve) => (cutCurrent = resolve))
      return {
        link: { call: (path) => Promise.resolve(`${path.join('.')} by ${number}`) },
        opened: Promise.resolve(),
        closed,
      }
    },
    cut: () => cutCurrent(),
    refuse: (times) => (refusals = times),
    opened: () => openedCount,
  }
}

describe('the link that reconnects', () => {
  it('lets calls wait for the next connection and tells the listener', async () => {
    const connections = channels()
    const states: { connected: boolean; failedAttempts: number }[] = []
    const link = new ReconnectingLink(connections.open, (state) => states.push(state))
    const options = { context: {} }
    expect(await link.call(['app', 'info'], undefined, options)).toBe('app.info by 1')

    connections.refuse(1)
    connections.cut()
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(await link.call(['app', 'info'], undefined, options)).toBe('app.info by 2')
    expect(connections.opened()).toBe(2)
    expect(states).toEqual([
      { connected: true, failedAttempts: 0 },
      { connected: false, failedAttempts: 0 },
      { connected: false, failedAttempts: 1 },
      { connected: true, failedAttempts: 0 },
    ])
  })
})
