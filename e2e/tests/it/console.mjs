// The console in Chromium, on a phone and on a desk, by day and by night. Lines in: a URL and paths, and a URL and paths of long lists, as JSON. Lines out:
// ready, then what was found, and how high the long lists are on a phone.
import { readFileSync } from 'node:fs'
import { browser, listen, read } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = readFileSync(AXE, 'utf8')
console.log('ready')

const { url, paths, long } = JSON.parse(await read())
for (const colorScheme of ['light', 'dark']) {
  for (const [viewport, hasTouch] of [[{ width: 390, height: 844 }, true], [{ width: 1280, height: 900 }, false]]) {
    // The development authority is none of the browser's.
    const context = await browser.newContext({ colorScheme, viewport, hasTouch, ignoreHTTPSErrors: true })
    // What is looked at stays: looking may take longer than a page that is live does.
    await context.route('**/*', async (route) => {
      const response = await route.fetch()
      const { refresh, ...headers } = response.headers()
      await route.fulfill({ response, headers })
    })
    for (const path of paths) {
      const page = await context.newPage()
      const complaints = []
      listen(page, complaints)
      // The empty icon stands in the page itself.
      page.on('request', (request) => { if (!request.url().startsWith(url) && request.url() !== 'data:,') complaints.push(request.url()) })
      await page.goto(url + path)
      const spans = page.locator('.span summary')
      let opened = null
      if (await spans.count()) {
        await (hasTouch ? spans.first().tap() : spans.first().click())
        opened = await page.locator('.notes dd').first().isVisible()
        // It is seen how long it took: the policy lets the bars be drawn.
        opened &&= (await page.locator('.lane rect').first().boundingBox()).width > 20
      }
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => globalThis.axe.run())
      const width = await page.evaluate(() => document.documentElement.scrollWidth)
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await page.screenshot({ path: `${SHOTS}/console-${paths.indexOf(path)}-${viewport.width}-${colorScheme}.png`, fullPage: true })
      console.log('found', JSON.stringify({ path, width, opened, ground, complaints, violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`) }))
      await page.close()
    }
    await context.close()
  }
}
const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, hasTouch: true, ignoreHTTPSErrors: true })
for (const path of long.paths) {
  await phone.goto(long.url + path)
  const height = await phone.evaluate(() => document.documentElement.scrollHeight)
  await phone.screenshot({ path: `${SHOTS}/console-long-${long.paths.indexOf(path)}.png`, fullPage: true })
  console.log('high', JSON.stringify({ path, height }))
}
await browser.close()
process.exit(0)
