// A person in Chromium who is asked for a captcha. Lines in: URLs to open. Lines out: ready, then what each part found, as JSON.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { chromium } from 'playwright-core'

const { BROWSER, AXE, SHOTS } = process.env
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const axe = AXE && readFileSync(AXE, 'utf8')
// As root, as in a container, Chromium's own sandbox does not start; it opens nothing here but our pages.
const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] })
console.log('ready')

const PASSWORD = 'seven purple kettles sing'
const email = 'grace@example.com'
// What the browser complains of: a policy that is broken, a script that fails.
const complaints = []
const foreign = []
const person = async (options) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options })
  const page = await context.newPage()
  page.on('console', (message) => {
    // A status of ours is no complaint.
    if (message.type() === 'error' && !/responded with a status of 4/.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (!/^https:\/\/localhost:/.test(request.url()) && !request.url().startsWith('data:')) foreign.push(request.url())
  })
  return page
}
// Until the answer is shown.
const submit = (page, name) =>
  Promise.all([page.waitForEvent('domcontentloaded'), page.getByRole('button', { name }).click()])
const log_in = async (page, password) => {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await submit(page, 'Log in')
}
const register = async (page, address, password) => {
  await page.getByLabel('Your name').fill('Grace Hopper')
  await page.getByLabel('E-mail address').fill(address)
  await page.getByLabel('Password').fill(password)
  await submit(page, 'Create login')
}
const solved = (page) => page.locator('altcha-widget [data-state="verified"]').waitFor({ timeout: 60_000 })
const violations = async (page) => {
  if (!axe) return undefined
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
const consents = (page) => page.getByRole('button', { name: 'Allow' }).waitFor({ timeout: 30_000 }).then(() => true, () => false)

{ // One: somebody is registered, and asked for nothing.
  const page = await person({})
  await page.goto(await read())
  await page.getByRole('link', { name: 'Create a login' }).click()
  await register(page, email, PASSWORD)
  console.log('registered', JSON.stringify({ consents: await consents(page), widgets: await page.locator('altcha-widget').count() }))
}

for (const colorScheme of ['light', 'dark']) { // Two: they fail until they are asked, and then know their password.
  const page = await person({ colorScheme })
  await page.goto(await read())
  const asked = []
  for (let time = 0; time < 3; time++) {
    if (asked.at(-1)) await solved(page)
    await log_in(page, 'wrong')
    asked.push(await page.locator('altcha-widget').count())
  }
  await solved(page)
  await page.screenshot({ path: `${SHOTS}/captcha-${colorScheme}.png` })
  const found = { asked, violations: await violations(page) }
  await log_in(page, PASSWORD)
  console.log('logged_in', JSON.stringify({ ...found, consents: await consents(page) }))
}

{ // Three: without scripts.
  const page = await person({ javaScriptEnabled: false })
  await page.goto(await read())
  await log_in(page, 'wrong')
  console.log('scriptless', JSON.stringify({ says: await page.locator('noscript').textContent() }))
  await page.screenshot({ path: `${SHOTS}/captcha-scriptless.png` })
}

{ // Four: they register, with passwords that are too easy at first.
  const page = await person({})
  await page.goto(await read())
  await page.getByRole('link', { name: 'Create a login' }).click()
  for (let time = 0; time < 3; time++) {
    await register(page, 'annie@example.com', 'passwordpassword')
  }
  await solved(page)
  const found = { violations: await violations(page) }
  await page.screenshot({ path: `${SHOTS}/captcha-register.png` })
  await register(page, 'annie@example.com', 'nine quiet lanterns drift')
  console.log('registered', JSON.stringify({ ...found, consents: await consents(page) }))
}
console.log('complaints', JSON.stringify({ complaints, foreign }))
await browser.close()
process.exit(0)
