import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findChromium, launch } from './browser.ts'
import { Checks, StoppedError } from './checks.ts'
import { buildPage, Host } from './host.ts'
import { wholeWay } from './whole-way.ts'

/**
 * The end-to-end test: the real browser host, the real page in Chromium, a real training on the sample. Ends with
 * `N passed, N failed`.
 */
const executablePath = findChromium()
if (executablePath === null) {
  console.log('No Chromium here: set CHROMIUM_PATH or install it (Debian: apt-get install chromium).')
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  const home = mkdtempSync(join(tmpdir(), 'kineo-e2e-'))
  const checks = new Checks()
  buildPage()
  const host = await Host.start(home)
  const browser = await launch(executablePath)
  try {
    await wholeWay(checks, browser, host, home)
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error
    console.log(error.message)
  } finally {
    await browser.close()
    await host.stop()
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
  console.log(checks.summary)
  process.exitCode = checks.exitCode
}
