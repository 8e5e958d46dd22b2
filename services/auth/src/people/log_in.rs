//! Log in with a password, and for whoever has a second factor with that beside it.
//!
//! The steps are the same for an address that nobody has: the look-up, the count, a permit, one hash. The permit comes late, so
//! that nobody holds a core's worth of hashing while waiting for the database.

use crypto::SecretString;
use identity::Thumbprint;
use runtime::{Record, Who};
use storage::{Connection, StorageError};

use super::passwords::Permit;
use super::store::{self, Login};
use super::{Busy, directory};
use crate::authorizations::{Authenticated, Interaction, Known};
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::second_factors;
use crate::signals::What;
use crate::store::seek;
use crate::throttle::{self, Blocked};

/// What came of it.
pub enum LogIn {
    /// The interaction goes on there, under this cookie.
    Done { cookie: String, path: &'static str },
    /// Address or password is wrong; which of them, nobody says.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
}

/// What a password came to.
pub(super) enum Try {
    Right(Proven),
    Wrong,
    Blocked(i64),
}

/// Whose password was right.
pub(super) struct Proven {
    pub(super) user_id: UserId,
    counter: Digest,
    /// Whether it was by a way that is known ([`Interaction::is_known_way`]).
    known_device: bool,
    /// A hash to store in place of the old one.
    rehashed: Option<String>,
}

/// Checks a password. Whoever has no second factor is authenticated by it; of others the interaction awaits it.
pub async fn log_in(
    provider: &Provider,
    interaction: &Interaction,
    typed: &str,
    password: &SecretString,
    now: i64,
) -> Result<LogIn, PageRefusal> {
    let proven = match try_password(provider, interaction, &directory::normalize(typed), password, now).await? {
        Try::Right(proven) => proven,
        Try::Wrong => return Ok(LogIn::Wrong),
        Try::Blocked(seconds) => return Ok(LogIn::Blocked(seconds)),
    };
    let user_id = proven.user_id;
    let cookie = opaque::mint();
    let new = &Digest::of(&cookie);
    let known = storage::subject_transaction(&provider.pool, "users.log_in", &user_id.to_string(), async |db| {
        seek(db, &[interaction.digest(), &proven.counter]).await?;
        settle(db, &proven).await?;
        let known = if second_factors::is_enrolled(db, user_id).await? {
            Known::Awaiting(user_id)
        } else {
            Known::Authenticated(Authenticated { user_id, at: now, second: None, factor_since: None })
        };
        let replaced = interaction.replace(db, new, &known).await?;
        if replaced && matches!(known, Known::Authenticated(_)) {
            let what = What::Login { known_device: proven.known_device, place: interaction.place.as_ref() };
            provider.signals.leave(db, user_id, what, now).await?;
        }
        Ok::<Option<Known>, StorageError>(replaced.then_some(known))
    })
    .await?;
    let known = known.ok_or(PageRefusal::Interaction)?;
    let client_id = interaction.client.id.as_str();
    match known {
        Known::Awaiting(_) => runtime::audit!("password_right", outcome = "ok", subject = %user_id, client_id),
        Known::Authenticated(_) => runtime::audit!("logged_in", outcome = "ok", subject = %user_id, client_id),
    }
    Ok(LogIn::Done { cookie, path: interaction.next_of(&known) })
}

/// Counts a try and looks at its password.
pub(super) async fn try_password(
    provider: &Provider,
    interaction: &Interaction,
    identifier: &str,
    password: &SecretString,
    now: i64,
) -> Result<Try, PageRefusal> {
    let lookup = provider.directory.lookup(identifier);
    let login = store::find(&provider.pool, &lookup).await?;
    let device = known_device(provider, interaction, login.as_ref()).await?;
    let counter = provider.directory.throttle(identifier, device);
    if let Err(Blocked { seconds }) = throttle::attempt(&provider.pool, &counter, now).await? {
        refused("blocked", login.as_ref());
        return Ok(Try::Blocked(seconds));
    }
    let permit = acquire(provider, &counter, now).await?;
    let stored = login.as_ref().map(|login| login.password_hash.clone());
    let right = permit.verify(password, stored).await.map_err(|error| PageRefusal::internal(&error))?;
    let (Some(right), Some(login)) = (right, login.as_ref()) else {
        refused("credentials_wrong", login.as_ref());
        let (user, place) = (login.as_ref().map(|login| login.id), interaction.place.as_ref());
        provider.signals.try_failed(&provider.pool, user, place, now).await?;
        return Ok(Try::Wrong);
    };
    let (known_device, rehashed) = (interaction.is_known_way(device), right.rehashed);
    Ok(Try::Right(Proven { user_id: login.id, counter, known_device, rehashed }))
}

/// Ends the failures that were counted, where nothing else is written.
pub(super) async fn clear(provider: &Provider, proven: &Proven) -> Result<(), StorageError> {
    storage::subject_transaction(&provider.pool, "users.confirm", &proven.user_id.to_string(), async |db| {
        seek(db, &[&proven.counter]).await?;
        settle(db, proven).await
    })
    .await
}

async fn settle(db: &mut Connection, proven: &Proven) -> Result<(), StorageError> {
    throttle::reset(db, &proven.counter).await?;
    if let Some(hash) = &proven.rehashed {
        store::replace_hash(db, proven.user_id, hash).await?;
    }
    Ok(())
}

/// That somebody has logged in, with all that they have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoggedIn {
    pub(crate) at: i64,
    /// By a way that was known already ([`Interaction::is_known_way`]).
    pub(crate) known_device: bool,
}

