import type { AppState } from '../state/app.svelte.ts'
import { steps, type Step } from '../state/navigation.svelte.ts'
import { texts } from '../texts/index.ts'
import type { CommandSource } from './command.ts'

/** Where the main button of a page leads once its own work is done, or null. */
export function stepAfter(app: AppState): Step | null {
  if (app.project.current === null) return null
  switch (app.navigation.step) {
    case 'library':
      return app.project.current.clipCount > 0 ? 'dataset' : null
    case 'dataset':
      return app.unpreparedClipCount === 0 && app.prepareJob === null ? 'train' : null
    case 'train':
      return !app.runs.showsRecipe && app.runs.chosen?.evaluated === true ? 'review' : null
    case 'review':
      return app.runs.reviewed === null ? null : 'export'
    case 'export':
      return null
  }
}

export const navigationCommands: CommandSource = (app) => {
  const next = stepAfter(app)
  return [
    {
      id: 'go.next',
      title: texts.commands.nextStep,
      group: 'go',
      icon: 'arrow',
      keys: 'Ctrl+Enter',
      enabled: next !== null,
      run: () => {
        if (next !== null) app.navigation.go(next)
      },
    },
    ...steps.map((step, index) => ({
      id: `go.${step}`,
      title: texts.step[step].title,
      group: 'go' as const,
      icon: step,
      keys: String(index + 1),
      enabled: app.project.current !== null || step === 'library',
      run: () => app.navigation.go(step),
    })),
  ]
}
