import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { root } from './host.ts'

export const wide = { width: 1440, height: 900 }
export const narrow = { width: 1024, height: 700 }
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const screenshotFolder = join(root, '.ci/output/screenshots')

export type ThemeName = 'light' | 'dark' | 'hc'

/** Switches the theme as the page itself does, through its command palette. */
export async function chooseTheme(page: Page, theme: ThemeName): Promise<void> {
  if ((await page.locator('html').getAttribute('data-theme')) === theme) return
  const names = { light: 'Theme: Light', dark: 'Theme: Dark', hc: 'Theme: High contrast' }
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill(names[theme])
  await page.keyboard.press('Enter')
  await page.locator(`html[data-theme="${theme}"]`).waitFor()
}

/** Serious and critical findings of axe, one line each. */
async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  const results = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResults
  return results.violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .flatMap((violation) =>
      violation.nodes.map(
        (node) => `${violation.id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`,
      ),
    )
}

/** Places that are wider than the room they have, and buttons that stick out of the window. */
async function overflows(page: Page): Promise<string[]> {
  const panes = await page
    .locator('html, .main, .head, .scroll, .panel, .top, .rail')
    .evaluateAll((elements) =>
      elements.map((element) => ({
        name: `${element.tagName} ${element.getAttribute('class') ?? ''}`,
        content: element.scrollWidth,
        room: element.clientWidth,
      })),
    )
  const buttons = await page
    .locator('.head .btn:visible, .top button:visible')
    .evaluateAll((elements) =>
      elements.map((element) => ({ name: element.textContent, ...element.getBoundingClientRect().toJSON() })),
    )
  const width = page.viewportSize()?.width ?? 0
  return [
    ...panes
      .filter((pane) => pane.content > pane.room + 1)
      .map((pane) => `${pane.name}: ${pane.content} in ${pane.room} px`),
    ...buttons
      .filter((button) => button.left < 0 || button.right > width)
      .map((button) => `outside of the window: ${button.name}`),
  ]
}

/** Leaves a picture of the page as it is, and fails on accessibility findings. */
export async function photograph(page: Page, name: string): Promise<void> {
  mkdirSync(screenshotFolder, { recursive: true })
  await page.screenshot({ path: join(screenshotFolder, `${name}.png`) })
  assert.deepEqual(await accessibilityFindings(page), [], `${name} has findings`)
}

/**
 * Looks at the page as it is now: light and dark, wide and narrow. Leaves pictures, and fails on accessibility findings
 * and on anything that does not fit.
 */
export async function inspect(page: Page, name: string): Promise<void> {
  mkdirSync(screenshotFolder, { recursive: true })
  const findings: string[] = []
  for (const theme of ['light', 'dark', 'hc'] as const) {
    await chooseTheme(page, theme)
    for (const size of theme === 'hc' ? [wide] : [wide, narrow]) {
      await page.setViewportSize(size)
      await page.waitForTimeout(250)
      await page.screenshot({ path: join(screenshotFolder, `${name}-${theme}-${size.width}.png`) })
      findings.push(...(await overflows(page)).map((finding) => `${theme} ${size.width}: ${finding}`))
    }
    await page.setViewportSize(wide)
    findings.push(...(await accessibilityFindings(page)).map((finding) => `${theme}: ${finding}`))
  }
  await chooseTheme(page, 'light')
  assert.deepEqual(findings, [], `${name} has findings`)
}
