import { serveCommand as serve, serveHelp } from '../../server/serve-command.ts'
import type { Command } from '../command.ts'

export const serveCommand: Command = {
  name: 'serve',
  help: `${serveHelp}\n`,
  run: (args, { signal, terminal }) =>
    serve(args, {
      signal,
      print: (text) => {
        terminal.line(text)
        terminal.event('line', { text })
      },
    }),
}
