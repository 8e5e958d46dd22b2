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

/// Where the person goes on after a complaint, and what a screen reader says of the fields: the wrong ones, and the words that belong to the one in focus.
const complaint = async (page) => ({
  focus: await page.locator('input:focus').getAttribute('id', { timeout: 10_000 }).catch(() => 'nowhere'),
  wrong: await page.locator('[aria-invalid=true]').evaluateAll((all) => all.map(({ id }) => id)),
  described: await page.locator('input:focus').evaluate((field) =>
    (field.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.getAttribute('role') ?? id)),
})
/// On a phone and on a desk.
const shoot = async (page, name) => {
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 })
    await page.screenshot({ path: `${SHOTS}/${name}-${width}.png`, fullPage: true })
  }
}

{ // One: somebody is registered, and asked for nothing.
  const page = await person({})
  await page.goto(await read())
  const mark = await page.evaluate(() => new Promise((done) => {
    const image = new Image()
    image.onload = () => done(true)
    image.onerror = () => done(false)
    image.src = document.querySelector('link[rel=icon]').href
  }))
  await page.getByRole('link', { name: 'Create a login' }).click()
  await register(page, 'Grace Hopper', email, PASSWORD)
  console.log('registered', JSON.stringify({ mark, consents: await consents(page), widgets: await page.locator('altcha-widget').count() }))
}

for (const colorScheme of ['light', 'dark']) { // Two: they fail until they are asked, and then know their password.
  const page = await person({ colorScheme })
  await page.goto(await read())
  const asked = []
  const complaints = []
  for (let time = 0; time < 3; time++) {
    if (asked.at(-1)) await solved(page)
    await log_in(page, email, 'wrong')
    asked.push(await page.locator('altcha-widget').count())
    complaints.push(await complaint(page))
  }
  await solved(page)
  await shoot(page, `captcha-${colorScheme}`)
  const found = { asked, complaint: complaints.at(0), violations: await violations(page) }
  await log_in(page, email, PASSWORD)
  console.log('logged_in', JSON.stringify({ ...found, consents: await consents(page) }))
}

{ // Three: without scripts.
  const page = await person({ javaScriptEnabled: false })
  await page.goto(await read())
  await log_in(page, email, 'wrong')
  const focus = await page.locator('input:focus').getAttribute('id', { timeout: 10_000 }).catch(() => 'nowhere')
  console.log('scriptless', JSON.stringify({ focus, says: await page.locator('noscript').textContent() }))
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
  const found = { complaint: await complaint(page), violations: await violations(page) }
  await shoot(page, 'register')
  await register(page, 'Annie', 'annie@example.com', 'nine quiet lanterns drift')
  console.log('registered', JSON.stringify({ ...found, consents: await consents(page) }))
}

for (const colorScheme of ['light', 'dark']) { // Five: they are where there is no page, on a phone.
  const page = await person({ colorScheme, viewport: { width: 390, height: 700 } })
  await page.goto(await read())
  await page.screenshot({ path: `${SHOTS}/refused-${colorScheme}.png` })
  const way = /Go back to the app/.test(await page.getByRole('alert').textContent())
  const [heading, width] = [await page.getByRole('heading').textContent(), await page.evaluate(() => document.documentElement.scrollWidth)]
  console.log('refused', JSON.stringify({ heading, way, width, violations: await violations(page) }))
}
console.log('complaints', JSON.stringify({ complaints, foreign }))
await browser.close()
process.exit(0)
