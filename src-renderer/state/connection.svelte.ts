/** Whether the main side can be reached. */
export class Connection {
  /** `opening` until the first connection; a lost one goes on trying. */
  status = $state<'opening' | 'connected' | 'lost'>('opening')
  failedAttempts = $state(0)

  update(next: { connected: boolean; failedAttempts: number }): void {
    this.failedAttempts = next.failedAttempts
    if (next.connected) this.status = 'connected'
    else if (this.status === 'connected' || next.failedAttempts > 1) this.status = 'lost'
  }
}
