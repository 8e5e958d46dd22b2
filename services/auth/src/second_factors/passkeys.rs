//! Adds passkeys, removes them, and lets them stand beside a password. Whoever adds or removes has made sure that the person has logged in just now.

use api::behavior::SecondFactorChange;
use chrono::{DateTime, Utc};
use crypto::SecretString;

use super::audit::refused;
use super::ceremony::{Asked, take};
use super::store::passkeys as rows;
use super::{SecondFactor, recovery, store};
use crate::error::PageRefusal;
use crate::ids::{PasskeyId, UserId};
use crate::opaque::Digest;
use crate::provider::Provider;
use crate::signals::What;
use crate::webauthn::{self, Assertion, Registration};

/// How many a person may have; the database lets nobody have more.
pub const MOST: usize = 5;
/// Characters of a passkey's name.
pub const LONGEST_NAME: usize = 40;
/// For what a passkey's name is sealed, with the passkey's id.
const NAME: &str = "auth.passkeys.name";

/// A passkey as its person sees it.
pub struct Passkey {
    pub id: PasskeyId,
    pub name: String,
    pub since: DateTime<Utc>,
    /// When it was used last.
    pub used: Option<DateTime<Utc>>,
}

impl Passkey {
    pub(super) fn open(provider: &Provider, row: &rows::Listed) -> Result<Self, PageRefusal> {
        let name = provider.directory.open_text(NAME, &row.id.to_string(), &row.name);
        let name = name.map_err(|error| PageRefusal::internal(&error))?;
        let name = String::from_utf8(name.expose().clone()).map_err(|error| PageRefusal::internal(&error))?;
        Ok(Self { id: row.id, name, since: row.since, used: row.used })
    }
}

/// What came of a new passkey.
pub enum Added {
    /// It is one from now on. Whoever had no second factor before has these recovery codes.
    Done(Option<Vec<SecretString>>),
    /// What the browser brought is not what it was asked for.
    Refused,
    /// It is somebody's already.
    Taken,
    /// There are enough.
    Full,
    /// There has been a second factor since this login, and it was not shown.
    SecondFactorMissing,
}

/// Adds a passkey under a name that its person has given it, if it answers the challenge. `shown` is what was shown beside the password.
pub async fn add(
    provider: &Provider,
    asked: &Asked<'_>,
    shown: Option<SecondFactor>,
    name: &str,
    said: &Registration,
    now: i64,
) -> Result<Added, PageRefusal> {
    let (user, id): (UserId, PasskeyId) = (asked.user, storage::ids::new(provider.clock.unix_millis()).into());
    let sealed = provider.directory.seal_text(NAME, &id.to_string(), name.as_bytes());
    let sealed = sealed.map_err(|error| PageRefusal::internal(&error))?;
    let (codes, digests) = recovery::set(provider, user)?;
    let subject = user.to_string();
    let outcome = storage::subject_transaction(&provider.pool, "passkeys.add", &subject, async |db| {
        store::alone(db, user).await?;
        // Of a sign-in that was ended meanwhile there is none.
        let challenge = match take(db, asked, now).await? {
            Ok(challenge) => challenge,
            Err(reason) => return Ok(Err((Added::Refused, Some(reason)))),
        };
        let registered = match webauthn::register(&provider.relying_party, &challenge, said) {
            Ok(registered) => registered,
            Err(refused) => return Ok(Err((Added::Refused, Some(refused.reason())))),
        };
        let first = !store::is_enrolled(db, user).await?;
        if !first && shown.is_none() {
            return Ok(Err((Added::SecondFactorMissing, None)));
        }
        if rows::credentials(db, user).await?.len() >= MOST {
            return Ok(Err((Added::Full, Some("passkeys_full"))));
        }
        if !rows::insert(db, (id, user), &sealed, &registered, now).await? {
            return Ok(Err((Added::Taken, Some("passkey_taken"))));
        }
        if first {
            store::replace_codes(db, user, &digests).await?;
        }
        provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Added), now).await?;
        Ok::<_, storage::StorageError>(Ok(first))
    })
    .await?;
    match outcome {
        Ok(first) => {
            runtime::audit!("passkey_added", outcome = "ok", subject = %user, passkey = %id);
            Ok(Added::Done(first.then_some(codes)))
        }
        Err((not, reason)) => {
            if let Some(reason) = reason {
                refused(reason, user);
            }
            Ok(not)
        }
    }
}

/// Removes a passkey, in this interaction; with it go the person's other sign-ins, and with the last second factor the recovery codes. False when there was none
/// such.
pub async fn remove_passkey(
    provider: &Provider,
    interaction: &Digest,
    user: UserId,
    id: PasskeyId,
) -> Result<bool, PageRefusal> {
    let (subject, now) = (user.to_string(), provider.clock.unix());
    let removed = storage::subject_transaction(&provider.pool, "passkeys.remove", &subject, async |db| {
        store::alone(db, user).await?;
        let removed = store::is_there(db, interaction).await? && rows::remove(db, user, id).await?;
        if removed {
            store::end_others(db, interaction).await?;
            provider.signals.leave(db, user, What::SecondFactor(SecondFactorChange::Removed), now).await?;
        }
        Ok::<bool, storage::StorageError>(removed)
    })
    .await?;
    if removed {
        runtime::audit!("passkey_removed", outcome = "ok", subject = %user, passkey = %id);
    }
    Ok(removed)
}

/// Examines an assertion, and uses its challenge up whatever comes of it; says which passkey it was, and since when the person has it.
pub(super) async fn prove(
    provider: &Provider,
    asked: &Asked<'_>,
    said: &Assertion,
    now: i64,
) -> Result<Result<(PasskeyId, i64), &'static str>, PageRefusal> {
    let (user, subject) = (asked.user, asked.user.to_string());
    let outcome = storage::subject_transaction(&provider.pool, "passkeys.use", &subject, async |db| {
        let challenge = match take(db, asked, now).await? {
            Ok(challenge) => challenge,
            Err(reason) => return Ok(Err(reason)),
        };
        // Steps 5 and 6 of §7.2: one of those that this person has.
        let Some((id, since, known)) = rows::find(db, user, &said.credential_id).await? else {
            return Ok(Err("passkey_unknown"));
        };
        match webauthn::assert(&provider.relying_party, &challenge, &known, said) {
            Ok(asserted) => {
                rows::used(db, id, &asserted, now).await?;
                let changed = asserted.backup_eligible != known.backup_eligible;
                Ok(Ok((id, since, changed.then_some(asserted.backup_eligible))))
            }
            Err(refused) => Ok::<_, storage::StorageError>(Err(refused.reason())),
        }
    })
    .await?;
    if let Ok((id, _, Some(backup_eligible))) = outcome {
        runtime::audit!("passkey_backup_eligible", outcome = "ok", subject = %user, passkey = %id, backup_eligible);
    }
    Ok(outcome.map(|(id, since, _)| (id, since)))
}
