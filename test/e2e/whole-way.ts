import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContext, Locator, Page, WebSocketRoute } from 'playwright-core'
import { decodeModel } from '../../src-main/engine/onnx/model.ts'
import { float32Data, float32Tensor, openSession } from '../../src-main/engine/runtime/session.ts'
import { chooseTheme, inspect, narrow, photograph, wide } from './appearance.ts'
import { watchComplaints } from './browser.ts'
import type { Checks } from './checks.ts'
import { cancelJobs, type Api, type Host } from './host.ts'
import { tabTo } from './keyboard.ts'
import { until } from './until.ts'

const epochs = 3
/** Another than the recipe's. */
const weightDecay = 0.0007
const slow = { timeout: 300_000 }

/** Opens the page in the session of `context`; `link` on the first time, the bare address afterwards. */
async function openPage(context: BrowserContext, address: string, complaints: string[]): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  watchComplaints(page, complaints)
  await page.goto(address)
  return page
}

/** Waits until the video runs and has moved on. */
async function plays(video: Locator): Promise<void> {
  await until('the video plays', () =>
    video.evaluate((element) => !element.paused && element.currentTime > 0.1),
  )
}

/** Epochs that the accuracy chart shows, which a screen reader gets as the chart's largest value. */
async function shownEpochs(page: Page): Promise<number> {
  const chart = page.getByRole('slider', { name: /^Right answers/ })
  return Number(await chart.getAttribute('aria-valuemax'))
}

