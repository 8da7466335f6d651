/** Runs named checks one after another and counts them; a later check may rely on what an earlier one did. */
export class Checks {
  #passed = 0
  #failed = 0

  /** A check that others may go on without. */
  async check(name: string, work: () => Promise<void>): Promise<boolean> {
    const started = performance.now()
    try {
      await work()
      this.#passed++
      console.log(`ok   ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
      return true
    } catch (error) {
      this.#failed++
      console.log(`FAIL ${name}`)
      console.log(error instanceof Error ? (error.stack ?? error.message) : error)
      return false
    }
  }

  /** A check without which nothing after it makes sense: its failure ends the whole test. */
  async must(name: string, work: () => Promise<void>): Promise<void> {
    if (!(await this.check(name, work))) throw new StoppedError(name)
  }

  /** The closing line of the whole test. */
  get summary(): string {
    return `${this.#passed} passed, ${this.#failed} failed`
  }

  get exitCode(): 0 | 1 {
    return this.#failed === 0 ? 0 : 1
  }
}

export class StoppedError extends Error {
  constructor(name: string) {
    super(`Stopped, since the rest builds on: ${name}`)
  }
}
