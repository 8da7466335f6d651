import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'

/** Name of the element that has the focus, as assistive technology gives it. */
async function focusedName(page: Page): Promise<string> {
  const focused = page.locator(':focus')
  if ((await focused.count()) === 0) return ''
  return focused.first().evaluate((element) => {
    const label = element.labels?.[0]?.textContent
    return String(element.getAttribute('aria-label') ?? label ?? element.textContent ?? '').trim()
  })
}

/** Presses Tab until the element of that name has the focus, as a person without a mouse does. */
export async function tabTo(page: Page, name: string): Promise<void> {
  const mostStops = 60
  for (let stop = 0; stop < mostStops; stop++) {
    if ((await focusedName(page)).startsWith(name)) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`Tab does not reach "${name}"; the focus is on "${await focusedName(page)}"`)
}
