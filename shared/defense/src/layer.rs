//! The one shape of a layer.

use actix_web::http::header::WWW_AUTHENTICATE;
use crypto::SecretBytes;
use futures_util::future::LocalBoxFuture;
use identity::{access_token, attestation_token};
use runtime::{Problem, Refusal};

use crate::Inbound;

/// What a layer decided.
pub enum Decision {
    /// Nothing against it.
    Pass,
    /// No.
    Refuse(Refusal),
    /// Not yet: an honest client can answer this and be let in (a fresh nonce, a step-up).
    Challenge(Refusal),
}

/// A check that found nothing passes.
impl From<Result<(), Decision>> for Decision {
    fn from(checked: Result<(), Decision>) -> Self {
        match checked {
            Ok(()) => Self::Pass,
            Err(decision) => decision,
        }
    }
}

impl Decision {
    /// The one refusal of all token layers.
    pub fn refuse(layer: &'static str, reason: &'static str) -> Self {
        Self::Refuse(Refusal::new(layer, reason, unauthorized()))
    }

    /// A refusal that says nothing about the client: something of ours is missing.
    pub fn unavailable(layer: &'static str, reason: &'static str) -> Self {
        Self::Refuse(Refusal::new(layer, reason, Problem::busy(1)))
    }
}

/// What a layer looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The head of the request: it decides before one byte of the body is read.
    Head,
    /// The body too.
    Body,
}

/// A defense layer.
pub trait Layer: Send + Sync + 'static {
    /// Its name in metrics, in the audit log and in the documentation.
    fn name(&self) -> &'static str;

    /// What it looks at. All layers that need the head come before all that need the body.
    fn needs(&self) -> Needs;

    /// Decides, and adds what it learned to `facts` when it passes.
    fn decide<'a>(&'a self, request: &'a Inbound, facts: &'a mut Facts) -> LocalBoxFuture<'a, Decision>;
}

/// What the layers before have established about a request.
#[derive(Default)]
pub struct Facts {
    /// *What* calls.
    pub attestation: Option<attestation_token::Claims>,
    /// The support id in an attestation token that was refused. For the audit log only.
    pub claimed_support_id: Option<String>,
    /// The key that this instance signs messages with. Derived, never stored.
    pub session_key: Option<SecretBytes>,
    /// The request's signature, once verified; the answer's signature covers it.
    pub signed: bool,
    /// *Who* calls.
    pub access: Option<access_token::Claims>,
}

/// `401 auth.unauthorized`: the same for every token layer and every reason.
pub fn unauthorized() -> Problem {
    Problem::unauthorized().header(WWW_AUTHENTICATE, "DPoP algs=\"ES256\"")
}
