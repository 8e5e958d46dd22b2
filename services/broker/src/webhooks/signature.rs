//! Standard Webhooks, `v1`: HMAC-SHA-256 over `id.timestamp.body`, the body as the bytes that arrived.
//!
//! Invariants: nothing is parsed before it is verified; comparison takes the same time wherever a difference is; every candidate
//! signature is tried under every live secret without stopping at a hit; no secret means refusal. A `.` in the id is refused,
//! because `a.1` + `2` and `a` + `1.2` would sign the same bytes.

use crypto::{SecretBytes, b64, hash};

/// How far the sender's clock may be from ours, in seconds.
pub const TOLERANCE: i64 = 300;
/// Signatures that are looked at: one per secret in rotation, with room.
const MAX_SIGNATURES: usize = 8;
const MAX_ID: usize = 128;

/// The three headers, as received.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `webhook-id`.
    pub id: &'a str, // Text: as it came; nothing says yet whose it is.
    /// `webhook-timestamp`: Unix seconds.
    pub timestamp: &'a str,
    /// `webhook-signature`: `v1,<base64>` and others, separated by spaces.
    pub signature: &'a str,
}

/// Why a webhook is not believed. For the audit log; the sender learns nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum WebhookRefusal {
    /// No such provider, or one that sends no webhooks.
    Provider,
    /// It is longer than its provider's messages are.
    Length,
    /// One of the three headers is missing, or there twice.
    Headers,
    /// The id is empty, long or has characters that ids do not have.
    Id,
    /// The timestamp is not a plain number.
    Timestamp,
    /// The timestamp is more than [`TOLERANCE`] away.
    Window,
    /// No signature of a known version fits any live secret.
    Signature,
}

impl WebhookRefusal {
    /// The stable word for the audit log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Provider => "provider_unknown",
            Self::Length => "body_too_long",
            Self::Headers => "headers_missing_or_doubled",
            Self::Id => "id_malformed",
            Self::Timestamp => "timestamp_malformed",
            Self::Window => "timestamp_out_of_window",
            Self::Signature => "signature_invalid",
        }
    }
}

/// A signing secret as stored (`whsec_` and base64 of 24 to 64 bytes).
pub fn parse_secret(text: &str) -> Option<SecretBytes> {
    let key = SecretBytes::new(b64::decode_standard(text.strip_prefix("whsec_")?).ok()?);
    (24..=64).contains(&key.expose().len()).then_some(key)
}

/// Checks a message under the live secrets.
pub fn verify(headers: &Headers<'_>, body: &[u8], secrets: &[SecretBytes], now: i64) -> Result<(), WebhookRefusal> {
    let id_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte);
    if headers.id.is_empty() || headers.id.len() > MAX_ID || !headers.id.bytes().all(id_byte) {
        return Err(WebhookRefusal::Id);
    }
    let plain = headers.timestamp.len() <= 12 && headers.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let timestamp: i64 = headers.timestamp.parse().ok().filter(|_| plain).ok_or(WebhookRefusal::Timestamp)?;
    if now.saturating_sub(timestamp).saturating_abs() > TOLERANCE {
        return Err(WebhookRefusal::Window);
    }
    let mut message = Vec::with_capacity(headers.id.len() + headers.timestamp.len() + 2 + body.len());
    for part in [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body] {
        message.extend_from_slice(part);
    }
    let candidates: Vec<Vec<u8>> = headers
        .signature
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|entry| b64::decode_standard(entry.strip_prefix("v1,")?).ok())
        .collect();
    let mut good = false;
    for secret in secrets {
        let expected = hash::hmac_sha256(secret.expose(), &message);
        for candidate in &candidates {
            good |= hash::constant_time_eq(&expected, candidate);
        }
    }
    if good { Ok(()) } else { Err(WebhookRefusal::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    /// The vector of the Standard Webhooks reference libraries.
    const GOOD: Headers<'static> = Headers {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };

    fn secrets() -> Vec<SecretBytes> {
        vec![parse_secret(SECRET).unwrap()]
    }

    #[test]
    fn the_standards_own_vector_is_accepted() {
        assert_eq!(verify(&GOOD, BODY, &secrets(), NOW), Ok(()));
    }

    #[test]
    fn the_window_is_five_minutes_on_both_sides() {
        for (offset, expected) in
            [(300, Ok(())), (-300, Ok(())), (301, Err(WebhookRefusal::Window)), (-301, Err(WebhookRefusal::Window))]
        {
            assert_eq!(verify(&GOOD, BODY, &secrets(), NOW + offset), expected, "{offset}");
        }
        assert_eq!(verify(&GOOD, BODY, &secrets(), i64::MAX), Err(WebhookRefusal::Window));
        assert_eq!(verify(&GOOD, BODY, &secrets(), i64::MIN), Err(WebhookRefusal::Window));
    }

    #[test]
    fn a_changed_message_or_signature_is_refused() {
        assert_eq!(verify(&GOOD, b"{}", &secrets(), NOW), Err(WebhookRefusal::Signature));
        assert_eq!(verify(&Headers { id: "msg_other", ..GOOD }, BODY, &secrets(), NOW), Err(WebhookRefusal::Signature));
        assert_eq!(
            verify(&Headers { timestamp: "1614265331", ..GOOD }, BODY, &secrets(), NOW),
            Err(WebhookRefusal::Signature)
        );
        for signature in [
            "",
            "v1,",
            "v1",
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1,g0hM9SsE+OTPJTGt",
            "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert_eq!(
                verify(&Headers { signature, ..GOOD }, BODY, &secrets(), NOW),
                Err(WebhookRefusal::Signature),
                "{signature}"
            );
        }
    }

    #[test]
    fn one_good_signature_among_several_is_enough_and_the_list_is_bounded() {
        let signature = format!("v1a,xyz v1,AAAA {}", GOOD.signature);
        assert_eq!(verify(&Headers { signature: &signature, ..GOOD }, BODY, &secrets(), NOW), Ok(()));
        let signature = format!("{}{}", "v1,AAAA ".repeat(MAX_SIGNATURES), GOOD.signature);
        assert_eq!(
            verify(&Headers { signature: &signature, ..GOOD }, BODY, &secrets(), NOW),
            Err(WebhookRefusal::Signature)
        );
    }

    #[test]
    fn any_live_secret_verifies_and_none_refuses() {
        let other = parse_secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let two = [other.clone(), parse_secret(SECRET).unwrap()];
        assert_eq!(verify(&GOOD, BODY, &two, NOW), Ok(()));
        assert_eq!(verify(&GOOD, BODY, &[other], NOW), Err(WebhookRefusal::Signature));
        assert_eq!(verify(&GOOD, BODY, &[], NOW), Err(WebhookRefusal::Signature));
    }

    #[test]
    fn malformed_heads_are_refused_before_any_hashing() {
        for id in ["", "a.b", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(verify(&Headers { id, ..GOOD }, BODY, &secrets(), NOW), Err(WebhookRefusal::Id), "{id}");
        }
        for timestamp in ["", "+1614265330", "-1", "1614265330.0", " 1614265330", "99999999999999999999", "0x60"] {
            assert_eq!(
                verify(&Headers { timestamp, ..GOOD }, BODY, &secrets(), NOW),
                Err(WebhookRefusal::Timestamp),
                "{timestamp}"
            );
        }
    }

    #[test]
    fn a_secret_has_its_prefix_and_its_length() {
        for text in
            ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert!(parse_secret(text).is_none(), "{text}");
        }
    }
}
