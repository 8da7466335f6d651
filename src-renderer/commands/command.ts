import type { AppState } from '../state/app.svelte.ts'
import type { IconName } from '../ui/icons.ts'

/** One thing a person can do. Buttons, keys, palette and cheat sheet all come from the list of these. */
export interface Command {
  id: string
  title: string
  group: 'work' | 'go' | 'project' | 'view'
  icon: IconName
  /** Chord such as `Ctrl+K` or `3`, or null. */
  keys: string | null
  enabled: boolean
  run: () => void
}

/** Makes the commands of one concern for the state as it is now. */
export type CommandSource = (app: AppState) => Command[]
