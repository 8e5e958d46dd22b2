// The page of an API in Chromium, on a phone and on a desk, by day and by night. Lines in: a name for the pictures and a URL. Lines out: ready, then what was found, as JSON.
import { readFileSync } from 'node:fs'
import { browser, listen, read } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = readFileSync(AXE, 'utf8')
console.log('ready')

const [name, url] = (await read()).split(' ')
const violations = async (page) => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }))
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth)

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 900 }]) {
    const context = await browser.newContext({ colorScheme, viewport, ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const [complaints, foreign] = [[], []]
    listen(page, complaints)
    page.on('request', (request) => { if (request.url() !== url && !request.url().startsWith('data:')) foreign.push(request.url()) })
    await page.goto(url)
    await page.screenshot({ path: `${SHOTS}/docs-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true })
    const closed = await width(page)
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true }))
    const found = await page.evaluate(() => ({
      operations: document.querySelectorAll('article').length,
      // Every way in the page leads somewhere, and to one place.
      lost: [...document.querySelectorAll('a[href^="#"]')].map(({ hash }) => hash).filter((hash) => document.querySelectorAll(`[id="${hash.slice(1)}"]`).length !== 1),
      paper: getComputedStyle(document.body).backgroundColor,
    }))
    const opened = await width(page)
    // What axe looks for differs by colors and by width: once with each.
    const judged = (colorScheme === 'light') === (viewport.width === 1280)
    console.log('found', JSON.stringify({ ...found, widths: [closed, opened], violations: judged ? await violations(page) : [], complaints, foreign }))
    await context.close()
  }
}
await browser.close()
process.exit(0)
