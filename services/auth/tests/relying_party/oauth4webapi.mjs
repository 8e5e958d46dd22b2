// The relying party's side of a login with oauth4webapi: everything is the library's but the order of the steps.
// Lines out: ready, open URL, told JSON. Lines in: where the browser ended.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import * as oauth from 'oauth4webapi'

const { ISSUER, JWK, SCOPE } = process.env
const redirect = 'https://localhost:8400/callback'
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
console.log('ready')

const issuer = new URL(ISSUER)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const client = { client_id: 'partner-web' }
const { kid, ...jwk } = JSON.parse(readFileSync(JWK, 'utf8'))
const key = await crypto.subtle.importKey('jwk', { ...jwk, key_ops: ['sign'] }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const authentication = oauth.PrivateKeyJwt({ key, kid })
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

// The server asks for its nonce once (RFC 9449 §8), and says the next one with every answer.
let asked = 0
const withNonce = async (request) => {
  try {
    return await request()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    asked += 1
    return await request()
  }
}
// What the server or the library says no with.
const refusal = async (work) => {
  try {
    await work()
    return 'nothing'
  } catch (error) {
    return error.error ?? error.code ?? String(error)
  }
}

const push = (options = {}) => {
  const parameters = {
    response_type: 'code', redirect_uri: redirect, scope: SCOPE, state: options.state, nonce: options.nonce,
    code_challenge: options.challenge, code_challenge_method: 'S256',
  }
  return withNonce(async () => {
    const server = options.as ?? as
    const response = await oauth.pushedAuthorizationRequest(server, client, authentication, parameters, { DPoP })
    return oauth.processPushedAuthorizationResponse(server, client, response)
  })
}

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const challenge = await oauth.calculatePKCECodeChallenge(verifier)
const { request_uri } = await push({ state, nonce, challenge })
const authorization = new URL(as.authorization_endpoint)
authorization.search = new URLSearchParams({ client_id: client.client_id, request_uri })
console.log('open', authorization.href)
const callback = new URL(await read())

// RFC 9207: an answer of another issuer, or of none, is not ours.
const mixed = new URL(callback)
mixed.searchParams.set('iss', 'https://issuer.test')
const unsigned = new URL(callback)
unsigned.searchParams.delete('iss')
const wrong = {
  answer: await refusal(() => oauth.validateAuthResponse(as, client, mixed, state)),
  without: await refusal(() => oauth.validateAuthResponse(as, client, unsigned, state)),
  // RFC 8414 §3.3.
  metadata: await refusal(async () => oauth.processDiscoveryResponse(new URL('https://issuer.test'), await oauth.discoveryRequest(issuer))),
  // FAPI 2.0 §5.3.2.1: an assertion for another server, sent here.
  assertion: await refusal(() => push({ challenge, as: { ...as, issuer: 'https://issuer.test' } })),
}

const answer = oauth.validateAuthResponse(as, client, callback, state)
const tokens = await withNonce(async () => {
  const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, answer, redirect, verifier, { DPoP })
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, response)
  return tokens
})
const claims = oauth.getValidatedIdTokenClaims(tokens)
const renewed = await withNonce(async () => {
  const response = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, { DPoP })
  return oauth.processRefreshTokenResponse(as, client, response)
})
const person = await withNonce(async () => {
  const response = await oauth.userInfoRequest(as, client, renewed.access_token, { DPoP })
  return oauth.processUserInfoResponse(as, client, claims.sub, response)
})
console.log('told', JSON.stringify({
  wrong,
  asked,
  type: tokens.token_type,
  scope: tokens.scope,
  claims,
  person,
  renewed: renewed.access_token !== tokens.access_token,
  rotated: renewed.refresh_token !== undefined && renewed.refresh_token !== tokens.refresh_token,
}))
process.exit(0)
