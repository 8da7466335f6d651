import type { AppEvent } from './contract/index.ts'

/** What a later event about the same thing replaces. */
function subjectOf(event: AppEvent): string {
  if (event.type === 'job') return `job ${event.job.id}`
  if (event.type === 'run') return `run ${event.run.id}`
  return event.type
}

/** One client's events that it has not taken yet: the latest for each subject, so that a slow client costs nothing. */
class Subscriber {
  readonly #pending = new Map<string, AppEvent>()
  #wake: (() => void) | null = null

  put(event: AppEvent): void {
    this.#pending.set(subjectOf(event), event)
    this.#wake?.()
  }

  wake(): void {
    this.#wake?.()
  }

  take(): AppEvent | undefined {
    const [first] = this.#pending
    if (first === undefined) return undefined
    this.#pending.delete(first[0])
    return first[1]
  }

  async wait(): Promise<void> {
    if (this.#pending.size > 0) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = null
  }
}

/** Hands every change to every client. */
export class EventHub {
  readonly #subscribers = new Set<Subscriber>()

  /** Number of clients that listen. */
  get size(): number {
    return this.#subscribers.size
  }

  emit(event: AppEvent): void {
    for (const subscriber of this.#subscribers) subscriber.put(event)
  }

  /**
   * Everything that changes, until the signal is aborted or the reader stops.
   *
   * @param start What the stream begins with.
   */
  async *subscribe(
    start: readonly AppEvent[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<AppEvent, void> {
    const subscriber = new Subscriber()
    for (const event of start) subscriber.put(event)
    const wake = (): void => subscriber.wake()
    this.#subscribers.add(subscriber)
    signal?.addEventListener('abort', wake, { once: true })
    try {
      while (signal?.aborted !== true) {
        const event = subscriber.take()
        if (event === undefined) await subscriber.wait()
        else yield event
      }
    } finally {
      this.#subscribers.delete(subscriber)
      signal?.removeEventListener('abort', wake)
    }
  }
}