/** The whole way on the sample: open, look, prepare, train, review, export; keys only where the name says so. */
export async function wholeWay(checks: Checks, browser: Browser, host: Host, home: string): Promise<void> {
  const complaints: string[] = []
  const context = await browser.newContext({
    viewport: wide,
    colorScheme: 'light',
    reducedMotion: 'no-preference',
  })
  let page = await openPage(context, host.link, complaints)

  await checks.must('the first page opens and says that this computer can train', async () => {
    await page.getByRole('heading', { name: 'Teach a model to recognise actions' }).waitFor()
    await page.getByText('This computer can train.').waitFor()
  })
  await checks.check('the first page fits, light and dark, and is accessible', () => inspect(page, 'welcome'))
  await checks.check('the folder chooser says where a wrong path is, and goes by keys', async () => {
    await mkdir(join(home, 'kitchen'))
    await mkdir(join(home, 'street'))
    await page.keyboard.press('Control+o')
    await page.getByRole('dialog').waitFor()
    await page.getByLabel('Folder', { exact: true }).fill(join(home, 'not-there'))
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('not-there').waitFor()
    await page.getByLabel('Folder', { exact: true }).fill(home)
    await page.keyboard.press('Enter')
    await page.getByRole('listbox', { name: home }).waitFor()
    await photograph(page, 'folder')
    await page.getByRole('listbox', { name: home }).focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByText('No folders in here').waitFor()
    await page.keyboard.press('Backspace')
    await page.getByRole('listbox', { name: home }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })
  await checks.must('keys only: Tab to the sample and open it', async () => {
    await tabTo(page, 'Open sample')
    await page.keyboard.press('Enter')
    await page.getByRole('progressbar', { name: /^Making the sample clips/ }).waitFor(slow)
    await page.getByText(/^\d+ of 126 clips/).waitFor()
    await page.getByRole('heading', { name: 'Library', exact: true }).waitFor(slow)
    await page.getByRole('option').first().waitFor()
  })

  const cookies = await context.cookies()
  const client = host.client(cookies.map((each) => `${each.name}=${each.value}`).join('; '))
  const { api } = client
  try {
    const state = await api.project.state()
    const clips = await api.project.clips()

    await checks.check('Library shows every class and clip that there is', async () => {
      assert.ok(state !== null && state.classes.length >= 4)
      for (const each of state.classes) await page.getByRole('button', { name: each.name }).first().waitFor()
      assert.equal(await page.getByRole('option').count(), clips.length)
      await page.getByRole('main').getByText(`${clips.length} clips`, { exact: true }).waitFor()
    })
    await checks.check('Library filters by class and by part', async () => {
      const wanted = clips.filter((clip) => clip.className === clips[0]?.className)
      await page
        .getByRole('button', { name: clips[0]?.className ?? '' })
        .first()
        .click()
      assert.equal(await page.getByRole('option').count(), wanted.length)
      await page.getByRole('button', { name: 'Validation', exact: true }).click()
      assert.equal(
        await page.getByRole('option').count(),
        wanted.filter((clip) => clip.split === 'val').length,
      )
      await page.getByRole('button', { name: 'All', exact: true }).click()
      await page.getByRole('button', { name: 'All classes' }).click()
      assert.equal(await page.getByRole('option').count(), clips.length)
    })
    await checks.check('a clip plays under the mouse and stops when it leaves', async () => {
      const second = page.getByRole('option').nth(1)
      await second.hover()
      await plays(second.locator('video'))
      await page.getByRole('heading', { name: 'Library', exact: true }).hover()
      await until('the video stops', () => second.locator('video').evaluate((element) => element.paused))
    })
    await checks.check('keys only: arrows choose a clip, Space plays it', async () => {
      await page.getByRole('option').first().focus()
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press(' ')
      await plays(page.getByRole('option').nth(2).locator('video'))
      await page.keyboard.press(' ')
    })
    await checks.check('Library fits, light and dark, and is accessible', () => inspect(page, 'library'))
    await checks.check('the palette runs a command, the cheat sheet opens, Esc closes both', async () => {
      await page.keyboard.press('?')
      await page.getByRole('dialog', { name: 'Keys' }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').fill('datas')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Dataset', exact: true }).waitFor()
      await page.keyboard.press('1')
      await page.getByRole('heading', { name: 'Library', exact: true }).waitFor()
    })

    await page.keyboard.press('2')
    await checks.check('Dataset before preparing fits and is accessible', () =>
      inspect(page, 'dataset-before'),
    )
    await checks.must('keys only: Ctrl+Enter prepares every clip with motion, with progress', async () => {
      await page.getByRole('switch', { name: 'Also compute motion', checked: true }).waitFor()
      await page.keyboard.press('Control+Enter')
      await page.getByRole('progressbar', { name: /^Prepare \d/ }).waitFor()
      await page.getByText('Good to train.').waitFor(slow)
      const prepared = await api.project.state()
      assert.equal(prepared?.preparedClipCount, clips.length)
      assert.equal(prepared?.hasFlow, true)
    })
    await checks.check('Dataset when prepared fits and is accessible', () => inspect(page, 'dataset'))

    await page.keyboard.press('3')
    await checks.must('keys only: Train recommends settings, and the epochs are set', async () => {
      await page.getByText('Recommended.').waitFor()
      await page.keyboard.press('F6')
      await tabTo(page, 'Change settings')
      await page.keyboard.press('Enter')
      await tabTo(page, 'Epochs')
      await page.keyboard.press('Control+a')
      await page.keyboard.type(String(epochs))
    })
    await checks.check('Train fits and is accessible', () => inspect(page, 'train-settings'))
    await allSettings(checks, page)
    await checks.must('keys only: Ctrl+Enter starts the run with these settings', async () => {
      await page.keyboard.press('Control+Enter')
      await page.getByRole('heading', { name: 'Run 1', exact: true }).waitFor()
      const run = (await api.runs.list())[0]
      assert.equal(run?.settings.epochs, epochs)
      assert.equal(run?.settings.modelType, 'of')
    })
    await checks.must('the curves grow while it learns', async () => {
      await until('the first point', async () => (await shownEpochs(page)) >= 1, 300)
      await page.getByText(/^step \d+ of \d+$/).waitFor()
    })
    await checks.check('closing the page does not stop the run, opening it again shows it', async () => {
      const before = await shownEpochs(page)
      await page.close()
      page = await openPage(context, `${host.origin}/#train`, complaints)
      await page.getByRole('heading', { name: 'Run 1', exact: true }).waitFor()
      assert.ok((await shownEpochs(page)) >= before)
      await until('another point', async () => (await shownEpochs(page)) > before, 300)
    })
    await checks.check('Train while learning fits and is accessible', () => inspect(page, 'train-run'))
    await checks.must('the run ends and is checked', async () => {
      await page.getByRole('button', { name: 'See the result' }).waitFor(slow)
      assert.equal(await shownEpochs(page), epochs)
      const run = (await api.runs.list())[0]
      assert.equal(run?.status, 'done')
      assert.equal(run?.points.length, epochs)
    })
    await checks.check('the run had what was set among all settings', async () => {
      const run = (await api.runs.list())[0]
      assert.ok(run !== undefined)
      const experiment = await readFile(join(run.folder, 'train', 'experiment.yaml'), 'utf8')
      assert.match(experiment, new RegExp(`^ +weight_decay: ${weightDecay}$`, 'm'))
      assert.match(experiment, new RegExp(`^ +num_epochs: ${epochs}$`, 'm'))
    })
    await checks.check('arrow keys move the reader over the charts', async () => {
      const chart = page.getByRole('slider', { name: /^Loss/ })
      await chart.focus()
      await page.keyboard.press('Home')
      assert.match((await chart.getAttribute('aria-valuetext')) ?? '', /^Epoch 1, /)
      assert.equal(await page.locator('.tip').count(), 2)
      await page.keyboard.press('Escape')
    })
    await checks.check('a chart shows its numbers as a table', async () => {
      await page.getByRole('button', { name: 'Show as table' }).first().click()
      assert.equal(
        await page.getByRole('region', { name: 'Right answers' }).locator('tbody tr').count(),
        epochs,
      )
      await page.getByRole('button', { name: 'Show as chart' }).click()
    })
    await checks.check('Train when finished fits and is accessible', () => inspect(page, 'train-done'))

    await review(checks, page, api)
    await exportStep(checks, page, api)
    await lostConnection(checks, context, host, complaints)
    await stoppedRun(checks, page, api)
    await checks.check('no page complained', () => {
      assert.deepEqual(complaints, [])
      return Promise.resolve()
    })
  } finally {
    await cancelJobs(api)
    client.close()
  }
}