/// Puts an interaction with this person in the place of another, under a new cookie. `logs_in`, if that is what it means.
pub(crate) async fn advance(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    logs_in: Option<LoggedIn>,
) -> Result<String, PageRefusal> {
    let cookie = opaque::mint();
    let new = &Digest::of(&cookie);
    let subject = person.user_id.to_string();
    let replaced = storage::subject_transaction(&provider.pool, "interactions.advance", &subject, async |db| {
        seek(db, &[interaction.digest()]).await?;
        let replaced = interaction.replace(db, new, &Known::Authenticated(person)).await?;
        if let Some(LoggedIn { at, known_device }) = logs_in.filter(|_| replaced) {
            let what = What::Login { known_device, place: interaction.place.as_ref() };
            provider.signals.leave(db, person.user_id, what, at).await?;
        }
        Ok::<bool, StorageError>(replaced)
    })
    .await?;
    if replaced { Ok(cookie) } else { Err(PageRefusal::Interaction) }
}

/// A permit to hash; a try that gets none does not count.
async fn acquire(provider: &Provider, counter: &Digest, now: i64) -> Result<Permit, PageRefusal> {
    let permit = provider.passwords.acquire().await;
    if permit.is_err() {
        throttle::undo_attempt(&provider.pool, counter, now).await?;
    }
    Ok(permit?)
}

/// The device of this person's that somebody tries on, if it is one: it has a counter of its own. A device is the key of an attested instance, which came with a proof when the request was pushed. Neither the key of a
/// server, which is everybody's who uses that server, nor one that a server has only named (`dpop_jkt`): either would tell an
/// address that somebody has from one that nobody has, and let strangers use up the tries of the owner's phone.
async fn known_device<'a>(
    provider: &Provider,
    interaction: &'a Interaction,
    login: Option<&Login>,
) -> Result<Option<&'a Thumbprint>, PageRefusal> {
    Ok(interaction.known_device(provider, login.map(|login| login.id)).await?)
}

fn refused(reason: &'static str, login: Option<&Login>) {
    let subject = login.map(|login| login.id.to_string());
    Record::new("login", reason).about(Who { subject, ..Who::default() }).write();
}

impl From<Busy> for PageRefusal {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}
