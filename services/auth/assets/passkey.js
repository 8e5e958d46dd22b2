// Asks the browser for a passkey and puts what it brings into the form, which is sent as any other. Nothing is fetched or loaded. What is asked for stands in
// the page (data-*), and so do the words. Without this script the page has everything but the passkey.
const asks = document.querySelector('[data-challenge]')
const button = asks.querySelector('button')
const said = asks.querySelector('[role=alert]')
const { form } = button
const { ceremony, challenge, rp, credentials, timeout, user, email, name } = asks.dataset

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

const known = credentials.split(' ').filter(Boolean).map((id) => ({ type: 'public-key', id: bytes(id) }))
const common = { challenge: bytes(challenge), timeout: Number(timeout) }
const create = () => navigator.credentials.create({
  publicKey: {
    ...common,
    rp: { id: rp, name: 'Redoubt' },
    user: { id: bytes(user), name: email, displayName: name },
    // ES256, and no other.
    pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
    excludeCredentials: known,
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    attestation: 'none',
  },
})
const get = () => navigator.credentials.get({
  publicKey: { ...common, rpId: rp, allowCredentials: known, userVerification: 'required' },
})

const put = (field, buffer) => { form.elements.namedItem(field).value = text(buffer) }
const words = { NotAllowedError: 'refused', InvalidStateError: 'present', SecurityError: 'address' }

const ask = async () => {
  const { rawId, response } = await (ceremony === 'create' ? create() : get())
  put('client_data', response.clientDataJSON)
  if (ceremony === 'create') {
    put('attestation_object', response.attestationObject)
  } else {
    put('credential', rawId)
    put('authenticator_data', response.authenticatorData)
    put('signature', response.signature)
  }
  // As if the button had been pressed that says yes; a form without one is sent as it is.
  form.requestSubmit(form.querySelector('button[value=approve]'))
}

const run = async () => {
  if (button.disabled) return
  button.disabled = true
  said.hidden = true
  try {
    await ask()
  } catch (error) {
    said.textContent = asks.dataset[words[error.name] ?? 'failed']
    said.hidden = false
    button.disabled = false
    button.focus()
  }
}

button.addEventListener('click', () => {
  if (ceremony !== 'create' || form.reportValidity()) run()
})
// Enter in a field sends the form, too; without a passkey there is nothing to send.
form.addEventListener('submit', (event) => {
  if (ceremony !== 'create' || form.elements.namedItem('attestation_object').value) return
  event.preventDefault()
  run()
})
// A page that comes back as it was left has what was sent before.
globalThis.addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return
  for (const field of ['credential', 'client_data', 'attestation_object', 'authenticator_data', 'signature']) {
    const filled = form.elements.namedItem(field)
    if (filled) filled.value = ''
  }
  button.disabled = false
})
// A browser that has no passkeys, or no script, shows no button for them, but why there is none.
if (globalThis.PublicKeyCredential && HTMLFormElement.prototype.requestSubmit) {
  asks.hidden = false
  document.querySelector('#no-passkeys')?.remove()
}
