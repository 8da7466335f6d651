/** The parts of a keyboard event that a chord is made of. */
export interface KeyPress {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
}

/** `Ctrl+K`, `Ctrl+Enter`, `?`, `P`: the chord of a key press as commands write it, or null with Alt. */
export function chordOf(press: KeyPress): string | null {
  if (press.altKey) return null
  const key = press.key.length === 1 ? press.key.toUpperCase() : press.key
  return press.ctrlKey || press.metaKey ? `Ctrl+${key}` : key
}

/** True where letters are typed, so that single-letter keys must not act. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox' && target.type !== 'radio'
  return (
    target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable
  )
}

/** Focuses the next region of the window, for F6. */
export function focusNextPane(root: ParentNode): void {
  const panes = [...root.querySelectorAll<HTMLElement>('[data-pane]')].filter(
    (pane) => pane.offsetParent !== null,
  )
  if (panes.length === 0) return
  const current = panes.findLastIndex((pane) => pane.contains(document.activeElement))
  const next = panes[(current + 1) % panes.length]
  const inside = next?.querySelector<HTMLElement>(
    'a[href], button:not(:disabled), input, select, [tabindex="0"]',
  )
  inside?.focus()
}
