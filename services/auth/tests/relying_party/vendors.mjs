// A person in Chromium who is asked for a vendor's captcha. The vendors are synthetic: what their hosts serve is made up here. Lines in: a vendor and a
// URL, twice each. Lines out: ready, then what was found, as JSON.
import { PASSWORD, browser, consents, listen, log_in, read, register } from './person.mjs'

console.log('ready')

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

for (let time = 0; time < 3; time++) {
  const [vendor, start] = (await read()).split(' ')
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
  listen(page, complaints)
  await page.goto(start)
  await page.getByRole('link', { name: 'Create a login' }).click()
  await register(page, 'Edsger', email, PASSWORD)
  await page.goto((await read()).split(' ')[1])
  for (const password of ['wrong', 'also wrong']) await log_in(page, email, password)
  const before = [...asked]
  await log_in(page, email, 'still wrong')
  await page.waitForLoadState('networkidle')
  await log_in(page, email, PASSWORD)
  console.log('found', JSON.stringify({ vendor, consents: await consents(page), complaints, asked: [...asked].sort(), before }))
  await context.close()
}
await browser.close()
process.exit(0)
