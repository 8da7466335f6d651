import type { TaskHooks } from '../tasks/index.ts'
import { progressLine } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

/** Between lines that tell progress where the output is no terminal. */
const millisecondsBetweenLines = 10_000

/**
 * Shows the lines and the progress of long work: as one live line in a terminal, else as a line now and then.
 * @param say Where the work's own lines go.
 */
export function longWorkHooks(
  terminal: Terminal,
  signal: AbortSignal,
  say: (text: string) => void = (text) => terminal.line(text),
): TaskHooks {
  let lastLine = performance.now()
  return {
    signal,
    onLine: (text) => {
      say(text)
      terminal.event('line', { text })
    },
    onProgress: (progress) => {
      terminal.live(progressLine(progress))
      terminal.event('progress', progress)
      if (terminal.interactive || performance.now() - lastLine < millisecondsBetweenLines) return
      lastLine = performance.now()
      terminal.line(progressLine(progress))
    },
  }
}
