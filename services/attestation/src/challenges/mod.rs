//! Challenges: what makes evidence fresh.
//!
//! Nothing is kept of a challenge until it is used, so that whoever asks for many fills no disk. What it is good for stands in itself, under
//! a MAC that only this service can make:
//!
//! ```text
//! 12 random bytes ‖ u32 Unix seconds at which it expires ‖ first 16 bytes of HMAC-SHA-256(key, platform ‖ purpose ‖ the 16 before)
//! ```
//!
//! Invariants: good for one request, for one purpose on one platform, for two minutes at most. Using one is a single `INSERT … ON CONFLICT
//! DO NOTHING`, so of any number of requests at once exactly one gets it. While the master is replaced, challenges under both are good.

pub(crate) mod http;
pub(crate) mod store;

use std::sync::Arc;
use std::time::Duration;

use api::attestation::{Challenge, Platform, Purpose};
use chrono::{DateTime, Utc};
use crypto::{SecretBytes, b64, hash};
use identity::attestation_token::Master;
use runtime::{Clock, Shutdown};
use storage::{Pool, connection};
use tracing::Instrument as _;

use crate::error::Error;

/// How often expired challenges are swept out.
const SWEEP: Duration = Duration::from_secs(20);
/// Seconds that a used challenge is remembered beyond its life: another replica's clock may be behind.
const BEYOND: i64 = 300;
/// Bytes of a challenge, and where its parts end.
const BYTES: usize = 32;
const RANDOM: usize = 12;
const BODY: usize = 16;

/// Makes challenges and knows its own again.
pub(crate) struct Challenges {
    /// The one that makes them first.
    keys: Vec<SecretBytes>,
    lifetime: u32,
}

/// A challenge that this service made, for this, and that has not expired. Perhaps used.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) bytes: [u8; BYTES],
    expires_at: DateTime<Utc>,
}

impl Challenges {
    /// Under keys derived from the masters, that of the first for new ones; `lifetime` in seconds.
    pub(crate) fn new(masters: &[Master], lifetime: u32) -> Self {
        let key = |master: &Master| {
            let mut key = [0; 32];
            hash::hkdf_sha256(master.secret().expose(), b"redoubt-challenge-v1", b"", &mut key);
            SecretBytes::new(key.to_vec())
        };
        Self { keys: masters.iter().map(key).collect(), lifetime }
    }

    /// Makes one. No effect that lasts.
    pub(crate) fn issue(&self, platform: Platform, purpose: Purpose, now: i64) -> Result<Challenge, Error> {
        let key = self.keys.first().ok_or(Error::Internal("there is no key for challenges"))?;
        let out_of_range = |_| Error::Internal("the clock is out of range");
        let expires = u32::try_from(now + i64::from(self.lifetime)).map_err(out_of_range)?;
        let body = [&crypto::random::bytes::<RANDOM>()[..], &expires.to_be_bytes()].concat();
        let challenge = [&body[..], &mac(key, platform, purpose, &body)].concat();
        Ok(Challenge { challenge: b64::encode(&challenge), expires_in: self.lifetime })
    }

    /// What is asked with it must be what it was made for. No effect: see [`consume`].
    pub(crate) fn read(&self, text: &str, platform: Platform, purpose: Purpose, now: i64) -> Result<Presented, Error> {
        let bytes: [u8; BYTES] =
            b64::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Error::Challenge)?;
        let (body, given) = bytes.split_at(BODY);
        let ours = |key| hash::constant_time_eq(&mac(key, platform, purpose, body), given);
        if !self.keys.iter().any(ours) {
            return Err(Error::Challenge);
        }
        let expires = body.last_chunk::<4>().ok_or(Error::Internal("a challenge of impossible length"))?;
        let expires = i64::from(u32::from_be_bytes(*expires));
        if now < expires { Ok(Presented { bytes, expires_at: time(expires)? }) } else { Err(Error::Challenge) }
    }
}

