/** The vertical reader that all charts of a screen share: which epoch it stands on. */
export class ChartReader {
  epoch = $state<number | null>(null)
  /** A click keeps the reader where it is. */
  kept = $state(false)

  hover(epoch: number | null): void {
    if (!this.kept) this.epoch = epoch
  }

  keep(epoch: number): void {
    this.kept = !(this.kept && this.epoch === epoch)
    this.epoch = epoch
  }

  move(epoch: number, last: number): void {
    this.epoch = Math.min(last, Math.max(1, epoch))
    this.kept = true
  }

  leave(): void {
    this.kept = false
    this.epoch = null
  }
}
