import { themeChoices } from '../state/theme.svelte.ts'
import { texts } from '../texts/index.ts'
import type { CommandSource } from './command.ts'

export const viewCommands: CommandSource = (app) => [
  {
    id: 'view.palette',
    title: texts.commands.palette,
    group: 'view',
    icon: 'search',
    keys: 'Ctrl+K',
    enabled: true,
    run: () => app.overlays.show('palette'),
  },
  {
    id: 'view.keys',
    title: texts.commands.keys,
    group: 'view',
    icon: 'keyb',
    keys: '?',
    enabled: true,
    run: () => app.overlays.show('keys'),
  },
  {
    id: 'view.jobs',
    title: texts.commands.jobs,
    group: 'view',
    icon: 'clock',
    keys: 'J',
    enabled: true,
    run: () => app.overlays.toggle('jobs'),
  },
  {
    id: 'view.next-theme',
    title: texts.commands.nextTheme,
    group: 'view',
    icon: 'sun',
    keys: 'T',
    enabled: true,
    run: () => app.theme.next(),
  },
  ...themeChoices.map((choice) => ({
    id: `view.theme.${choice}`,
    title: texts.commands.theme(texts.shell.theme[choice]),
    group: 'view' as const,
    icon: 'sun' as const,
    keys: null,
    enabled: app.theme.choice !== choice,
    run: () => app.theme.choose(choice),
  })),
]
