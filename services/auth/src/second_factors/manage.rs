//! Tells what a person has, sets up the authenticator app, removes it, and makes recovery codes. Whoever calls has made sure that the person has logged in just now.

use api::behavior::SecondFactorChange;
use chrono::{DateTime, Utc};
use crypto::{SecretBytes, SecretString};
use identity::Thumbprint;

use super::audit::refused;
use super::passkeys::Passkey;
use super::store::passkeys as rows;
use super::verify::{SECRET, digits};
use super::{SecondFactor, recovery, store, totp};
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::signals::What;
use crate::store::seek;
use crate::throttle::{self, Blocked};

/// For what a secret is sealed that is being set up, with the interaction's digest.
const ENROLLING: &str = "auth.interactions.enrolling";

/// What a person has beside the password, as the person is told of it.
pub struct State {
    /// Since when there is an app.
    pub app: Option<DateTime<Utc>>,
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that are left.
    pub codes: i64,
}

impl State {
    /// How many there are, of both kinds.
    pub fn count(&self) -> usize {
        self.passkeys.len() + usize::from(self.app.is_some())
    }
}

/// What a person has; none where there is no second factor.
pub async fn state(provider: &Provider, user: UserId) -> Result<Option<State>, PageRefusal> {
    let subject = user.to_string();
    let (app, passkeys, codes) =
        storage::subject_transaction(&provider.pool, "second_factors.state", &subject, async |db| {
            let app = store::app(db, user).await?;
            let passkeys = rows::list(db, user).await?;
            Ok::<_, storage::StorageError>((app, passkeys, store::codes_left(db, user).await?))
        })
        .await?;
    if app.is_none() && passkeys.is_empty() {
        return Ok(None);
    }
    let passkeys: Result<_, _> = passkeys.iter().map(|row| Passkey::open(provider, row)).collect();
    Ok(Some(State { app, passkeys: passkeys?, codes }))
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
    /// The app counts from now on. Whoever had no second factor before has these recovery codes.
    Done(Option<Vec<SecretString>>),
    /// The code is not the app's.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
    /// The person has an app already.
    Taken,
    /// There has been a second factor since this login, and it was not shown.
    SecondFactorMissing,
    /// The sign-in was ended meanwhile.
    Ended,
}

/// What somebody proposes who sets an app up.
pub struct Proposed<'a> {
    /// The interaction in which it is set up.
    pub interaction: &'a Digest,
    pub user: UserId,
    /// What was shown beside the password.
    pub shown: Option<SecondFactor>,
    pub known_device: Option<&'a Thumbprint>,
    /// The code of the new app.
    pub typed: &'a str,
}

/// Stores the app, if its code is right.
pub async fn enroll(
    provider: &Provider,
    enrolling: &Enrolling,
    proposed: &Proposed<'_>,
    now: i64,
) -> Result<Enrolled, PageRefusal> {
    let user = proposed.user;
    let counter = provider.directory.second_factor(user, proposed.known_device);
    if let Err(Blocked { seconds }) = throttle::attempt(&provider.pool, &counter, now).await? {
        refused("blocked", user);
        return Ok(Enrolled::Blocked(seconds));
    }
    let step = totp::step(&enrolling.secret, &digits(proposed.typed), now);
    let Some(step) = step.map_err(|error| PageRefusal::internal(&error))? else {
        refused("code_wrong", user);
        return Ok(Enrolled::Wrong);
    };
    let sealed = provider.directory.seal_text(SECRET, &user.to_string(), enrolling.secret.expose());
    let sealed = sealed.map_err(|error| PageRefusal::internal(&error))?;
    let (codes, digests) = recovery::set(provider, user)?;
    let subject = user.to_string();
    let outcome = storage::subject_transaction(&provider.pool, "second_factors.enroll", &subject, async |db| {
        store::alone(db, user).await?;
        if !store::is_there(db, proposed.interaction).await? {
            return Ok(Err(Enrolled::Ended));
        }
        let first = !store::is_enrolled(db, user).await?;
        if !first && proposed.shown.is_none() {
            return Ok(Err(Enrolled::SecondFactorMissing));
        }
        if !store::insert(db, user, &sealed, step, now).await? {
            return Ok(Err(Enrolled::Taken));
        }
        if first {
            store::replace_codes(db, user, &digests).await?;
        }
        provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Added), now).await?;
        // A right code of an app that is not taken says nothing about whoever guesses at the one that is there.
        seek(db, &[&counter]).await?;
        throttle::reset(db, &counter).await?;
        Ok::<Result<bool, Enrolled>, storage::StorageError>(Ok(first))
    })
    .await?;
    match outcome {
        Ok(first) => {
            runtime::audit!("second_factor_enrolled", outcome = "ok", subject = %user);
            Ok(Enrolled::Done(first.then_some(codes)))
        }
        Err(not) => {
            if matches!(not, Enrolled::Taken) {
                refused("enrolled_already", user);
            }
            Ok(not)
        }
    }
}

/// Removes the app, in this interaction; with it go the person's other sign-ins, and with the last second factor the recovery codes. False when there was none.
pub async fn remove(provider: &Provider, interaction: &Digest, user: UserId) -> Result<bool, PageRefusal> {
    let (subject, now) = (user.to_string(), provider.clock.unix());
    let removed = storage::subject_transaction(&provider.pool, "totp_secrets.remove", &subject, async |db| {
        store::alone(db, user).await?;
        let removed = store::is_there(db, interaction).await? && store::remove(db, user).await?;
        if removed {
            store::end_others(db, interaction).await?;
            provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Removed), now).await?;
        }
        Ok::<bool, storage::StorageError>(removed)
    })
    .await?;
    if removed {
        runtime::audit!("second_factor_removed", outcome = "ok", subject = %user);
    }
    Ok(removed)
}

/// Removes all that there is, and ends what sign-ins the person has under way. Whether there was an app, and how many passkeys.
pub async fn remove_all(provider: &Provider, user: UserId) -> Result<(bool, usize), storage::StorageError> {
    let now = provider.clock.unix();
    storage::subject_transaction(&provider.pool, "second_factors.remove_all", &user.to_string(), async |db| {
        store::alone(db, user).await?;
        // The recovery codes go with the last of them.
        let removed = (store::remove(db, user).await?, rows::remove_all(db, user).await?);
        store::end_all(db).await?;
        if removed != (false, 0) {
            provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Removed), now).await?;
        }
        Ok(removed)
    })
    .await
}

/// New recovery codes in the place of the old ones, made in this interaction; they end the person's other sign-ins. None where there is nothing that they could
/// stand in for.
pub async fn renew(
    provider: &Provider,
    interaction: &Digest,
    user: UserId,
) -> Result<Option<Vec<SecretString>>, PageRefusal> {
    let (codes, digests) = recovery::set(provider, user)?;
    let subject = user.to_string();
    let renewed = storage::subject_transaction(&provider.pool, "recovery_codes.renew", &subject, async |db| {
        store::alone(db, user).await?;
        let renewed = store::is_there(db, interaction).await? && store::replace_codes(db, user, &digests).await?;
        if renewed {
            store::end_others(db, interaction).await?;
        }
        Ok::<bool, storage::StorageError>(renewed)
    })
    .await?;
    if !renewed {
        return Ok(None);
    }
    runtime::audit!("recovery_codes_renewed", outcome = "ok", subject = %user);
    Ok(Some(codes))
}
