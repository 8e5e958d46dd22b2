//! Layer *message signature*: is the request unaltered, fresh, and from the instance that was attested?
//!
//! RFC 9421 with hmac-sha256 under the session key. Its replay memory is its own: it shares nothing with `DPoP`'s.

use futures_util::future::LocalBoxFuture;
use identity::message_signature::{self, RequestParts};
use identity::replay::{Insertion, ReplayMemory};

use crate::{Decision, Facts, Inbound, Layer, Needs};

const NAME: &str = "message_signature";

/// Verifies `Signature-Input`, `Signature` and `Content-Digest`.
pub struct MessageSignatureLayer {
    seen: ReplayMemory,
    /// Signatures made before this process started are refused: its memory does not reach further back.
    started: i64,
}

impl MessageSignatureLayer {
    /// A layer whose memory starts at `now` and holds `capacity` signatures.
    pub fn new(capacity: usize, now: i64) -> Self {
        Self { seen: ReplayMemory::new(capacity), started: now }
    }

    fn check(&self, request: &Inbound, facts: &mut Facts) -> Result<(), Decision> {
        let refuse = |error: message_signature::SignatureError| Decision::refuse(NAME, error.reason());
        let (Some(key), Some(attested)) = (facts.session_key.as_ref(), facts.attestation.as_ref()) else {
            return Err(Decision::refuse(NAME, "no_session_key"));
        };
        let header = |name: &str| request.single(name).ok_or_else(|| Decision::refuse(NAME, "signature_missing"));
        let parsed = message_signature::parse(header(api::header::SIGNATURE_INPUT)?, header(api::header::SIGNATURE)?)
            .map_err(refuse)?;
        if parsed.keyid() != attested.jti {
            return Err(Decision::refuse(NAME, "key_id_mismatch"));
        }
        let headers = request.covered_headers().ok_or_else(|| Decision::refuse(NAME, "header_not_text"))?;
        let parts = RequestParts {
            method: &request.method,
            authority: &request.authority,
            path: &request.path,
            query: request.query.as_deref(),
            headers: &headers,
            body: &request.body,
        };
        parsed.verify(key.expose(), &parts, request.now).map_err(refuse)?;
        if parsed.created() < self.started {
            return Err(Decision::refuse(NAME, "created_before_start"));
        }
        match self.seen.insert(attested.cnf.jkt.as_str(), parsed.replay_key(), parsed.replay_until(), request.now) {
            Insertion::Fresh => {}
            Insertion::Replayed => return Err(Decision::refuse(NAME, "signature_replayed")),
            Insertion::Full => return Err(Decision::unavailable(NAME, "replay_memory_full")),
        }
        facts.signed = true;
        Ok(())
    }
}

impl Layer for MessageSignatureLayer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> Needs {
        Needs::Body
    }

    fn decide<'a>(&'a self, request: &'a Inbound, facts: &'a mut Facts) -> LocalBoxFuture<'a, Decision> {
        Box::pin(async move { self.check(request, facts).into() })
    }
}
