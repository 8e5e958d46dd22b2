//! Server nonces for `DPoP` (RFC 9449 §8): a proof cannot be made before the server has spoken.
//!
//! No memory: a nonce is a MAC over the current five-minute bucket under a key that this process drew at start, and
//! the previous bucket is still accepted. The key is per process *on purpose*: a proof taken by one process cannot be
//! replayed to another, so the replay memory of one process is complete for what it accepts.

use crypto::{b64, hash, random};

/// Seconds for which one nonce is handed out.
pub const BUCKET: i64 = 300;

/// The nonces of one process.
pub struct Nonces {
    key: crypto::Secret<[u8; 32]>,
}

impl Nonces {
    /// Draws the key.
    #[expect(clippy::new_without_default, reason = "draws randomness, which a default should not")]
    pub fn new() -> Self {
        Self { key: crypto::Secret::new(random::bytes()) }
    }

    /// The nonce to hand out now.
    pub fn current(&self, now: i64) -> String {
        self.nonce(now.div_euclid(BUCKET))
    }

    /// Whether a nonce was handed out in this bucket or the one before.
    pub fn accepts(&self, nonce: &str, now: i64) -> bool {
        let bucket = now.div_euclid(BUCKET);
        let is = |bucket| hash::constant_time_eq(self.nonce(bucket).as_bytes(), nonce.as_bytes());
        is(bucket) | is(bucket.saturating_sub(1))
    }

    fn nonce(&self, bucket: i64) -> String {
        let mac = hash::hmac_sha256(self.key.expose(), &bucket.to_be_bytes());
        // Default: never empty, an HMAC has 32 bytes.
        b64::encode(mac.get(..16).unwrap_or_default())
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_nonce_lives_for_its_bucket_and_the_next() {
        let nonces = Nonces::new();
        let nonce = nonces.current(NOW);
        assert_eq!(nonces.current(NOW + BUCKET - 1), nonce);
        assert!(nonces.accepts(&nonce, NOW));
        assert!(nonces.accepts(&nonce, NOW + 2 * BUCKET - 1));
        assert!(!nonces.accepts(&nonce, NOW + 2 * BUCKET));
    }

    #[test]
    fn a_nonce_of_the_future_is_refused() {
        let nonces = Nonces::new();
        assert!(!nonces.accepts(&nonces.current(NOW + BUCKET), NOW));
    }

    #[test]
    fn a_nonce_of_another_process_is_refused() {
        assert!(!Nonces::new().accepts(&Nonces::new().current(NOW), NOW));
        assert!(!Nonces::new().accepts("", NOW));
    }
}