/** The drawer with every key of the experiment spec, opened and used by keys. */
async function allSettings(checks: Checks, page: Page): Promise<void> {
  const drawer = page.getByRole('dialog', { name: 'All settings' })
  const open = async (): Promise<void> => {
    await page.locator('#main').focus()
    await page.keyboard.press('a')
    await drawer.getByLabel('num_epochs', { exact: true }).waitFor()
  }
  const close = async (): Promise<void> => {
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    await page.locator('#main:focus').waitFor()
  }
  await checks.check(
    'all settings open by A, fit, light and dark, wide and narrow, and close by Esc',
    async () => {
      for (const [theme, size] of [
        ['dark', narrow],
        ['light', wide],
      ] as const) {
        await chooseTheme(page, theme)
        await page.setViewportSize(size)
        await open()
        await photograph(page, `all-settings-${theme}-${size.width}`)
        const spare = await drawer.evaluate((element) => element.clientWidth - element.scrollWidth)
        assert.ok(spare >= 0, `sticks out by ${-spare} px`)
        await close()
      }
    },
  )
  await checks.must('keys only: a setting is found by words, refused with the reason, and kept', async () => {
    await open()
    await page.keyboard.type('weight decay')
    await tabTo(page, 'weight_decay')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('-1')
    await drawer.getByText('weight_decay must be 0 or more, not -1', { exact: true }).waitFor()
    assert.equal(
      await drawer.getByLabel('weight_decay', { exact: true }).getAttribute('aria-invalid'),
      'true',
    )
    await page.keyboard.press('Control+a')
    await page.keyboard.type(String(weightDecay))
    await drawer.getByRole('button', { name: 'Reset train.optim.weight_decay to 0.0005' }).waitFor()
    await drawer.locator('[aria-invalid="true"]').waitFor({ state: 'detached' })
    await drawer.getByRole('button', { name: 'YAML' }).click()
    await drawer.getByText(`weight_decay: ${weightDecay}`).waitFor()
    await close()
    await page.getByText(/^Changed: .*weight_decay 0.0007/).waitFor()
  })
}

async function review(checks: Checks, page: Page, api: Api): Promise<void> {
  await page.keyboard.press('4')
  const run = (await api.runs.list())[0]
  assert.ok(run !== undefined)
  const evaluation = await api.runs.evaluation({ runId: run.id })
  assert.ok(evaluation !== null)
  const wrong = evaluation.videos.filter((video) => video.label !== video.prediction)

  await checks.must('Review shows the accuracy that was measured, with its count', async () => {
    const shown = await page.getByTestId('accuracy').textContent()
    assert.equal(Number(shown?.replace(/[^\d.]/g, '')), Number((evaluation.accuracy * 100).toFixed(1)))
    const right = evaluation.videos.length - wrong.length
    await page.getByText(`${right} of ${evaluation.videos.length} right`, { exact: true }).waitFor()
    assert.ok(Math.abs(evaluation.accuracy - right / evaluation.videos.length) < 1e-9)
  })
  await checks.check('the list holds every wrong clip, and the first one plays in a loop', async () => {
    const list = page.getByRole('listbox')
    assert.equal(await list.getByRole('option').count(), wrong.length)
    const someCell = page.getByRole('gridcell', { name: /clips right$/ }).first()
    if (wrong.length === 0) await someCell.click()
    await plays(page.locator('.middle video'))
    assert.equal(await page.locator('.middle video').evaluate((video) => video.loop), true)
    await page.locator('#main').focus()
    await page.keyboard.press(' ')
    await until('Space pauses it', () => page.locator('.middle video').evaluate((video) => video.paused))
    await page.keyboard.press(' ')
    await plays(page.locator('.middle video'))
    if (wrong.length === 0) await someCell.click()
  })
  await checks.check(
    'keys only: arrows go through the matrix, Enter filters the list by its cell',
    async () => {
      const names = evaluation.classNames
      const cell = page.getByRole('gridcell', { name: new RegExp(`^${names[0]}: `) })
      await cell.focus()
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowLeft')
      await page.keyboard.press('Enter')
      assert.equal(await cell.getAttribute('aria-selected'), 'true')
      const shown = await page.getByRole('listbox').getByRole('option').count()
      assert.equal(shown, evaluation.confusion[0]?.[0])
      await page.keyboard.press('Escape')
      assert.equal(await page.getByRole('listbox').getByRole('option').count(), wrong.length)
    },
  )
  await checks.check('Review fits and is accessible', () => inspect(page, 'review'))
}

