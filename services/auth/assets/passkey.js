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

button.addEventListener('click', async () => {
  if (ceremony === 'create' && !form.reportValidity()) return
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
})
// A browser that has no passkeys, or no script, shows no button for them.
if (globalThis.PublicKeyCredential) asks.hidden = false
