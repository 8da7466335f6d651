import { texts } from '../texts/index.ts'
import type { CommandSource } from './command.ts'

export const projectCommands: CommandSource = (app) => {
  const free = app.project.opening === null
  const recent = (app.project.info?.recentProjects ?? []).filter(
    (each) => each.folder !== app.project.current?.folder,
  )
  return [
    {
      id: 'project.open-folder',
      title: texts.commands.openFolder,
      group: 'project',
      icon: 'folder',
      keys: 'Ctrl+O',
      enabled: free,
      run: () => void app.chooseFolder(),
    },
    {
      id: 'project.open-sample',
      title: texts.commands.openSample,
      group: 'project',
      icon: 'flag',
      keys: 'S',
      enabled: free,
      run: () => void app.openSample(),
    },
    {
      id: 'project.close',
      title: texts.shell.closeProject,
      group: 'project',
      icon: 'x',
      keys: null,
      enabled: app.project.current !== null,
      run: () => void app.closeProject(),
    },
    ...recent.map((each) => ({
      id: `project.recent.${each.folder}`,
      title: texts.commands.openRecent(each.name),
      group: 'project' as const,
      icon: 'folder' as const,
      keys: null,
      enabled: free,
      run: () => void app.openFolder(each.folder),
    })),
  ]
}
