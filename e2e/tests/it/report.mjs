// The report in Chromium, on a phone and on a desk, by day and by night. Lines in: a URL. Lines out: ready, then what was found, as JSON.
import { readFileSync } from 'node:fs'
import { browser, read } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = readFileSync(AXE, 'utf8')
console.log('ready')

const url = await read()
const violations = async (page) => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth)

for (const colorScheme of ['light', 'dark']) {
  for (const [viewport, hasTouch] of [[{ width: 390, height: 844 }, true], [{ width: 1280, height: 900 }, false]]) {
    const context = await browser.newContext({ colorScheme, viewport, hasTouch })
    const page = await context.newPage()
    const foreign = []
    page.on('request', (request) => { if (request.url() !== url) foreign.push(request.url()) })
    await page.goto(url)
    const closed = { width: await width(page), violations: await violations(page) }
    // A step and a span in it, by touch where there is any, else by keyboard alone.
    const summaries = () => page.locator('summary:visible')
    const note = page.locator('.notes dd').first()
    const before = await note.isVisible()
    for (const at of [0, 1]) {
      if (hasTouch) await summaries().nth(at).tap()
      else {
        await page.keyboard.press('Tab')
        await page.keyboard.press('Enter')
      }
    }
    const after = await note.isVisible()
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true }))
    const opened = { width: await width(page), violations: await violations(page) }
    await page.screenshot({ path: `${SHOTS}/report-${viewport.width}-${colorScheme}.png`, fullPage: true })
    const inks = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.lane rect')).fill])
    console.log('found', JSON.stringify({ closed, opened, before, after, foreign, inks }))
    await context.close()
  }
}
await browser.close()
process.exit(0)
