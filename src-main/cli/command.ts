import type { Terminal } from './terminal.ts'

/** What every command gets from the entry: where to print, and the signal that Ctrl-C aborts. */
export interface CommandContext {
  terminal: Terminal
  signal: AbortSignal
}

/** One command of `kineo`: it reads its arguments, calls one task and prints what the task reports. */
export interface Command {
  name: string
  /** Usage, options and examples, as `kineo NAME --help` prints it. */
  help: string
  /**
   * @param args Arguments after the command's name, without `--json` and `--help`, which the entry handles.
   * @returns Exit code; an expected failure is thrown as a KineoError instead and becomes 1, 2 or 130.
   */
  run(args: string[], context: CommandContext): Promise<number>
}
