import { isLearning } from '../state/runs.svelte.ts'
import type { Step } from '../state/navigation.svelte.ts'
import { texts } from '../texts/index.ts'
import type { CommandSource } from './command.ts'

/** Prepare, train, stop, export. Ctrl+Enter is the main action of the page one is on. */
export const workCommands: CommandSource = (app) => {
  const main = (step: Step, letter: string | null): string | null =>
    app.navigation.step === step && app.project.current !== null ? 'Ctrl+Enter' : letter
  const learning = app.runs.learning
  const exportable = app.runs.exportable
  const exported = exportable === null ? null : app.runs.exportedOf(exportable.id)
  return [
    {
      id: 'work.prepare',
      title: texts.commands.prepare,
      group: 'work',
      icon: 'dataset',
      keys: main('dataset', 'P'),
      enabled: app.canPrepare,
      run: () => {
        app.navigation.go('dataset')
        void app.prepare()
      },
    },
    {
      id: 'work.train',
      title: texts.commands.startTraining,
      group: 'work',
      icon: 'play',
      keys: app.runs.showsRecipe ? main('train', null) : null,
      enabled: app.canTrain,
      run: () => {
        app.navigation.go('train')
        void app.startTraining()
      },
    },
    {
      id: 'work.new-run',
      title: texts.commands.newRun,
      group: 'work',
      icon: 'plus',
      keys: 'N',
      enabled: app.runs.list.length > 0,
      run: () => {
        app.navigation.go('train')
        app.runs.settingUp = true
      },
    },
    {
      id: 'work.settings',
      title: texts.commands.allSettings,
      group: 'work',
      icon: 'settings',
      keys: 'A',
      enabled: app.project.current !== null,
      run: () => app.showAllSettings(),
    },
    {
      id: 'work.stop',
      title: texts.commands.stopTraining,
      group: 'work',
      icon: 'stop',
      keys: 'X',
      enabled: learning !== null && isLearning(learning),
      run: () => {
        if (learning !== null) void app.stopRun(learning.id)
      },
    },
    {
      id: 'work.export',
      title: texts.commands.exportOnnx,
      group: 'work',
      icon: 'export',
      keys: exported === null ? main('export', 'E') : 'E',
      enabled: app.canExport,
      run: () => {
        app.navigation.go('export')
        void app.exportChosen()
      },
    },
    {
      id: 'work.open-export',
      title: texts.commands.openExport,
      group: 'work',
      icon: 'folder',
      keys: exported === null ? null : main('export', null),
      enabled: exported !== null,
      run: () => {
        if (exported !== null) void app.reveal(exported.folder)
      },
    },
  ]
}
