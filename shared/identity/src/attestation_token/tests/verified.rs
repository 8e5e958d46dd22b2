//! The memory says what a verification from nothing says.

use super::*;

struct Fixture {
    memory: VerifiedTokens,
    token: String,
}

impl Fixture {
    /// Which knows a token.
    fn new() -> Self {
        let fixture = Self { memory: VerifiedTokens::new(4), token: issue(&current(), &claims()).unwrap() };
        for _ in 0..3 {
            assert!(fixture.agrees(&fixture.token, &keys(), "ledger", NOW).is_ok());
        }
        assert_eq!(fixture.remembered(), 1);
        fixture
    }

    fn remembered(&self) -> u64 {
        self.memory.0.entries.run_pending_tasks();
        self.memory.0.entries.entry_count()
    }

    fn agrees(&self, token: &str, keys: &AudienceKeys, audience: &str, now: i64) -> Result<Claims, TokenError> {
        let fresh = verify_with_session_key(token, keys, audience, now);
        let shown = self.memory.look(token);
        let known = shown.and_then(|token| self.memory.verify(&token, keys, audience, now));
        let words = |(claims, key): (Claims, SecretBytes)| (claims, key.expose().clone());
        assert_eq!(known.map(|(claims, key)| words(((*claims).clone(), key))), fresh.clone().map(words));
        fresh.map(|(claims, _)| claims)
    }
}

#[test]
fn time_and_audience_are_checked_each_time() {
    let fixture = Fixture::new();
    for (audience, now, error) in [
        ("ledger", NOW + 300, TokenError::Expired),
        ("ledger", NOW - 11, TokenError::NotYetValid),
        ("broker", NOW, TokenError::Audience),
    ] {
        assert_eq!(fixture.agrees(&fixture.token, &keys(), audience, now), Err(error));
    }
}

#[test]
fn a_key_that_is_gone_or_was_replaced_ends_its_tokens() {
    let fixture = Fixture::new();
    assert_eq!(fixture.agrees(&fixture.token, &AudienceKeys::default(), "ledger", NOW), Err(TokenError::UnknownKey));
    // Of the same name.
    let replaced = AudienceKeys::derive(&[master(7, b"another master of thirty-two byte")], "ledger", NOW);
    assert_eq!(fixture.agrees(&fixture.token, &replaced, "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
    assert!(fixture.agrees(&fixture.token, &keys(), "ledger", NOW).is_ok());
}

#[test]
fn a_decoy_is_not_remembered_and_no_other_token_passes_for_a_known_one() {
    let fixture = Fixture::new();
    let decoy = master(7, b"another master of thirty-two byte").key("ledger", epoch_of(NOW));
    fixture.agrees(&issue(&decoy, &claims()).unwrap(), &keys(), "ledger", NOW).unwrap_err();
    fixture.agrees(&format!("{}A", fixture.token), &keys(), "ledger", NOW).unwrap_err();
    assert_eq!(fixture.remembered(), 1);
}

#[test]
fn memory_is_bounded() {
    let fixture = Fixture::new();
    for number in 0..20 {
        let other = Claims { jti: number.to_string(), ..claims() };
        fixture.agrees(&issue(&current(), &other).unwrap(), &keys(), "ledger", NOW).unwrap();
        assert!((1..=4).contains(&fixture.remembered()));
    }
}
