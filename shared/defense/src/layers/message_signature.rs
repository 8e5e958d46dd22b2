//! Layer *message signature*: is the request unaltered, fresh, and from the instance that was attested? And is the answer what the handler said?
//!
//! RFC 9421 with hmac-sha256 under the session key. What it remembers is in a class of its own: it shares nothing with `DPoP`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, to_bytes_limited};
use actix_web::http::header::{HeaderName, HeaderValue};
use futures_util::future::{LocalBoxFuture, ready};
use identity::message_signature::{self, RequestParts, ResponseParts};
use runtime::Refusal;

use crate::stores::{Once, OnceClass};
use crate::{Facts, Finding, Inbound, Layer, LayerId, Outgoing, SingleUse, Verdict};

/// An answer larger than this is not signed but refused: it is a fault of ours.
const MAX_RESPONSE: usize = 1024 * 1024;

/// Verifies `Signature-Input`, `Signature` and `Content-Digest`, and signs answers.
pub struct MessageSignatureLayer {
    used: Arc<dyn Once>,
    /// Signatures made before this process started are refused: its memory does not reach further back.
    started: i64,
}

impl MessageSignatureLayer {
    /// A layer that remembers in `used`, from `now` on.
    pub fn new(used: Arc<dyn Once>, now: i64) -> Self {
        Self { used, started: now }
    }

    fn check(&self, request: &Inbound, facts: &Facts) -> Result<Facts, Verdict> {
        let refuse = |reason| LayerId::MessageSignature.refuse(reason);
        let invalid = |error: message_signature::SignatureError| refuse(error.reason());
        let (Some(key), Some(attested)) = (facts.session_key.as_ref(), facts.attestation.as_ref()) else {
            return Err(refuse("no_session_key"));
        };
        let header = |name: &str| request.single(name).ok_or_else(|| refuse("signature_missing"));
        let parsed = message_signature::parse(header(api::header::SIGNATURE_INPUT)?, header(api::header::SIGNATURE)?)
            .map_err(invalid)?;
        if parsed.keyid() != attested.jti {
            return Err(refuse("key_id_mismatch"));
        }
        let headers = request.covered_headers().ok_or_else(|| refuse("header_not_text"))?;
        let parts = RequestParts {
            method: &request.method,
            authority: &request.authority,
            path: &request.path,
            query: request.query.as_deref(),
            headers: &headers,
            body: &request.body,
        };
        parsed.verify(key.expose(), &parts, request.now).map_err(invalid)?;
        if parsed.created() < self.started {
            return Err(refuse("created_before_start"));
        }
        let (owner, key, until) = (attested.cnf.jkt.clone(), parsed.replay_key(), parsed.replay_until());
        Ok(Facts { signature: Some(SingleUse { owner, key, until }), ..Facts::default() })
    }

    /// Signs what a handler has answered under the session key, so that the phone notices a forged balance (ATTACKS 32).
    ///
    /// What a layer refuses is not signed: somebody on the way may have passed the request on, and have shown a copy of it to another process,
    /// whose memories and nonces are its own. Signed, that refusal would be the phone's proof that nothing has happened.
    async fn sign(&self, request: &Inbound, facts: &Facts, answer: Outgoing) -> Result<Outgoing, Refusal> {
        let (Some(key), Some(signature)) = (facts.session_key.as_ref(), request.single(api::header::SIGNATURE)) else {
            return Ok(answer);
        };
        if answer.refused || facts.signature.is_none() {
            return Ok(answer);
        }
        let response = sign(key.expose(), signature, request, answer.response).await?;
        Ok(Outgoing { response, ..answer })
    }
}

async fn sign(
    key: &[u8],
    request_signature: &str,
    request: &Inbound,
    mut response: HttpResponse<BoxBody>,
) -> Result<HttpResponse<BoxBody>, Refusal> {
    if let Some(id) = &request.id {
        // A refusal gets its request id in the body; what is signed is the final one.
        runtime::complete_problem(&mut response, id);
    }
    let (response, body) = response.into_parts();
    let body = to_bytes_limited(body, MAX_RESPONSE)
        .await
        .map_err(|_| Refusal::internal(&"an answer is larger than what is signed"))?
        .map_err(|_| Refusal::internal(&"an answer's body failed"))?;
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let parts = ResponseParts { status: response.status().as_u16(), content_type, body: &body };
    let signed = message_signature::sign_response(key, &parts, request_signature, request.now)
        .map_err(|_| Refusal::internal(&"an answer cannot be signed"))?;
    let mut response = response.set_body(BoxBody::new(body));
    for (name, value) in [
        (api::header::CONTENT_DIGEST, signed.content_digest),
        (api::header::SIGNATURE_INPUT, Some(signed.signature_input)),
        (api::header::SIGNATURE, Some(signed.signature)),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

impl Layer for MessageSignatureLayer {
    fn id(&self) -> LayerId {
        LayerId::MessageSignature
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Finding::of(self.check(request, facts))))
    }

    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        let again = || LayerId::MessageSignature.refuse("signature_replayed");
        Box::pin(SingleUse::claim(facts.signature.as_ref(), &*self.used, OnceClass::SignatureNonce, request, again))
    }

    fn answered<'a>(
        &'a self,
        request: &'a Inbound,
        facts: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        Box::pin(self.sign(request, facts, answer))
    }
}
