import { steps } from '../state/navigation.svelte.ts'
import { texts } from '../texts/index.ts'
import type { CommandSource } from './command.ts'

export const navigationCommands: CommandSource = (app) =>
  steps.map((step, index) => ({
    id: `go.${step}`,
    title: texts.step[step].title,
    group: 'go',
    icon: step,
    keys: String(index + 1),
    enabled: app.project.current !== null || step === 'library',
    run: () => app.navigation.go(step),
  }))
