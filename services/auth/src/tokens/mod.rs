//! The token endpoint, one file for each grant type.
//!
//! Invariants:
//! - a token is made from an [`Entitlement`](crate::grants::Entitlement) and a proven key, and both are made only by the checks that they stand for;
//! - a code is used up by one UPDATE, so of many uses at once one wins; a second use revokes the grant;
//! - access tokens live five minutes.

mod authorization_code;
pub mod http;
mod id_token;
mod issue;
mod refresh_token;
pub(crate) mod store;

pub use issue::TokenResponse;

use crate::client_auth::Admitted;
use crate::error::{ErrorCode, Refusal};
use crate::form::Parameters;
use crate::par;
use crate::provider::Provider;

/// Seconds within which a code must be redeemed (FAPI 2.0 §5.3.2.1: at most 60).
pub const CODE_LIFETIME: i64 = 60;
/// Seconds that an access token lives.
pub const ACCESS_LIFETIME: i64 = 300;

/// The grant types, for the metadata.
pub const GRANT_TYPES: [&str; 2] = [authorization_code::GRANT_TYPE, refresh_token::GRANT_TYPE];

/// Answers a token request of an authenticated client.
pub async fn exchange(
    provider: &Provider,
    admitted: Admitted,
    parameters: &Parameters,
    now: i64,
) -> Result<TokenResponse, Refusal> {
    par::check_resource(parameters)?;
    let Admitted { client, key } = admitted;
    // RFC 9449 §5: only sender-constrained tokens are issued here.
    let key = key.ok_or(Refusal::proof("dpop_missing"))?;
    match parameters.get("grant_type") {
        Some(authorization_code::GRANT_TYPE) => {
            authorization_code::redeem(provider, &client, &key, parameters, now).await
        }
        Some(refresh_token::GRANT_TYPE) => refresh_token::refresh(provider, &client, &key, parameters, now).await,
        Some(_) => {
            Err(Refusal::new(ErrorCode::UnsupportedGrantType, "request", "grant_type_unknown", "unknown grant_type"))
        }
        None => Err(Refusal::request("grant_type_missing", "grant_type is missing")),
    }
}
