//! Log in with a password.
//!
//! The steps are the same for an address that nobody has: the look-up, the count, a permit, one hash. The permit comes late, so
//! that nobody holds a core's worth of hashing while waiting for the database.

use crypto::SecretString;
use runtime::{Record, Who};

use super::passwords::Permit;
use super::store::{self, Login};
use super::throttle::Blocked;
use super::{Busy, directory};
use crate::authorizations::{Authenticated, Interaction};
use crate::error::PageRefusal;
use crate::grants;
use crate::opaque::{self, Digest};
use crate::provider::Provider;
use crate::store::seek;

/// What came of it.
pub enum LogIn {
    /// The interaction is authenticated and goes on under this cookie.
    Done(String),
    /// Address or password is wrong; which of them, nobody says.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
}

/// Checks a password and authenticates the interaction.
pub async fn log_in(
    provider: &Provider,
    interaction: &Interaction,
    typed: &str,
    password: &SecretString,
    now: i64,
) -> Result<LogIn, PageRefusal> {
    let identifier = directory::normalize(typed);
    let lookup = provider.directory.lookup(&identifier);
    let login = store::find(&provider.pool, &lookup).await?;
    let counter = counter(provider, interaction, &identifier, login.as_ref()).await?;
    if let Err(Blocked { seconds }) = store::attempt(&provider.pool, &counter, now).await? {
        refused("blocked", login.as_ref());
        return Ok(LogIn::Blocked(seconds));
    }
    let permit = acquire(provider, &counter, now).await?;
    let stored = login.as_ref().map(|login| login.password_hash.clone());
    let right = permit.verify(password, stored).await.map_err(|error| PageRefusal::internal(&error))?;
    let (Some(right), Some(login)) = (right, login.as_ref()) else {
        refused("credentials_wrong", login.as_ref());
        return Ok(LogIn::Wrong);
    };
    let person = Authenticated { user_id: login.id, at: now };
    let cookie = authenticate(provider, interaction, person, Some(&counter), right.rehashed.as_deref()).await?;
    runtime::audit!("logged_in", outcome = "ok", subject = %login.id, client_id = interaction.client.id.as_str());
    Ok(LogIn::Done(cookie))
}

/// Puts an authenticated interaction in the place of the anonymous one, under a new cookie.
pub(super) async fn authenticate(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    counter: Option<&Digest>,
    rehashed: Option<&str>,
) -> Result<String, PageRefusal> {
    let cookie = opaque::mint();
    let new = &Digest::of(&cookie);
    let subject = person.user_id.to_string();
    let replaced = storage::subject_transaction(&provider.pool, "users.log_in", &subject, async |db| {
        seek(db, &[Some(interaction.digest()), counter].into_iter().flatten().collect::<Vec<_>>()).await?;
        if let Some(counter) = counter {
            store::reset(db, counter).await?;
        }
        if let Some(hash) = rehashed {
            store::replace_hash(db, person.user_id, hash).await?;
        }
        interaction.authenticate(db, new, person).await
    })
    .await?;
    if replaced { Ok(cookie) } else { Err(PageRefusal::Interaction) }
}

/// A permit to hash; a try that gets none does not count.
async fn acquire(provider: &Provider, counter: &Digest, now: i64) -> Result<Permit, PageRefusal> {
    let permit = provider.passwords.acquire().await;
    if permit.is_err() {
        store::undo_attempt(&provider.pool, counter, now).await?;
    }
    Ok(permit?)
}

/// The counter of this identifier; on a device that its owner uses, that device's own.
///
/// A device is the key of an attested instance, which came with a proof when the request was pushed. Neither the key of a
/// server, which is everybody's who uses that server, nor one that a server has only named (`dpop_jkt`): either would tell an
/// address that somebody has from one that nobody has, and let strangers use up the tries of the owner's phone.
async fn counter(
    provider: &Provider,
    interaction: &Interaction,
    identifier: &str,
    login: Option<&Login>,
) -> Result<Digest, PageRefusal> {
    let (client, person) = (&interaction.client, login.map(|login| login.id));
    let known = match interaction.jkt.as_ref().filter(|_| client.is_attested()) {
        Some(jkt) if grants::knows_device(&provider.pool, person, &client.id, jkt).await? => Some(jkt),
        _ => None,
    };
    Ok(provider.directory.throttle(identifier, known))
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
