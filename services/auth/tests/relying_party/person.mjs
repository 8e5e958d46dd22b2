// What people do in Chromium at our pages, and what every script begins with. Lines in: what the test tells. Lines out: what was found.
import { createInterface } from 'node:readline/promises'
import { chromium } from 'playwright-core'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
/// The next line.
export const read = async () => (await lines.next()).value

// As root, as in a container, Chromium's own sandbox does not start; it opens nothing here but our pages.
export const browser = await chromium.launch({ executablePath: process.env.BROWSER, args: ['--no-sandbox'] })

export const PASSWORD = 'seven purple kettles sing'

// What the browser complains of: a policy that is broken, a script that fails. A status of ours is no complaint.
export const listen = (page, complaints) => {
  page.on('console', (message) => {
    if (message.type() === 'error' && !/responded with a status of 4/.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
}

// Until the answer is shown.
export const submit = (page, name) =>
  Promise.all([page.waitForEvent('domcontentloaded'), page.getByRole('button', { name }).click()])

export const log_in = async (page, email, password) => {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await submit(page, 'Log in')
}

export const register = async (page, name, email, password) => {
  await page.getByLabel('Your name').fill(name)
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await submit(page, 'Create login')
}

/// Whether it is the page that asks what the client may do.
export const consents = (page) =>
  page.getByRole('button', { name: 'Allow' }).waitFor({ timeout: 30_000 }).then(() => true, () => false)
