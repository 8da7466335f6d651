import { describeError, exitCodeOf, KineoError } from '../core/errors.ts'
import { serveCommand } from './serve-command.ts'

/** Entry of the browser host, as `npm start` runs it. */
try {
  process.exitCode = await serveCommand(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof KineoError ? describeError(error) : error)
  process.exitCode = exitCodeOf(error)
}
