//! Challenges: what makes evidence fresh.
//!
//! Invariants: 32 random bytes; only the hash is stored; good for one request, for one purpose on one platform, for two minutes
//! at most. Taking one is a single `DELETE … RETURNING`, so of any number of requests at once exactly one gets it, and a
//! challenge that was presented for the wrong purpose is gone too.

pub(crate) mod http;
pub(crate) mod store;

use std::time::Duration;

use api::attestation::{Challenge, Platform, Purpose};
use chrono::{DateTime, Utc};
use runtime::{Clock, Shutdown};
use storage::{Pool, connection};
use tracing::Instrument as _;

use crate::error::Error;
use crate::state::State;

/// How often expired challenges are swept out.
const SWEEP: Duration = Duration::from_secs(20);

/// Makes a challenge.
pub(crate) async fn issue(state: &State, platform: Platform, purpose: Purpose) -> Result<Challenge, Error> {
    let bytes = crypto::random::bytes::<32>();
    let lifetime = state.tokens.challenge_lifetime;
    let expires_at = time(state.clock.unix() + i64::from(lifetime))?;
    let insert = async {
        let mut db = connection(&state.pool).await?;
        store::insert(&mut db, &crypto::hash::sha256(&bytes), platform, purpose, expires_at).await
    };
    insert.instrument(storage::span("challenges.insert")).await?;
    Ok(Challenge { challenge: crypto::b64::encode(&bytes), expires_in: lifetime })
}

/// Takes a challenge, once.
pub(crate) async fn take(state: &State, challenge: &[u8], platform: Platform, purpose: Purpose) -> Result<(), Error> {
    let take = async {
        let mut db = connection(&state.pool).await?;
        store::take(&mut db, &crypto::hash::sha256(challenge)).await
    };
    let taken = take.instrument(storage::span("challenges.take")).await?.ok_or(Error::Challenge)?;
    let now = time(state.clock.unix())?;
    let fits = taken.platform == platform.as_str() && taken.purpose == purpose.as_str() && now < taken.expires_at;
    if fits { Ok(()) } else { Err(Error::Challenge) }
}

/// Sweeps out expired challenges until the process ends.
pub(crate) async fn sweep(pool: Pool, clock: std::sync::Arc<dyn Clock>, shutdown: Shutdown) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            () = tokio::time::sleep(SWEEP) => {}
        }
        let swept = async {
            let now = time(clock.unix())?;
            Ok::<_, Error>(store::delete_expired(&mut *connection(&pool).await?, now).await?)
        };
        match swept.await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "expired challenges"),
            Err(error) => tracing::warn!(cause = %error, "expired challenges stay for now"),
        }
    }
}

/// Unix seconds as the database has them.
pub(crate) fn time(unix: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp(unix, 0).ok_or(Error::Internal("the clock is out of range"))
}