fn mac(key: &SecretBytes, platform: Platform, purpose: Purpose, body: &[u8]) -> [u8; BYTES - BODY] {
    // No name of a platform or purpose has a zero byte, and the body has a fixed length.
    let message = [platform.as_ref().as_bytes(), b"\0", purpose.as_ref().as_bytes(), b"\0", body].concat();
    let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash::hmac_sha256(key.expose(), &message);
    first
}

/// Uses a challenge up, once.
pub(crate) async fn consume(pool: &Pool, challenge: &Presented) -> Result<(), Error> {
    let consume = async {
        let mut db = connection(pool).await?;
        store::consume(&mut db, &hash::sha256(&challenge.bytes), challenge.expires_at).await
    };
    if consume.instrument(storage::span("challenges.spend")).await? { Ok(()) } else { Err(Error::Challenge) }
}

/// Sweeps out what nobody can use any more until the process ends.
pub(crate) async fn sweep(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> anyhow::Result<()> {
    runtime::sweep(shutdown, SWEEP, "expired challenges", || async {
        let expired = time(clock.unix() - BEYOND)?;
        Ok::<_, Error>(store::delete_expired(&mut *connection(&pool).await?, expired).await?)
    })
    .await
}

/// Unix seconds as the database has them.
pub(crate) fn time(unix: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp(unix, 0).ok_or(Error::Internal("the clock is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn masters(bytes: &[u8]) -> Vec<Master> {
        bytes.iter().map(|byte| Master::new((*byte).into(), SecretBytes::new(vec![*byte; 32]))).collect()
    }

    fn challenges(bytes: &[u8]) -> Challenges {
        Challenges::new(&masters(bytes), 120)
    }

    fn read(challenges: &Challenges, text: &str, now: i64) -> bool {
        challenges.read(text, Platform::Ios, Purpose::Attestation, now).is_ok()
    }

    #[test]
    fn a_challenge_is_known_again_until_it_expires() {
        let ours = challenges(&[1]);
        let text = ours.issue(Platform::Ios, Purpose::Attestation, NOW).unwrap().challenge;
        assert!(read(&ours, &text, NOW) && read(&ours, &text, NOW + 119));
        assert!(!read(&ours, &text, NOW + 120));
        assert_ne!(text, ours.issue(Platform::Ios, Purpose::Attestation, NOW).unwrap().challenge);
    }

    #[test]
    fn what_it_was_not_made_for_is_refused() {
        let ours = challenges(&[1]);
        let text = ours.issue(Platform::Ios, Purpose::Attestation, NOW).unwrap().challenge;
        for (platform, purpose) in [
            (Platform::Android, Purpose::Attestation),
            (Platform::Ios, Purpose::Assertion),
            (Platform::Android, Purpose::Assertion),
        ] {
            assert!(ours.read(&text, platform, purpose, NOW).is_err());
        }
    }

    #[test]
    fn no_bit_of_it_may_change() {
        let ours = challenges(&[1]);
        let text = ours.issue(Platform::Ios, Purpose::Attestation, NOW).unwrap().challenge;
        let bytes = b64::decode(&text).unwrap();
        for bit in 0..BYTES * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!read(&ours, &b64::encode(&changed), NOW), "bit {bit}");
        }
        for length in [0, 16, 31] {
            assert!(!read(&ours, &b64::encode(&bytes[..length]), NOW));
        }
        assert!(!read(&ours, &b64::encode(&[&bytes[..], &[0]].concat()), NOW));
    }

    #[test]
    fn another_masters_is_refused_unless_it_is_the_one_that_is_being_replaced() {
        let text = challenges(&[1]).issue(Platform::Ios, Purpose::Attestation, NOW).unwrap().challenge;
        assert!(!read(&challenges(&[2]), &text, NOW));
        assert!(read(&challenges(&[2, 1]), &text, NOW));
    }
}
