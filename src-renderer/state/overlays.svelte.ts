import { tick } from 'svelte'

export type Overlay = 'palette' | 'keys' | 'folder' | 'spec' | 'jobs' | 'project' | 'theme'

/** Which of the floating things is open: at most one, and Esc closes it. */
export class Overlays {
  open = $state<Overlay | null>(null)
  #focusBefore: HTMLElement | null = null

  show(overlay: Overlay): void {
    // One that takes the place of another leaves the focus to where it was before both.
    if (this.#focusBefore === null && document.activeElement instanceof HTMLElement)
      this.#focusBefore = document.activeElement
    this.open = overlay
  }

  toggle(overlay: Overlay): void {
    if (this.open === overlay) this.close()
    else this.show(overlay)
  }

  /** Closes what is open and gives the focus back, once the page behind a dialog can take it. */
  close(): void {
    if (this.open === null) return
    this.open = null
    void tick().then(() => {
      if (this.open !== null) return
      this.#focusBefore?.focus()
      this.#focusBefore = null
    })
  }
}
