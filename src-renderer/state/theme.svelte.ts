export const themeChoices = ['auto', 'light', 'dark', 'hc'] as const
export type ThemeChoice = (typeof themeChoices)[number]

const storageKey = 'kineo.theme'

function storedChoice(): ThemeChoice {
  const stored = localStorage.getItem(storageKey)
  return themeChoices.find((choice) => choice === stored) ?? 'auto'
}

/** Light, dark, high contrast, or what the system asks for. */
export class Theme {
  choice = $state<ThemeChoice>(storedChoice())
  #systemDark = $state(false)
  #systemContrast = $state(false)
  readonly effective = $derived(
    this.choice !== 'auto' ? this.choice : this.#systemContrast ? 'hc' : this.#systemDark ? 'dark' : 'light',
  )

  constructor() {
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const contrast = matchMedia('(prefers-contrast: more)')
    const read = (): void => {
      this.#systemDark = dark.matches
      this.#systemContrast = contrast.matches
      this.#apply()
    }
    dark.addEventListener('change', read)
    contrast.addEventListener('change', read)
    read()
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice
    localStorage.setItem(storageKey, choice)
    this.#apply()
  }

  /** Goes on to the next choice, for the key. */
  next(): void {
    this.choose(themeChoices[(themeChoices.indexOf(this.choice) + 1) % themeChoices.length] ?? 'auto')
  }

  #apply(): void {
    document.documentElement.dataset['theme'] = this.effective
  }
}
