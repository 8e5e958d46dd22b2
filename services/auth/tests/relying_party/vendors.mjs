// A person in Chromium who is asked for a vendor's captcha. The vendors are synthetic: what their hosts serve is made up here. Lines in: a vendor and a
// URL, twice each. Lines out: ready, then what was found, as JSON.
import { createInterface } from 'node:readline/promises'
import { chromium } from 'playwright-core'

const { BROWSER } = process.env
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value.split(' ')
// As root, as in a container, Chromium's own sandbox does not start; it opens nothing here but our pages.
const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] })
console.log('ready')

const PASSWORD = 'seven purple kettles sing'
const email = 'edsger@example.com'
// Runs in the page: a token of which the broker's stand-in says what stands in it.
const mint = `const mint = (action) => btoa(JSON.stringify({ success: true, action, hostname: 'localhost', score: '0.9',
  challenge_ts: new Date().toISOString() })).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')\n`
// Fills in its field and shows a frame of its own host, as theirs do.
const shows = (cls, field, frame) => mint + `for (const place of document.querySelectorAll('.${cls}')) {
  const input = document.createElement('input')
  Object.assign(input, { type: 'hidden', name: '${field}', value: mint(place.dataset.action) })
  const inner = document.createElement('iframe')
  inner.src = '${frame}'
  place.append(input, inner)
}`
const scripts = {
  recaptcha: mint + `globalThis.grecaptcha = { ready: (then) => then(), execute: async (key, { action }) => mint(action) }`,
  hcaptcha: shows('h-captcha', 'h-captcha-response', 'https://newassets.hcaptcha.com/frame'),
  turnstile: shows('cf-turnstile', 'cf-turnstile-response', 'https://challenges.cloudflare.com/frame'),
}
const submit = (page, name) =>
  Promise.all([page.waitForEvent('domcontentloaded'), page.getByRole('button', { name }).click()])
const log_in = async (page, password) => {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await submit(page, 'Log in')
}

for (let time = 0; time < 3; time++) {
  const [vendor, start] = await read()
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const complaints = []
  const asked = new Set()
  await context.route((url) => url.hostname !== 'localhost', async (route) => {
    const url = new URL(route.request().url())
    asked.add(url.hostname)
    const script = route.request().resourceType() === 'script'
    await route.fulfill(script ? { contentType: 'text/javascript', body: scripts[vendor] } : { contentType: 'text/html', body: 'a frame' })
  })
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error' && !/responded with a status of 4/.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(start)
  await page.getByRole('link', { name: 'Create a login' }).click()
  await page.getByLabel('Your name').fill('Edsger')
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(PASSWORD)
  await submit(page, 'Create login')
  await page.goto((await read())[1])
  for (const password of ['wrong', 'also wrong']) await log_in(page, password)
  const before = [...asked]
  await log_in(page, 'still wrong')
  await page.waitForLoadState('networkidle')
  await log_in(page, PASSWORD)
  const consents = await page.getByRole('button', { name: 'Allow' }).waitFor({ timeout: 30_000 }).then(() => true, () => false)
  console.log('found', JSON.stringify({ vendor, consents, complaints, asked: [...asked].sort(), before }))
  await context.close()
}
await browser.close()
process.exit(0)
