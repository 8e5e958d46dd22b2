// A person in Chromium. Lines in: URLs to open. Lines out: ready, then what each part found, as JSON.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { PASSWORD, browser, read, register as registers } from './person.mjs'

const { CERTIFICATE, KEY, CALLBACK_PORT } = process.env
const listen = (server, port) => new Promise((done) => server.listen(port, () => done(server.address().port)))
const tls = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }

// The client: its callback sends the browser on to another origin, as clients do that have more than one host.
let called
const onward = await listen(https.createServer(tls, (_, response) => response.end('<h1>landed</h1>')), 0)
await listen(https.createServer(tls, (request, response) => {
  called = request.url
  response.writeHead(303, { location: `https://127.0.0.1:${onward}/landed` }).end()
}), Number(CALLBACK_PORT))

// Somebody else on the host, without TLS: cookies know neither ports nor, but for their prefix and `Secure`, schemes.
let planted = []
const elsewhere = await listen(http.createServer((_, response) => {
  response.writeHead(200, { 'set-cookie': planted, 'content-type': 'text/html' }).end('<h1>elsewhere</h1>')
}), 0)

const person = (options) => browser.newContext({ ignoreHTTPSErrors: true, ...options })
console.log('ready')

const register = async (page, email) => {
  await page.getByRole('link', { name: 'Create a login' }).click()
  await registers(page, 'Ada Lovelace', email, PASSWORD)
  await page.getByRole('button', { name: 'Allow' }).waitFor()
}
const allow = async (page) => {
  called = undefined
  await page.getByRole('button', { name: 'Allow' }).click()
  // A policy that stops the browser leaves it where it is.
  await page.waitForURL(/\/landed$/, { timeout: 10_000 }).catch(() => {})
  return { called, ended: new URL(page.url()).pathname, onward: new URL(page.url()).port === String(onward) }
}

{ // One: the way on, without scripts.
  const context = await person({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(await read())
  await register(page, 'one@example.com')
  const boxes = await page.getByRole('checkbox').evaluateAll((all) => all.map((box) => box.checked)).catch(() => undefined)
  await page.getByLabel('Know your name').check()
  console.log('onward', JSON.stringify({ boxes, ...(await allow(page)) }))
  await context.close()
}

{ // Two: a cookie of somebody else's sign-in under names that somebody might take for ours.
  const [attacker, victim] = [await person(), await person()]
  const [theirs, ours] = [await attacker.newPage(), await victim.newPage()]
  await theirs.goto(await read())
  await ours.goto(await read())
  const [{ value }] = await attacker.cookies()
  const [{ name }] = await victim.cookies()
  const rest = name.slice('__Host-'.length)
  const names = {
    plain: name, lower: `__host-${rest}`, upper: `__HOST-${rest}`, space: ` ${name}`, nameless: `=${name}`,
    encoded: `%5F%5FHost-${rest}`, encoded_lower: `%5f_Host-${rest}`, encoded_letter: `__%48ost-${rest}`,
    quoted: `"${name}"`, version: `$Version=1,${name}`,
  }
  planted = Object.values(names).flatMap((name) => ['/login', '/register', '/'].map((path) => `${name}=${value}; Path=${path}`))
  const plant = await victim.newPage()
  await plant.goto(`http://localhost:${elsewhere}/`)
  await plant.evaluate(([name, value]) => {
    for (const space of ['\u00a0', '\u2000', '\u3000', '\ufeff']) document.cookie = `${space}${name}=${value}; path=/register`
  }, [name, value])
  await plant.close()
  await ours.reload()
  const [request] = await Promise.all([
    ours.waitForRequest(/\/register/),
    ours.getByRole('link', { name: 'Create a login' }).click(),
  ])
  const { cookie } = await request.allHeaders()
  await ours.getByRole('link', { name: 'Log in' }).click()
  await register(ours, 'two@example.com')
  const kept = (await victim.cookies()).filter((cookie) => cookie.value.endsWith(value)).map((cookie) => cookie.name)
  const place = (name) => cookie.indexOf(`${name}=`)
  console.log('planted', JSON.stringify({
    kept: Object.entries(names).filter(([, name]) => kept.includes(name)).map(([what]) => what),
    spaced: kept.filter((name) => name.trim() !== name).length,
    before_ours: place(names.encoded) >= 0 && place(names.encoded) < place(name),
    ...(await allow(ours)),
  }))
}
await browser.close()
process.exit(0)
