//! `private_key_jwt` (RFC 7523 §2.2, as FAPI 2.0 §5.3.2.1 narrows it): a short-lived assertion, signed with ES256 by a key
//! from the configuration, addressed to the issuer and to nobody else, used once.

use api::ClientId;
use identity::jose::{self, JoseError};
use serde::Deserialize;

use super::{AuthenticatedClient, ProtocolRequest, client_named};
use crate::clients::Authentication;
use crate::error::{Refusal, Why};
use crate::opaque::Digest;
use crate::provider::Provider;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion may still have to live. No standard names a number; one that lives for an hour is a password for
/// an hour to whoever reads a log, and its identifier must be remembered as long. The audit log names the limit, because
/// clients of other makes often set an hour.
const MAX_LIFETIME: i64 = 300;
/// FAPI 2.0 §5.3.2.1: up to 10 s ahead must be accepted.
const MAX_AHEAD: i64 = 10;
const MAX_JTI_BYTES: usize = 256;

/// The claims. `aud` is a string: an array, or the URL of an endpoint, is how an assertion meant for another server gets
/// here (FAPI 2.0 §5.3.2.1, item 8).
#[derive(Deserialize)]
struct Claims {
    iss: ClientId,
    sub: ClientId,
    aud: String,
    #[serde(deserialize_with = "identity::numeric_date::deserialize")]
    exp: i64,
    jti: String,
    #[serde(default, deserialize_with = "identity::numeric_date::deserialize_option")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "identity::numeric_date::deserialize_option")]
    iat: Option<i64>,
}

/// An assertion's identifier, still to be used up.
pub(super) struct AssertionId {
    pub(super) digest: Digest,
    pub(super) expires: i64,
}

pub(super) fn verify(
    provider: &Provider,
    request: &ProtocolRequest,
) -> Result<(AuthenticatedClient, AssertionId), Refusal> {
    let assertion = request.parameters.get("client_assertion").ok_or(Why::AssertionMissing)?;
    if request.parameters.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Why::AssertionTypeUnknown.into());
    }
    let refused = |error: JoseError| Why::AssertionInvalid.with_reason(error.reason());
    let assertion = jose::parse_client_assertion(assertion).map_err(refused)?;
    let unverified: Claims = assertion.unverified_claims().map_err(refused)?;
    let fits = |authentication: &Authentication| matches!(authentication, Authentication::Keys(_));
    let client = client_named(provider, request, &unverified.sub, fits)?;
    let mut claims = Err(Why::AssertionKeyUnknown.into());
    for key in client.keys(assertion.header().kid.as_deref()) {
        claims = assertion.verify_es256::<Claims>(key).map_err(refused);
        if claims.is_ok() {
            break;
        }
    }
    let claims = claims?;
    check(&claims, provider.issuer(), request.now)?;
    let digest = Digest::of(&format!("{} {}", client.id, claims.jti));
    let id = AssertionId { digest, expires: claims.exp.saturating_add(MAX_AHEAD) };
    Ok((AuthenticatedClient { client, support_id: None, level: None }, id))
}

fn check(claims: &Claims, issuer: &str, now: i64) -> Result<(), Why> {
    if claims.iss != claims.sub {
        return Err(Why::AssertionIssuer);
    }
    if claims.aud != issuer {
        return Err(Why::AssertionAudience);
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(Why::AssertionJti);
    }
    if now >= claims.exp {
        return Err(Why::AssertionExpired);
    }
    if claims.exp > now.saturating_add(MAX_LIFETIME + MAX_AHEAD) {
        return Err(Why::AssertionLifetime);
    }
    let latest = now.saturating_add(MAX_AHEAD);
    if claims.nbf.is_some_and(|nbf| nbf > latest) || claims.iat.is_some_and(|iat| iat > latest) {
        return Err(Why::AssertionNotYetValid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const ISSUER: &str = "https://auth.test";

    fn outcome(change: impl FnOnce(&mut Claims)) -> Result<(), Why> {
        let mut claims = Claims {
            iss: "partner-web".into(),
            sub: "partner-web".into(),
            aud: ISSUER.into(),
            exp: NOW + 60,
            jti: "j1".into(),
            nbf: Some(NOW),
            iat: Some(NOW),
        };
        change(&mut claims);
        check(&claims, ISSUER, NOW)
    }

    #[test]
    fn a_good_assertion_passes_with_a_clock_that_is_a_little_ahead() {
        assert_eq!(outcome(|_| ()), Ok(()));
        assert_eq!(outcome(|claims| (claims.nbf, claims.iat) = (Some(NOW + 10), Some(NOW + 10))), Ok(()));
        assert_eq!(outcome(|claims| (claims.nbf, claims.iat) = (None, None)), Ok(()));
    }

    #[test]
    fn each_claim_is_checked() {
        assert_eq!(outcome(|claims| claims.iss = "other".into()), Err(Why::AssertionIssuer));
        assert_eq!(outcome(|claims| claims.aud = format!("{ISSUER}/token")), Err(Why::AssertionAudience));
        assert_eq!(outcome(|claims| claims.aud = format!("{ISSUER}/")), Err(Why::AssertionAudience));
        assert_eq!(outcome(|claims| claims.jti.clear()), Err(Why::AssertionJti));
        assert_eq!(outcome(|claims| claims.exp = NOW), Err(Why::AssertionExpired));
        assert_eq!(outcome(|claims| claims.exp = NOW + 311), Err(Why::AssertionLifetime));
        assert_eq!(outcome(|claims| claims.nbf = Some(NOW + 11)), Err(Why::AssertionNotYetValid));
        assert_eq!(outcome(|claims| claims.iat = Some(NOW + 61)), Err(Why::AssertionNotYetValid));
    }

    #[test]
    fn an_audience_that_is_an_array_is_not_a_claim_of_ours() {
        let text = format!(r#"{{"iss":"a","sub":"a","aud":["{ISSUER}"],"exp":1,"jti":"j"}}"#);
        assert!(serde_json::from_str::<Claims>(&text).is_err());
    }
}
