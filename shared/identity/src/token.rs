//! What all our bearer tokens have in common: why they are refused, and when they are valid.

use thiserror::Error;

use crate::jose::{self, JoseError};

/// How far the issuer's clock may be ahead of ours, in seconds.
pub(crate) const MAX_AHEAD: i64 = 10;
/// Bytes of a support id.
const SUPPORT_ID_BYTES: usize = 16;
/// No token of ours lives longer, in seconds.
pub const MAX_LIFETIME: i64 = 300;

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a valid JWS of this token's kind.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// No `kid`, or one that is not known or no longer accepted.
    #[error("unknown key")]
    UnknownKey,
    /// Issued by somebody else.
    #[error("unexpected issuer")]
    Issuer,
    /// Made for somebody else.
    #[error("unexpected audience")]
    Audience,
    /// Its subject is none that we name.
    #[error("the subject is malformed")]
    Subject,
    /// At or after `exp`.
    #[error("the token has expired")]
    Expired,
    /// It says more than one thing that the user has approved.
    #[error("more than one authorization detail")]
    Details,
    /// Issued in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A decoy: made by us for somebody whose evidence was refused. It is refused like any forgery, and its use is an alarm.
    #[error("the token is a decoy")]
    Decoy,
    /// Lives longer than our tokens do.
    #[error("the token's lifetime is not one of ours")]
    Lifetime,
}

impl TokenError {
    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Jose(error) => error.reason(),
            Self::UnknownKey => "key_unknown",
            Self::Issuer => "issuer_mismatch",
            Self::Audience => "audience_mismatch",
            Self::Subject => "subject_malformed",
            Self::Details => "details_more_than_one",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Decoy => "decoy_used",
            Self::Lifetime => "lifetime_invalid",
        }
    }
}

/// The support id that a token of ours names, whoever made it: for the operator's log, to find the verdict on an instance that
/// uses a decoy. Nothing may be decided by it.
pub fn claimed_support_id(token: &str, typ: &str) -> Option<String> {
    support_id(&jose::parse(token, typ).ok()?)
}

/// As [`claimed_support_id`], of a token that is taken apart already.
pub(crate) fn support_id(token: &jose::Unverified<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Claimed {
        support_id: String,
    }
    let Claimed { support_id } = token.unverified_claims().ok()?;
    // What we issue: 16 random bytes in base64url. Nothing else gets into a log.
    crypto::b64::decode(&support_id).is_ok_and(|bytes| bytes.len() == SUPPORT_ID_BYTES).then_some(support_id)
}

/// Checks that a token is valid now and was not issued for longer than allowed.
pub(crate) fn check_times(iat: i64, exp: i64, now: i64) -> Result<(), TokenError> {
    check_lifetime(iat, exp)?;
    if iat > now.saturating_add(MAX_AHEAD) {
        return Err(TokenError::NotYetValid);
    }
    // RFC 7519 §4.1.4: on or after `exp` it is not accepted.
    if now >= exp {
        return Err(TokenError::Expired);
    }
    Ok(())
}

/// Checks that a lifetime is one of ours.
pub(crate) fn check_lifetime(iat: i64, exp: i64) -> Result<(), TokenError> {
    match exp.checked_sub(iat) {
        Some(1..=MAX_LIFETIME) => Ok(()),
        _ => Err(TokenError::Lifetime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_from_iat_until_before_exp() {
        assert_eq!(check_times(1000, 1300, 1000), Ok(()));
        assert_eq!(check_times(1000, 1300, 1299), Ok(()));
        assert_eq!(check_times(1000, 1300, 1300), Err(TokenError::Expired));
    }

    #[test]
    fn the_issuers_clock_may_be_a_little_ahead() {
        assert_eq!(check_times(1010, 1300, 1000), Ok(()));
        assert_eq!(check_times(1011, 1300, 1000), Err(TokenError::NotYetValid));
    }

    #[test]
    fn a_lifetime_is_positive_and_bounded() {
        for (iat, exp) in [(1000, 1301), (1000, 1000), (1000, 999), (i64::MIN, i64::MAX)] {
            assert_eq!(check_times(iat, exp, 1000), Err(TokenError::Lifetime));
        }
    }

    #[test]
    fn only_what_looks_like_a_support_id_is_claimed() {
        let claimed = |claims: serde_json::Value| {
            let token = jose::sign_hs256(b"anybody's key", &jose::Header::new("some+jwt"), &claims).unwrap();
            claimed_support_id(&token, "some+jwt")
        };
        let id = crypto::b64::encode(&[7; 16]);
        assert_eq!(claimed(serde_json::json!({ "support_id": id })), Some(id.clone()));
        for odd in ["", "a\nb", "AAAA", &format!("{id}A"), &"A".repeat(5_000)] {
            assert_eq!(claimed(serde_json::json!({ "support_id": odd })), None, "{odd}");
        }
        assert_eq!(claimed(serde_json::json!({ "support_id": 7 })), None);
        assert_eq!(claimed(serde_json::json!({})), None);
        assert_eq!(claimed_support_id("no token", "some+jwt"), None);
    }
}
