//! Sets up the authenticator app, removes it, and makes recovery codes. Whoever calls has made sure that the person has logged in just now.

use chrono::{DateTime, Utc};
use crypto::{SecretBytes, SecretString};
use identity::Thumbprint;

use super::verify::{SECRET, digits, refused};
use super::{recovery, store, totp};
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::store::seek;
use crate::throttle::{self, Blocked};

/// For what a secret is sealed that is being set up, with the interaction's digest.
const ENROLLING: &str = "auth.interactions.enrolling";

/// A person's app, as the person is told of it.
pub struct State {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Recovery codes that are left.
    pub codes: i64,
}

/// What a person has; none where there is no second factor.
pub async fn state(provider: &Provider, user: UserId) -> Result<Option<State>, PageRefusal> {
    let state = store::state(&provider.pool, user).await?;
    Ok(state.map(|(since, codes)| State { since, codes }))
}

/// An app that is being set up.
pub struct Enrolling {
    secret: SecretBytes,
}

impl Enrolling {
    /// The secret as people type it.
    pub fn text(&self) -> String {
        totp::text(&self.secret)
    }

    /// The secret as apps read it, with the person's address.
    // Text: an e-mail address, as the app will show it.
    pub fn uri(&self, account: &str) -> String {
        totp::uri(&self.secret, account)
    }

    /// That URI as an SVG element.
    // Text: an e-mail address, as the app will show it.
    pub fn picture(&self, account: &str) -> Result<String, PageRefusal> {
        totp::picture(&self.uri(account)).map_err(|error| PageRefusal::internal(&error))
    }

    /// What was sealed by [`begin`], for the interaction with this digest.
    pub fn open(provider: &Provider, interaction: &Digest, sealed: &[u8]) -> Result<Self, PageRefusal> {
        let secret = provider.directory.open_text(ENROLLING, &interaction.to_string(), sealed);
        Ok(Self { secret: secret.map_err(|error| PageRefusal::internal(&error))? })
    }
}

/// A new secret, and the same sealed for the interaction with this digest.
pub fn begin(provider: &Provider, interaction: &Digest) -> Result<(Enrolling, Vec<u8>), PageRefusal> {
    let secret = totp::mint();
    let sealed = provider.directory.seal_text(ENROLLING, &interaction.to_string(), secret.expose());
    Ok((Enrolling { secret }, sealed.map_err(|error| PageRefusal::internal(&error))?))
}

/// What came of a code that shall show that the app is set up.
pub enum Enrolled {
    /// The person has a second factor from now on, and these recovery codes.
    Done(Vec<SecretString>),
    /// The code is not the app's.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
    /// The person has an app already.
    Taken,
}

/// Stores the app, if its code is right.
pub async fn enroll(
    provider: &Provider,
    enrolling: &Enrolling,
    user: UserId,
    known_device: Option<&Thumbprint>,
    typed: &str,
    now: i64,
) -> Result<Enrolled, PageRefusal> {
    let counter = provider.directory.second_factor(user, known_device);
    if let Err(Blocked { seconds }) = throttle::attempt(&provider.pool, &counter, now).await? {
        refused("blocked", user);
        return Ok(Enrolled::Blocked(seconds));
    }
    let step = totp::step(&enrolling.secret, &digits(typed), now).map_err(|error| PageRefusal::internal(&error))?;
    let Some(step) = step else {
        refused("code_wrong", user);
        return Ok(Enrolled::Wrong);
    };
    let sealed = provider.directory.seal_text(SECRET, &user.to_string(), enrolling.secret.expose());
    let sealed = sealed.map_err(|error| PageRefusal::internal(&error))?;
    let (codes, digests) = codes(provider, user)?;
    let subject = user.to_string();
    let stored = storage::subject_transaction(&provider.pool, "second_factors.enroll", &subject, async |db| {
        seek(db, &[&counter]).await?;
        let stored =
            store::insert(db, user, &sealed, step, now).await? && store::replace_codes(db, user, &digests).await?;
        // A right code of an app that is not taken says nothing about whoever guesses at the one that is there.
        if stored {
            throttle::reset(db, &counter).await?;
        }
        Ok::<bool, storage::StorageError>(stored)
    })
    .await?;
    if !stored {
        refused("enrolled_already", user);
        return Ok(Enrolled::Taken);
    }
    runtime::audit!("second_factor_enrolled", outcome = "ok", subject = %user);
    Ok(Enrolled::Done(codes))
}

/// Removes the app and its recovery codes; false when there was none.
pub async fn remove(provider: &Provider, user: UserId) -> Result<bool, PageRefusal> {
    let removed = store::remove(&provider.pool, user).await?;
    if removed {
        runtime::audit!("second_factor_removed", outcome = "ok", subject = %user);
    }
    Ok(removed)
}

/// New recovery codes in the place of the old ones; none where there is no app.
pub async fn renew(provider: &Provider, user: UserId) -> Result<Option<Vec<SecretString>>, PageRefusal> {
    let (codes, digests) = codes(provider, user)?;
    let subject = user.to_string();
    let renewed = storage::subject_transaction(&provider.pool, "recovery_codes.renew", &subject, async |db| {
        store::replace_codes(db, user, &digests).await
    })
    .await?;
    if !renewed {
        return Ok(None);
    }
    runtime::audit!("recovery_codes_renewed", outcome = "ok", subject = %user);
    Ok(Some(codes))
}

/// New codes, and under what they are found.
fn codes(provider: &Provider, user: UserId) -> Result<(Vec<SecretString>, Vec<Digest>), PageRefusal> {
    let codes = recovery::mint();
    let found_under = |code: &SecretString| {
        let code = recovery::normalize(code.expose());
        code.map(|code| recovery::digest(provider, user, &code))
    };
    let digests: Option<Vec<Digest>> = codes.iter().map(found_under).collect();
    let digests = digests.ok_or(crate::error::Invariant("a recovery code that is none was made"))?;
    Ok((codes, digests))
}
