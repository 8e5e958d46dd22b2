// A relying party that nobody here wrote, against `cargo xtask up`: openid-client (npm, certified for FAPI 2) with private_key_jwt,
// PAR, PKCE and DPoP. It prints the URL to open; paste back the address that the browser ends at (the page itself does not load:
// nothing listens on port 8400, and the address is all that matters).
//
//   npm ci --prefix docs/guides/relying-party
//   NODE_EXTRA_CA_CERTS=target/dev/pki/public-ca.pem node docs/guides/relying-party/relying-party.mjs target/dev/pki/secrets/partner-web.jwk
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import * as client from 'openid-client'

const jwk = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { kid, ...parts } = jwk
const key = await crypto.subtle.importKey('jwk', { ...parts, key_ops: ['sign'] }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const issuer = new URL(process.env.ISSUER ?? 'https://localhost:7001')
const config = await client.discovery(issuer, 'partner-web', {}, client.PrivateKeyJwt({ key, kid }))
console.log('discovered  ', config.serverMetadata().issuer, config.serverMetadata().token_endpoint_auth_methods_supported)

const dpop = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const nonce = client.randomNonce()
const url = await client.buildAuthorizationUrlWithPAR(config, {
  redirect_uri: 'https://localhost:8400/callback',
  scope: 'openid profile email offline_access accounts:read',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
}, { DPoP: dpop })
console.log('open        ', url.href)

const input = createInterface({ input: process.stdin, output: process.stdout })
const back = new URL((await input.question('came back at\n')).trim())
input.close()
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }, undefined, { DPoP: dpop })
const claims = tokens.claims()
console.log('tokens      ', tokens.token_type, tokens.scope, `access ${tokens.expires_in} s`)
console.log('ID token    ', claims.iss, claims.sub)
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: dpop })
console.log('refreshed   ', renewed.access_token !== tokens.access_token, 'same refresh token:', (renewed.refresh_token ?? tokens.refresh_token) === tokens.refresh_token)
console.log('userinfo    ', await client.fetchUserInfo(config, renewed.access_token, claims.sub, { DPoP: dpop }))
