import { failureOf, type Failure } from '../api/failure.ts'

export interface Message {
  id: number
  tone: 'ok' | 'bad'
  failure: Failure
}

const shownMilliseconds = 8000
const mostAtOnce = 2

/** Toasts: at most two, good news leaves by itself, failures stay until they are closed. */
export class Messages {
  list = $state<Message[]>([])
  #nextId = 1

  say(what: string): void {
    const id = this.#add('ok', { what, where: null, remedy: null })
    setTimeout(() => this.close(id), shownMilliseconds)
  }

  fail(error: unknown): void {
    this.#add('bad', failureOf(error))
  }

  close(id: number): void {
    this.list = this.list.filter((message) => message.id !== id)
  }

  #add(tone: Message['tone'], failure: Failure): number {
    const id = this.#nextId++
    this.list = [...this.list, { id, tone, failure }].slice(-mostAtOnce)
    return id
  }
}
