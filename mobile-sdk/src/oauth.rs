//! Requests to the authorization server: form, client attestation, `DPoP` proof, and the server's nonce.
//!
//! The proof of the device key is at once the proof of possession of the client attestation
//! (draft-ietf-oauth-attestation-based-client-auth, combined mode).

use crypto::SecretString;
use identity::dpop;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use url::Url;

use crate::Error;
use crate::client::Client;
use crate::instances::Held;
use crate::session::Session;
use crate::trace::Trace;
use crate::transport::{RawResponse, secret_header};

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

/// The code of an OAuth error answer.
pub(crate) fn error_code(answer: &RawResponse) -> Option<String> {
    if answer.is_success() {
        return None;
    }
    answer.json::<ErrorAnswer>().ok().map(|answer| answer.error)
}

impl Client {
    /// Posts a form as `held`; grants the server's wish for a nonce (RFC 9449 §8) or a fresh attestation once each, with a new proof.
    pub(crate) async fn oauth_post(
        &self,
        trace: &Trace,
        held: &Held,
        url: &Url,
        form: &[(&str, &str)],
        repeatable: bool,
    ) -> Result<RawResponse, Error> {
        let (mut nonce_asked, mut fresh_asked) = (false, false);
        let mut session = self.session(trace, held, None).await?;
        loop {
            let answer = self.oauth_post_once(trace, (held, &session), url, form, repeatable).await?;
            match error_code(&answer).as_deref() {
                Some("use_dpop_nonce") if !nonce_asked => nonce_asked = true,
                Some("use_fresh_attestation") if !fresh_asked => {
                    fresh_asked = true;
                    session = self.session(trace, held, Some(&session.token_id)).await?;
                }
                Some("invalid_client_attestation") => {
                    // The next one who asks gets another: this one may be of a time when the phone had something to mend.
                    self.session_in(held.instance.slot).forget(|it| it.token_id == session.token_id).await;
                    return Ok(answer);
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn oauth_post_once(
        &self,
        trace: &Trace,
        (held, session): (&Held, &Session),
        url: &Url,
        form: &[(&str, &str)],
        repeatable: bool,
    ) -> Result<RawResponse, Error> {
        let body: SecretString = serde_urlencoded::to_string(form).map_err(|_| Error::Malformed("form"))?.into();
        let make = || {
            let (now, jti, nonce) = (self.transport.now(), crypto::random::token(16), self.nonces.get(url));
            let proof = dpop::create(&*held.signer, "POST", url.as_str(), now, &jti, None, nonce.as_deref())?;
            Ok(self
                .transport
                .request(Method::POST, url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(api::header::CLIENT_ATTESTATION, secret_header(session.client_attestation.expose())?)
                .header(api::header::DPOP, proof)
                .header(api::header::TRACEPARENT, trace.traceparent())
                .body(body.expose().clone()))
        };
        let answer = self.send_repeatedly(repeatable, make).await?;
        self.nonces.note(url, &answer);
        Ok(answer)
    }
}