async function exportStep(checks: Checks, page: Page, api: Api): Promise<void> {
  await page.keyboard.press('5')
  await checks.check('Export before exporting fits and is accessible', () => inspect(page, 'export-before'))
  await checks.must('keys only: Ctrl+Enter exports; the model loads and answers', async () => {
    await page.keyboard.press('Control+Enter')
    await page.getByText('Exported.', { exact: true }).waitFor(slow)
    const run = (await api.runs.list())[0]
    assert.ok(run !== undefined)
    const exported = await api.runs.exported({ runId: run.id })
    const file = exported?.files.find((each) => each.name.endsWith('.onnx'))
    assert.ok(exported !== null && file !== undefined)
    await page.getByText(file.name, { exact: true }).waitFor()
    const bytes = new Uint8Array(await readFile(join(exported.folder, file.name)))
    assert.equal(bytes.length, file.bytes)
    const { ofFrames, height, width } = run.settings
    const model = decodeModel(bytes)
    assert.deepEqual(model.inputs[0], {
      name: 'input_of',
      type: 'float32',
      shape: ['batch', 2 * ofFrames, height, width],
    })
    const session = await openSession(bytes, 1)
    const shape = [1, 2 * ofFrames, height, width]
    const input = float32Tensor(new Float32Array(shape.reduce((product, each) => product * each)), shape)
    const answer = await session.run({ input_of: input })
    assert.equal(float32Data(answer['fc_pred']).length, run.classNames.length)
    await session.release()
  })
  await checks.check('Export when exported fits and is accessible', () => inspect(page, 'export'))
}

/** A training that is stopped is checked at once, and its result can be seen. */
async function stoppedRun(checks: Checks, page: Page, api: Api): Promise<void> {
  await checks.check('keys only: X stops a run, and Review shows what it had learned by then', async () => {
    const small = { 'model.input_height': '32', 'model.input_width': '32', 'train.num_epochs': '500' }
    const { runId } = await api.training.start({ changes: small })
    const run = async () => (await api.runs.list()).find((each) => each.id === runId)
    await page.keyboard.press('3')
    await page.getByRole('button', { name: 'Run 2', exact: true }).click()
    await page.getByRole('heading', { name: 'Run 2', exact: true }).waitFor()
    await until('an epoch has ended', async () => ((await run())?.points.length ?? 0) >= 1, 300)
    await page.locator('#main').focus()
    await page.keyboard.press('x')
    await page.getByRole('button', { name: 'See the result' }).waitFor(slow)
    const epochsDone = (await run())?.points.length ?? 0
    assert.equal((await run())?.status, 'stopped')
    await page.getByText(`${epochsDone} of 500 epochs done and kept.`).waitFor()
    await page.keyboard.press('4')
    await page.getByText(`Run 2, motion, after ${epochsDone} of 500 epochs,`).waitFor()
  })
}

/** The page's socket goes through the test, which can cut it. */
async function lostConnection(
  checks: Checks,
  context: BrowserContext,
  host: Host,
  complaints: string[],
): Promise<void> {
  await checks.check('a lost connection is told, and is found again', async () => {
    const page = await context.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    let refuse = false
    let current: WebSocketRoute | undefined
    await page.routeWebSocket(/\/rpc$/, (socket) => {
      if (refuse) {
        void socket.close()
        return
      }
      current = socket
      socket.connectToServer()
    })
    await page.goto(`${host.origin}/#train`)
    await page.getByRole('heading', { name: 'Run 1', exact: true }).waitFor()
    refuse = true
    await current?.close()
    await page.getByText('Connection lost, trying again').waitFor()
    await page.getByRole('heading', { name: 'Run 1', exact: true }).waitFor()
    refuse = false
    await page.getByText('Connection lost, trying again').waitFor({ state: 'detached' })
    await page.keyboard.press('1')
    await page.getByRole('option').first().waitFor()
    await page.close()
  })
}
