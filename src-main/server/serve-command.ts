import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Workbench } from '../api/index.ts'
import { KineoError } from '../core/errors.ts'
import { startBrowserHost } from './browser-host.ts'
import { hasDisplay, openOnDesktop } from './desktop-opener.ts'

export const serveHelp = `kineo serve: the app, for a browser on this machine

  kineo serve [--port N] [--project DIR] [--open | --no-open]

  --port N       Port to listen on, on loopback only (default: the first free one from 5180)
  --project DIR  Open this folder of videos, dataset or project at once
  --open         Open the browser (default where there is a display); --no-open only prints the address

On a machine without a display: ssh -L 5180:127.0.0.1:5180 BOX, then open the printed address at home.
Ctrl-C stops serving; a running job goes on and the next start shows it.`

export interface ServeOptions {
  /** Aborting it stops the server. Without it SIGINT and SIGTERM do. */
  signal?: AbortSignal
  print?: (line: string) => void
}

/**
 * `kineo serve`: serves the app to browsers until it is stopped.
 *
 * @returns Exit code.
 * @throws KineoError on a wrong option, a port that is taken, or a project that cannot be opened.
 */
export async function serveCommand(args: string[], options: ServeOptions = {}): Promise<number> {
  const print = options.print ?? ((line: string) => console.log(line))
  const settings = parse(args)
  if (settings.help) {
    print(serveHelp)
    return 0
  }
  const log = (line: string): void => console.error(line)
  const workbench = new Workbench({ kind: 'browser', reveal: openOnDesktop, log })
  try {
    if (settings.project !== undefined) await workbench.open(settings.project)
    const host = await startBrowserHost({ workbench, port: settings.port, log })
    const link = host.newLink()
    print(`Kineo runs at ${link}`)
    const opened = settings.open && (await openOnDesktop(link))
    print(
      opened
        ? 'It opens in your browser. Ctrl-C stops it.'
        : 'Open this address in your browser. Ctrl-C stops it.',
    )
    const stopOffering = offerLinks(() => print(`A new link: ${host.newLink()}`))
    await stopRequest(options.signal)
    stopOffering()
    const running = workbench.openJobs.length
    await host.close()
    print(
      running === 0
        ? 'Kineo has stopped.'
        : 'Kineo has stopped serving. Jobs go on; the next start shows them.',
    )
    return 0
  } finally {
    workbench.dispose()
  }
}

interface ServeSettings {
  port: number | undefined
  project: string | undefined
  open: boolean
  help: boolean
}

function parse(args: string[]): ServeSettings {
  try {
    const { values } = parseArgs({
      args,
      allowNegative: true,
      options: {
        port: { type: 'string' },
        project: { type: 'string' },
        open: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return {
      port: values.port === undefined ? undefined : parsePort(values.port),
      project: values.project,
      open: values.open ?? hasDisplay(),
      help: values.help ?? false,
    }
  } catch (error) {
    if (error instanceof KineoError) throw error
    const what = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw new KineoError('usage', what ?? 'Wrong option', { remedy: 'See kineo serve --help' })
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65535) return port
  throw new KineoError('usage', `--port takes a number from 0 to 65535, not ${text}`)
}

/** Prints a fresh link whenever Enter is pressed: each works only once. */
function offerLinks(offer: () => void): () => void {
  if (!process.stdin.isTTY) return () => {}
  const lines = createInterface({ input: process.stdin })
  lines.on('line', offer)
  return () => lines.close()
}

function stopRequest(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => resolve()
    if (signal !== undefined) {
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
      return
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  })
}
