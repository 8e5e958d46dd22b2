// A person in Chromium with a passkey: the browser's own virtual authenticator, which nobody here wrote. Lines in: URLs to open. Lines out: what each part found.
import { readFileSync } from 'node:fs'
import { PASSWORD, browser, consents, listen, log_in, read, register, submit } from './person.mjs'

const { AXE, SHOTS } = process.env
const axe = readFileSync(AXE, 'utf8')
console.log('ready')

const complaints = []
const foreign = []
const violations = async (page) => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
/// Judged and photographed on a phone and on a desk, in both schemes.
const judged = async (page, name) => {
  const found = []
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png`, fullPage: true })
      const across = await page.evaluate(() => document.documentElement.scrollWidth)
      if (across > width) found.push(`${name}: ${across} of ${width}`)
      found.push(...(await violations(page)))
    }
  }
  return found
}

const context = await browser.newContext({ ignoreHTTPSErrors: true })
const page = await context.newPage()
listen(page, complaints)
page.on('request', (request) => {
  if (!/^https:\/\/localhost:/.test(request.url()) && !request.url().startsWith('data:')) foreign.push(request.url())
})
const devtools = await context.newCDPSession(page)
await devtools.send('WebAuthn.enable')
const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
  options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
})
const verifies = (isUserVerified) => devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
const credentials = async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials
const said = async () => {
  const alert = page.locator('.passkey [role=alert]')
  await alert.waitFor({ timeout: 30_000 })
  return alert.textContent()
}
const email = 'hedy@example.com'

{ // One: a passkey is made, and the codes are shown once.
  await page.goto(await read())
  await page.getByRole('link', { name: 'Create a login' }).click()
  await register(page, 'Hedy Lamarr', email, PASSWORD)
  await page.getByRole('link', { name: 'Second factor of your login' }).click()
  await page.getByRole('link', { name: 'Add a passkey' }).click()
  const make = page.getByRole('button', { name: 'Make the passkey' })
  await make.click()
  const nameless = await page.locator('input:invalid').getAttribute('id')
  const without = await page.locator('#no-passkeys').count()
  await page.getByLabel('Name of this passkey').fill('My phone')
  await verifies(false)
  await page.getByLabel('Name of this passkey').press('Enter')
  const refused = await said()
  const faults = await judged(page, 'passkey-add')
  await verifies(true)
  await Promise.all([page.waitForEvent('domcontentloaded'), page.getByLabel('Name of this passkey').press('Enter')])
  const codes = await page.locator('.codes code').allTextContents()
  await page.getByRole('link', { name: 'I have written them down' }).click()
  faults.push(...(await judged(page, 'passkey-list')))
  const [credential] = await credentials()
  console.log('added', JSON.stringify({ nameless, without, refused, codes: codes.length, rp: credential.rpId, discoverable: credential.isResidentCredential, faults }))
  // Two: the same device is told that it has one.
  await page.getByRole('link', { name: 'Add a passkey' }).click()
  await page.getByLabel('Name of this passkey').fill('My phone again')
  await make.click()
  const present = await said()
  // Three: they log in with it, once the authenticator knows them.
  await page.goto(await read())
  await log_in(page, email, PASSWORD)
  const show = page.getByRole('button', { name: 'Log in with a passkey' })
  await verifies(false)
  await show.click()
  const unknown = await said()
  const loginFaults = await judged(page, 'passkey-login')
  await verifies(true)
  await Promise.all([page.waitForEvent('domcontentloaded'), show.click()])
  console.log('logged_in', JSON.stringify({ present, unknown, consents: await consents(page), faults: loginFaults }))

  // Four: one that is used again after it was somewhere else, as a copy would: the counter is behind.
  const [{ signCount, credentialId }] = await credentials()
  console.log('counted', JSON.stringify({ rises: signCount > 1 }))
  await devtools.send('WebAuthn.removeCredential', { authenticatorId, credentialId })
  await devtools.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credential, signCount: 1 } })
  await page.goto(await read())
  await log_in(page, email, PASSWORD)
  await Promise.all([page.waitForEvent('domcontentloaded'), show.click()])
  const copied = await page.getByRole('alert').first().textContent()
  console.log('copied', JSON.stringify({ copied, faults: await judged(page, 'passkey-refused') }))

  // Five: without scripts there is a code.
  const plain = await (await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })).newPage()
  await plain.goto(await read())
  await log_in(plain, email, PASSWORD)
  const hint = await plain.locator('noscript').textContent()
  const shown = await plain.getByRole('button').allTextContents()
  await plain.screenshot({ path: `${SHOTS}/passkey-scriptless.png` })
  await plain.getByLabel('Recovery code').fill(codes[0])
  await submit(plain, 'Log in')
  const consented = await consents(plain)
  await plain.getByRole('link', { name: 'Second factor of your login' }).click()
  await plain.getByRole('link', { name: 'Add a passkey' }).click()
  const why = await plain.locator('#no-passkeys').isVisible()
  console.log('scriptless', JSON.stringify({ hint: /needs a browser that runs scripts/.test(hint), shown, consents: consented, why }))
}
console.log('complaints', JSON.stringify({ complaints, foreign }))
await browser.close()
process.exit(0)
