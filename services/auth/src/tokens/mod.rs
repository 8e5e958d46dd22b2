//! The token endpoint, one file for each grant type.
//!
//! Invariants:
//! - a token is made from an [`Entitlement`](crate::grants::Entitlement) and a proven key, and both are made only by the checks that they stand for;
//! - access tokens live five minutes, that of an approved payment two; beside the latter there is no other token.

mod authorization_code;
pub mod http;
mod id_token;
mod issue;
mod refresh_token;

pub use issue::TokenResponse;

use api::behavior::Place;

use crate::authorizations::check_resource;
use crate::client_auth::Admitted;
use crate::error::{Refusal, Why};
use crate::form::Parameters;
use crate::provider::Provider;

/// Seconds that an access token lives.
pub const ACCESS_LIFETIME: i64 = 300;

/// The grant types, for the metadata.
pub const GRANT_TYPES: [&str; 2] = [authorization_code::GRANT_TYPE, refresh_token::GRANT_TYPE];

/// Answers a token request of an authenticated client, from there, if it is known.
pub async fn exchange(
    provider: &Provider,
    admitted: Admitted,
    parameters: &Parameters,
    place: Option<&Place>,
    now: i64,
) -> Result<TokenResponse, Refusal> {
    check_resource(parameters)?;
    if parameters.get("authorization_details").is_some() {
        // RFC 9396 §6: it could only ask for less than one payment.
        return Err(Why::AuthorizationDetails.into());
    }
    let Admitted { client, key } = admitted;
    // RFC 9449 §5: only sender-constrained tokens are issued here.
    let key = key.ok_or(Why::DpopMissing)?;
    match parameters.get("grant_type") {
        Some(authorization_code::GRANT_TYPE) => {
            authorization_code::exchange(provider, &client, &key, parameters, now).await
        }
        Some(refresh_token::GRANT_TYPE) => {
            refresh_token::refresh(provider, &client, &key, parameters, place, now).await
        }
        Some(_) => Err(Why::GrantTypeUnknown.into()),
        None => Err(Why::GrantTypeMissing.into()),
    }
}
