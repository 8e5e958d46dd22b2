// A person in Chromium who is asked for a captcha. Lines in: URLs to open. Lines out: ready, then what each part found, as JSON.
import { readFileSync } from 'node:fs'
import { PASSWORD, browser, consents, listen, log_in, read, register } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = AXE && readFileSync(AXE, 'utf8')
console.log('ready')

const email = 'grace@example.com'
const complaints = []
const foreign = []
const person = async (options) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options })
  const page = await context.newPage()
  listen(page, complaints)
  page.on('request', (request) => {
    if (!/^https:\/\/localhost:/.test(request.url()) && !request.url().startsWith('data:')) foreign.push(request.url())
  })
  return page
}
const solved = (page) => page.locator('altcha-widget [data-state="verified"]').waitFor({ timeout: 60_000 })
const violations = async (page) => {
  if (!axe) return undefined
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

{ // One: somebody is registered, and asked for nothing.
  const page = await person({})
  await page.goto(await read())
  await page.getByRole('link', { name: 'Create a login' }).click()
  await register(page, 'Grace Hopper', email, PASSWORD)
  console.log('registered', JSON.stringify({ consents: await consents(page), widgets: await page.locator('altcha-widget').count() }))
}

for (const colorScheme of ['light', 'dark']) { // Two: they fail until they are asked, and then know their password.
  const page = await person({ colorScheme })
  await page.goto(await read())
  const asked = []
  for (let time = 0; time < 3; time++) {
    if (asked.at(-1)) await solved(page)
    await log_in(page, email, 'wrong')
    asked.push(await page.locator('altcha-widget').count())
  }
  await solved(page)
  await page.screenshot({ path: `${SHOTS}/captcha-${colorScheme}.png` })
  const found = { asked, violations: await violations(page) }
  await log_in(page, email, PASSWORD)
  console.log('logged_in', JSON.stringify({ ...found, consents: await consents(page) }))
}

{ // Three: without scripts.
  const page = await person({ javaScriptEnabled: false })
  await page.goto(await read())
  await log_in(page, email, 'wrong')
  console.log('scriptless', JSON.stringify({ says: await page.locator('noscript').textContent() }))
  await page.screenshot({ path: `${SHOTS}/captcha-scriptless.png` })
}

{ // Four: they register, with passwords that are too easy at first.
  const page = await person({})
  await page.goto(await read())
  await page.getByRole('link', { name: 'Create a login' }).click()
  for (let time = 0; time < 3; time++) {
    await register(page, 'Annie', 'annie@example.com', 'passwordpassword')
  }
  await solved(page)
  const found = { violations: await violations(page) }
  await page.screenshot({ path: `${SHOTS}/captcha-register.png` })
  await register(page, 'Annie', 'annie@example.com', 'nine quiet lanterns drift')
  console.log('registered', JSON.stringify({ ...found, consents: await consents(page) }))
}

for (const colorScheme of ['light', 'dark']) { // Five: they are where there is no page, on a phone.
  const page = await person({ colorScheme, viewport: { width: 390, height: 700 } })
  await page.goto(await read())
  await page.screenshot({ path: `${SHOTS}/refused-${colorScheme}.png` })
  const [heading, width] = [await page.getByRole('heading').textContent(), await page.evaluate(() => document.documentElement.scrollWidth)]
  console.log('refused', JSON.stringify({ heading, width, violations: await violations(page) }))
}
console.log('complaints', JSON.stringify({ complaints, foreign }))
await browser.close()
process.exit(0)
