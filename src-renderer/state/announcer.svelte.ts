/** What screen readers are told: progress at steps of 25 % and at its end, nothing more often. */
export class Announcer {
  text = $state('')
  readonly #lastQuarter: Record<string, number> = {}

  say(text: string): void {
    this.text = text
  }

  /** @param fraction From 0 to 1. */
  progress(key: string, title: string, fraction: number): void {
    const quarter = Math.floor(fraction * 4)
    const last = this.#lastQuarter[key]
    this.#lastQuarter[key] = quarter
    if (last === undefined || quarter <= last || quarter >= 4) return
    this.say(`${title}: ${quarter * 25} %`)
  }
}
