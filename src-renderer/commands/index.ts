import type { AppState } from '../state/app.svelte.ts'
import type { Command } from './command.ts'
import { navigationCommands } from './navigation.ts'
import { projectCommands } from './project.ts'
import { viewCommands } from './view.ts'
import { workCommands } from './work.ts'

/** The one command list, for the state as it is now. */
export function commandsOf(app: AppState): Command[] {
  return [workCommands, navigationCommands, projectCommands, viewCommands].flatMap((source) => source(app))
}
