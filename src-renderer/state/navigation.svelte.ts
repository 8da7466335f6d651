export const steps = ['library', 'dataset', 'train', 'review', 'export'] as const
export type Step = (typeof steps)[number]

function stepOfAddress(): Step {
  const name = location.hash.replace(/^#/, '')
  return steps.find((step) => step === name) ?? 'library'
}

/** Which step is open. It stands in the address, so that going back and loading again keep it. */
export class Navigation {
  step = $state<Step>(stepOfAddress())

  constructor() {
    window.addEventListener('hashchange', () => (this.step = stepOfAddress()))
  }

  go(step: Step): void {
    location.hash = step
    this.step = step
  }
}
