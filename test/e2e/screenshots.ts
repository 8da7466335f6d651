import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import sharp from 'sharp'
import { chooseTheme, type ThemeName } from './appearance.ts'
import { findChromium, launch } from './browser.ts'
import { buildPage, cancelJobs, Host, root } from './host.ts'
import { until } from './until.ts'

/** Makes the pictures of the README from the sample: `npm run screenshots`. Takes some minutes, since it trains. */
const folder = join(root, 'docs/images')
const shortRunEpochs = 2
const longRunEpochs = 12
const longRunShownAt = 9

async function picture(page: Page, name: string, theme: ThemeName): Promise<void> {
  await chooseTheme(page, theme)
  await page.mouse.move(0, 0)
  await page.waitForTimeout(600)
  const shot = await page.screenshot()
  await sharp(shot)
    .png({ palette: true, colours: 192, dither: 0.6, compressionLevel: 9 })
    .toFile(join(folder, `${name}.png`))
  console.log(`docs/images/${name}.png`)
}

async function takeAll(context: BrowserContext, host: Host): Promise<void> {
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  await page.goto(host.link)
  await page.getByText('This computer can train.').waitFor()
  await picture(page, 'start', 'light')
  const cookies = await context.cookies()
  const { api, close } = host.client(cookies.map((each) => `${each.name}=${each.value}`).join('; '))

  await page.getByRole('button', { name: 'Open sample' }).click()
  await page.getByRole('option').first().waitFor({ timeout: 300_000 })
  await until(
    'all clips were read',
    async () => (await api.project.clips()).every((clip) => clip.durationSeconds !== null),
    300,
  )
  await page.getByRole('option').first().focus()
  await page.waitForLoadState('networkidle')
  await picture(page, 'library', 'light')

  const start = (epochs: number) => api.training.start({ changes: { 'train.num_epochs': String(epochs) } })
  const short = await start(shortRunEpochs)
  const runOf = async (runId: number) => (await api.runs.list()).find((run) => run.id === runId)
  await until('the short run is checked', async () => (await runOf(short.runId))?.evaluated === true, 1200)
  await page.keyboard.press('2')
  await picture(page, 'dataset', 'light')
  await page.keyboard.press('4')
  await page.getByTestId('accuracy').waitFor()
  await page.waitForLoadState('networkidle')
  await picture(page, 'review', 'dark')

  const long = await start(longRunEpochs)
  const pointCount = async () => (await runOf(long.runId))?.points.length ?? 0
  await page.goto(`${host.origin}/#train`)
  await page.getByRole('heading', { name: 'Run 2' }).waitFor()
  await until('the curves have a shape', async () => (await pointCount()) >= longRunShownAt, 1800)
  await picture(page, 'train', 'light')
  await cancelJobs(api)
  close()
}

const executablePath = findChromium()
if (executablePath === null) {
  console.log('No Chromium here: set CHROMIUM_PATH or install it (Debian: apt-get install chromium).')
  process.exitCode = 1
} else {
  mkdirSync(folder, { recursive: true })
  const home = mkdtempSync(join(tmpdir(), 'kineo-screenshots-'))
  buildPage()
  const host = await Host.start(home)
  const browser = await launch(executablePath)
  try {
    await takeAll(await browser.newContext({ viewport: { width: 1280, height: 800 } }), host)
  } finally {
    await browser.close()
    await host.stop()
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}
