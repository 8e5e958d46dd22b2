//! A login that is not new any more, made new by the password: before the second factor is changed.

use crypto::SecretString;

use super::log_in::{Try, clear, try_password};
use super::released::profile;
use crate::authorizations::{Authenticated, Interaction};
use crate::error::{Invariant, PageRefusal};
use crate::provider::Provider;

/// Seconds for which a login is new.
pub const FRESH: i64 = 300;

/// Whether somebody has logged in just now.
pub fn is_fresh(person: Authenticated, now: i64) -> bool {
    now - person.at <= FRESH
}

/// What came of it.
pub enum Confirmed {
    /// The login is new, or the password was right.
    Yes,
    /// The password is wrong.
    Wrong,
    /// Too many failures: try again after so many seconds.
    Blocked(i64),
}

/// Makes sure that it is the person who sits there: by the time of the login, or by the password.
pub async fn confirm(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    password: &SecretString,
    now: i64,
) -> Result<Confirmed, PageRefusal> {
    if is_fresh(person, now) {
        return Ok(Confirmed::Yes);
    }
    let profile = profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    match try_password(provider, interaction, &profile.email, password, now).await? {
        Try::Right(proven) if proven.user_id == person.user_id => {
            clear(provider, &proven).await?;
            Ok(Confirmed::Yes)
        }
        Try::Right(_) => Err(Invariant("an address of another person").into()),
        Try::Wrong => Ok(Confirmed::Wrong),
        Try::Blocked(seconds) => Ok(Confirmed::Blocked(seconds)),
    }
}
