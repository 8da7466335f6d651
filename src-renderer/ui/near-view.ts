/** Tells elements of one scrolling area when they come near the view and when they leave it. */
export class NearView {
  readonly #observer: IntersectionObserver
  readonly #listeners = new WeakMap<Element, (near: boolean) => void>()

  /** @param margin How far outside of the view still counts as near, as a CSS length. */
  constructor(margin: string) {
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) this.#listeners.get(entry.target)?.(entry.isIntersecting)
      },
      { rootMargin: margin },
    )
  }

  /** @returns Stops watching. */
  watch(element: Element, listener: (near: boolean) => void): () => void {
    this.#listeners.set(element, listener)
    this.#observer.observe(element)
    return () => this.#observer.unobserve(element)
  }

  dispose(): void {
    this.#observer.disconnect()
  }
}
