import { describeError, exitCodeOf, isCancelled, KineoError } from '../core/errors.ts'
import { outputError } from '../core/system-error.ts'
import { version } from '../core/version.ts'
import { suggestKey } from '../spec/suggest.ts'
import type { Command } from './command.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** The commands, loaded when they are asked for: `--help` does not wait for onnxruntime. */
const commands: Record<string, { summary: string; load: () => Promise<Command> }> = {
  import: {
    summary: 'bring HMDB51, UCF101, Kinetics, a table or folders of videos into class folders',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  cut: {
    summary: 'cut a long video into clips, frame by frame as a list says',
    load: async () => (await import('./commands/cut.ts')).cutCommand,
  },
  preprocess: {
    summary: 'make frames and optical flow from videos',
    load: async () => (await import('./commands/preprocess.ts')).preprocessCommand,
  },
  spec: {
    summary: 'write, check or explain an experiment spec',
    load: async () => (await import('./commands/spec.ts')).specCommand,
  },
  train: {
    summary: 'train a network from an experiment spec',
    load: async () => (await import('./commands/train.ts')).trainCommand,
  },
  evaluate: {
    summary: 'measure a checkpoint on labelled videos',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  },
  inference: {
    summary: 'name the action in unlabelled videos',
    load: async () => (await import('./commands/inference.ts')).inferenceCommand,
  },
  predict: {
    summary: 'say which action is seen when in a long video',
    load: async () => (await import('./commands/predict.ts')).predictCommand,
  },
  export: {
    summary: 'write a checkpoint as ONNX',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  serve: {
    summary: 'open the app in the browser, for machines without a display, too',
    load: async () => (await import('./commands/serve.ts')).serveCommand,
  },
  doctor: {
    summary: 'report what this machine offers to Kineo',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
}

const help = `Usage: kineo COMMAND [options]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(11)} ${summary}`)
  .join('\n')}

Options:
  --help      this text, or after a command its own
  --version   print the version
  --json      print one JSON object a line, for programs

Examples:
  kineo preprocess videos --out dataset --val 0.2
  kineo spec init --dataset dataset
  kineo train -e spec.yaml
  kineo evaluate -e spec.yaml evaluate.checkpoint=results/train/ar_model_latest.pth

Exit codes: 0 done, 1 failed, 2 wrong usage or spec, 130 stopped with everything resumable.
`

/** A second Ctrl-C this much later means: now. Earlier it may be the same one, handed on by the launcher. */
const impatientAfterMilliseconds = 1000

/**
 * Runs the command line.
 * @param args What follows `kineo`.
 * @returns Exit code.
 */
export async function run(args: readonly string[]): Promise<number> {
  ignoreClosedPipes()
  const json = args.includes('--json')
  const terminal = createTerminal(json)
  const [name, ...rest] = args.filter((arg) => arg !== '--json')
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return 0
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help)
    return 0
  }
  if (name === undefined) {
    process.stderr.write(help)
    return 2
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) {
    const names = Object.keys(commands)
    const near = suggestKey(name, names)
    terminal.warn(
      `kineo: ${name} is not a command. ${near === undefined ? `The commands are ${names.join(', ')}` : `Did you mean ${near}?`}`,
    )
    return 2
  }
  const stop = new AbortController()
  const release = abortOnSignals(stop, terminal)
  try {
    const command = await entry.load()
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(command.help)
      return 0
    }
    return await command.run(rest, { terminal, signal: stop.signal })
  } catch (thrown) {
    const error = isDiskFull(thrown) ? outputError(thrown, String(thrown.path ?? process.cwd())) : thrown
    report(name, error, terminal)
    return exitCodeOf(error)
  } finally {
    release()
  }
}

/** Wherever something was written: that is no bug. */
function isDiskFull(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

function report(command: string, error: unknown, terminal: Terminal): void {
  const expected = error instanceof KineoError || isCancelled(error)
  const code = error instanceof KineoError ? error.code : isCancelled(error) ? 'cancelled' : 'internal'
  terminal.event('error', { code, message: describeError(error) })
  if (expected) terminal.warn(`kineo ${command}: ${describeError(error)}`)
  else
    terminal.warn(`kineo ${command}: internal error\n${error instanceof Error ? error.stack : String(error)}`)
}

function abortOnSignals(stop: AbortController, terminal: Terminal): () => void {
  let firstAt: number | undefined
  const onSignal = (): void => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      terminal.warn('Stopping ... (press Ctrl-C again to stop at once)')
      stop.abort()
    } else if (performance.now() - firstAt > impatientAfterMilliseconds) {
      process.exit(130)
    }
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

/** `kineo ... | head` closes our output; the work goes on without it. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}
