/** Where a command prints to. Text for people, or with `--json` one JSON object a line for programs. */
export interface Terminal {
  /** True with `--json`: `line` and `live` print nothing, `event` prints. */
  readonly json: boolean
  /** True when standard output is a terminal that can rewrite a line. */
  readonly interactive: boolean
  /** Prints a line of text; a live line is cleared first. */
  line(text: string): void
  /** Rewrites the live line. Prints nothing where the output is no terminal: use `line` for milestones there. */
  live(text: string): void
  /** Prints `{type, ...fields}` on one line, with `--json` only. */
  event(type: string, fields: object): void
  /** Prints a line to standard error, in both modes; a live line is cleared first. */
  warn(text: string): void
}

/** The part of a Node stream that a terminal needs. */
export interface OutputStream {
  write(text: string): unknown
  isTTY?: boolean | undefined
  columns?: number | undefined
}

const clearLine = '\r\u001b[2K'

/** Makes the terminal of a process, or one over other streams for tests. */
export function createTerminal(
  json: boolean,
  output: OutputStream = process.stdout,
  errors: OutputStream = process.stderr,
): Terminal {
  const interactive = !json && output.isTTY === true
  let liveShown = false
  const clearLive = (): void => {
    if (liveShown) output.write(clearLine)
    liveShown = false
  }
  return {
    json,
    interactive,
    line(text) {
      if (json) return
      clearLive()
      output.write(`${text}\n`)
    },
    live(text) {
      if (!interactive) return
      const width = output.columns ?? 80
      output.write(clearLine + (text.length < width ? text : `${text.slice(0, width - 2)}…`))
      liveShown = true
    },
    event(type, fields) {
      if (json) output.write(`${JSON.stringify({ type, ...fields })}\n`)
    },
    warn(text) {
      clearLive()
      errors.write(`${text}\n`)
    },
  }
}
