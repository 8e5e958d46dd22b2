//! Challenges of passkeys: each for one interaction, one person and one thing, for ten minutes from the page on, once.
//!
//! A challenge is SHA-256 over a random nonce, which the database keeps, and over all that it is for. So what an authenticator signs is of just that: an
//! assertion under one payment is none under another, nor under the same one with another amount, whatever else was forgotten.

use crypto::{b64, hash, random};
use storage::{Connection, StorageError};

use super::store::passkeys as store;
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::webauthn::TIMEOUT_MILLIS;

const NONCE: usize = 32;
/// Seconds that a challenge is good, from the moment on at which its page is made: a person reads the page before the browser's own time begins to run. An
/// interaction has no longer, and its challenge goes with it.
const LIFETIME: i64 = 600;
/// What the database calls the rule that a ceremony is of an interaction that is there.
const OF_AN_INTERACTION: &str = "passkey_ceremonies_browser_hash_fkey";

/// What a passkey is asked for.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// To be made.
    Enrolling,
    /// To log in.
    LogIn,
    /// To approve the payment that is described by these bytes.
    Payment(&'a [u8]),
}

/// Who asks whom for what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The interaction, by its cookie's digest.
    pub interaction: &'a Digest,
    /// Whose passkey it is.
    pub user: UserId,
    pub about: About<'a>,
}

/// What a page asks the browser.
pub struct Ceremony {
    /// In base64url.
    pub challenge: String,
    /// The relying party's id.
    // Text: a host.
    pub rp_id: String,
    /// The credentials that the person has, in base64url: one of them, or, to make a new one, none of them.
    pub credentials: Vec<String>,
    /// Milliseconds.
    pub timeout: i64,
}

impl Asked<'_> {
    /// The challenge, in base64url.
    pub(super) fn challenge(&self, nonce: &[u8]) -> String {
        let (purpose, what): (&[u8], &[u8]) = match self.about {
            About::Enrolling => (b"enrolling", b""),
            About::LogIn => (b"log_in", b""),
            About::Payment(what) => (b"payment", what),
        };
        let parts = hash::length_prefixed([nonce, purpose, &self.interaction.0, self.user.as_bytes(), what]);
        b64::encode(&hash::sha256(&[b"redoubt-passkey", parts.as_slice()].concat()))
    }
}

/// Makes a challenge, in the place of the interaction's last one.
pub async fn ask(provider: &Provider, asked: &Asked<'_>, now: i64) -> Result<Ceremony, PageRefusal> {
    let nonce = random::bytes::<NONCE>();
    let subject = asked.user.to_string();
    let credentials = storage::subject_transaction(&provider.pool, "passkeys.ask", &subject, async |db| {
        store::begin(db, (asked.interaction, asked.user), &nonce, now + LIFETIME).await?;
        store::credentials(db, asked.user).await
    });
    let credentials = credentials.await.map_err(|error| match error.constraint() {
        // It has gone on in another tab meanwhile.
        Some(OF_AN_INTERACTION) => PageRefusal::Interaction,
        _ => PageRefusal::from(error),
    })?;
    Ok(Ceremony {
        challenge: asked.challenge(&nonce),
        rp_id: provider.relying_party.id().to_owned(),
        credentials: credentials.iter().map(|id| b64::encode(id)).collect(),
        timeout: TIMEOUT_MILLIS,
    })
}

/// Uses the interaction's challenge up, whatever comes of it; else says why there is none.
pub(super) async fn take(
    db: &mut Connection,
    asked: &Asked<'_>,
    now: i64,
) -> Result<Result<String, &'static str>, StorageError> {
    Ok(match store::take(db, asked.interaction, asked.user).await? {
        None => Err("passkey_challenge_unknown"),
        Some((_, expires)) if expires.timestamp() <= now => Err("passkey_challenge_expired"),
        Some((nonce, _)) => Ok(asked.challenge(&nonce)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_for_one_thing_of_one_person_in_one_interaction() {
        let (one, other) = (Digest::of("one"), Digest::of("other"));
        let (alice, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let asked = |interaction, user, about| Asked { interaction, user, about };
        let challenges = [
            asked(&one, alice, About::LogIn).challenge(&[7; 32]),
            asked(&one, alice, About::LogIn).challenge(&[8; 32]),
            asked(&other, alice, About::LogIn).challenge(&[7; 32]),
            asked(&one, bob, About::LogIn).challenge(&[7; 32]),
            asked(&one, alice, About::Enrolling).challenge(&[7; 32]),
            asked(&one, alice, About::Payment(b"")).challenge(&[7; 32]),
            asked(&one, alice, About::Payment(b"1250.00 EUR")).challenge(&[7; 32]),
            asked(&one, alice, About::Payment(b"1250.01 EUR")).challenge(&[7; 32]),
        ];
        for (index, challenge) in challenges.iter().enumerate() {
            assert_eq!(challenge.len(), 43);
            assert!(!challenges[index + 1..].contains(challenge), "{index}");
        }
    }
}
