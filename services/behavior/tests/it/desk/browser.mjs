// The desk in Chromium with an analyst's certificate, on a phone and on a desk, by day and by night. Line in: where it is, the certificate's files, paths, and the
// case, as JSON. Lines out: ready, what was found, what a button has said, what became of another page's form, and the same through a door.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { browser, listen, read } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = readFileSync(AXE, 'utf8')
console.log('ready')

const { door, url, certificate, key, paths, case: one } = JSON.parse(await read())
// The development authority is none of the browser's.
const as_analyst = { ignoreHTTPSErrors: true, clientCertificates: [{ origin: url, certPath: certificate, keyPath: key }] }
for (const colorScheme of ['light', 'dark']) {
  for (const [viewport, hasTouch] of [[{ width: 390, height: 844 }, true], [{ width: 1280, height: 900 }, false]]) {
    const context = await browser.newContext({ colorScheme, viewport, hasTouch, ...as_analyst })
    for (const path of paths) {
      const page = await context.newPage()
      const complaints = []
      listen(page, complaints)
      // The empty icon stands in the page itself.
      page.on('request', (request) => { if (request.url() !== url + path && request.url() !== 'data:,') complaints.push(request.url()) })
      await page.goto(url + path)
      for (const summary of await page.locator('summary').all()) await summary.click()
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => globalThis.axe.run())
      const width = await page.evaluate(() => document.documentElement.scrollWidth)
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await page.screenshot({ path: `${SHOTS}/desk-${paths.indexOf(path)}-${viewport.width}-${colorScheme}.png`, fullPage: true })
      console.log('found', JSON.stringify({ path, width, ground, complaints, violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`) }))
      await page.close()
    }
    await context.close()
  }
}

const press = async (page, at, name) => {
  await page.goto(at + one)
  await page.getByRole('button', { name }).click()
  await page.waitForURL('**#word')
  const said = (await page.locator('.said li').first().innerText()).split(',')[0].replace(/[✕✓]/, '').replace(/\s+/g, ' ').trim()
  return { ended: page.url().slice(at.length), said }
}

// Under another origin of the same machine.
const foreign = createServer((request, response) => response.setHeader('content-type', 'text/html').end(`<form method=post action="${decodeURIComponent(request.url.slice(1))}"><button name=label value=honest>Win</button></form>`))
await new Promise((resolve) => foreign.listen(0, '127.0.0.1', resolve))
const win = async (page, at) => {
  await page.goto(`http://127.0.0.1:${foreign.address().port}/${encodeURIComponent(at + one)}`)
  const [answer] = await Promise.all([page.waitForResponse((response) => response.url() === at + one), page.getByRole('button', { name: 'Win' }).click()])
  await page.waitForLoadState()
  return { status: answer.status(), title: await page.title() }
}

const analyst = await (await browser.newContext(as_analyst)).newPage()
console.log('pressed', JSON.stringify(await press(analyst, url, 'Fraud')))
console.log('foreign', JSON.stringify(await win(analyst, url)))
const anybody = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
const honest = await press(anybody, door, 'Honest')
console.log('through', JSON.stringify({ ...honest, foreign: (await win(anybody, door)).status }))
await browser.close()
process.exit(0)
