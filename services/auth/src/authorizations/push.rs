//! Takes a pushed request and gives it a name for the browser to carry.

use identity::Thumbprint;

use super::request::AuthorizationRequest;
use super::store::requests::{self, NewPushedRequest};
use crate::client_auth::Admitted;
use crate::error::{Refusal, Why};
use crate::form::Parameters;
use crate::opaque::{self, Digest};
use crate::provider::Provider;

/// Seconds within which the browser must bring it (RFC 9126 §2.2; FAPI 2.0: less than 600).
pub(super) const LIFETIME: i64 = 90;
/// RFC 9126 §2.2.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// A stored request.
pub struct Pushed {
    /// What the browser carries.
    pub request_uri: String,
}

/// Checks and stores a request of an authenticated client.
pub async fn push(
    provider: &Provider,
    admitted: &Admitted,
    parameters: &Parameters,
    now: i64,
) -> Result<Pushed, Refusal> {
    let request = AuthorizationRequest::new(admitted.client.client(), parameters)?;
    let jkt = binding(admitted, parameters)?;
    let request_uri = format!("{PREFIX}{}", opaque::mint());
    let row = NewPushedRequest {
        digest: Digest::of(&request_uri),
        client_id: &admitted.client.client().id,
        jkt: jkt.as_ref(),
        request: &request,
        expires: now + LIFETIME,
    };
    requests::insert(&provider.pool, &row).await?;
    Ok(Pushed { request_uri })
}

/// The key that the code will be bound to: that of the proof, or the one named by `dpop_jkt` (RFC 9449 §10, §10.1).
fn binding(admitted: &Admitted, parameters: &Parameters) -> Result<Option<Thumbprint>, Why> {
    match (admitted.jkt(), parameters.get("dpop_jkt")) {
        (Some(proven), Some(named)) if proven.as_str() != named => Err(Why::DpopJktMismatch),
        (None, Some(named)) => named.parse().map(Some).map_err(|_| Why::DpopJktMalformed),
        (proven, _) => Ok(proven.cloned()),
    }
}
