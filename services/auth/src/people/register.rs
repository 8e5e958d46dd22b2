//! Make a login.
//!
//! There are no messages to the address yet, so this step tells whether an address is taken (README, "Not there yet"). It
//! costs an attested device or a confidential client, a pushed request for every twenty tries, and a password hash each.

use crypto::SecretString;
use runtime::Record;

use super::log_in::{LoggedIn, advance};
use super::store::{self, NewUser};
use super::{Profile, directory, password_policy};
use crate::authorizations::{Authenticated, Interaction, Known};
use crate::error::PageRefusal;
use crate::ids::UserId;
use crate::provider::Provider;

const TAKEN: &str = "This login cannot be created. If you have one already, log in.";
const NO_ADDRESS: &str = "This is not an e-mail address that we can use.";
const NO_NAME: &str = "Please tell us your name, in 100 characters at most.";

pub struct Registration<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub password: &'a SecretString,
}

/// What came of it.
pub enum Registered {
    /// The interaction is authenticated and goes on there, under this cookie.
    Done { cookie: String, path: &'static str },
    /// Nothing has happened; the person reads why, and which field of the form it is about.
    Refused { message: String, field: &'static str },
}

/// Stores a new person and authenticates the interaction.
pub async fn register(
    provider: &Provider,
    interaction: &Interaction,
    typed: &Registration<'_>,
    now: i64,
) -> Result<Registered, PageRefusal> {
    let profile = match check(typed) {
        Ok(profile) => profile,
        Err((message, field)) => return Ok(Registered::Refused { message, field }),
    };
    let hash = provider
        .passwords
        .acquire()
        .await?
        .hash(typed.password)
        .await
        .map_err(|error| PageRefusal::internal(&error))?;
    let id: UserId = storage::ids::new(provider.clock.unix_millis()).into();
    let user = NewUser {
        id,
        lookup: &provider.directory.lookup(&profile.email),
        sealed: &provider.directory.seal(id, &profile).map_err(|error| PageRefusal::internal(&error))?,
        password_hash: &hash,
        now,
    };
    if !store::insert(&provider.pool, &user).await? {
        Record::new("register", "address_taken").write();
        return Ok(Registered::Refused { message: TAKEN.to_owned(), field: "email" });
    }
    let person = Authenticated { user_id: id, at: now, second: None, factor_since: None };
    let logs_in = LoggedIn { at: now, known_device: interaction.is_known_way(None) };
    let cookie = advance(provider, interaction, person, Some(logs_in)).await?;
    runtime::audit!("registered", outcome = "ok", subject = %id, client_id = interaction.client.id.as_str());
    Ok(Registered::Done { cookie, path: interaction.next_of(&Known::Authenticated(person)) })
}

fn check(typed: &Registration<'_>) -> Result<Profile, (String, &'static str)> {
    let name = directory::name(typed.name).ok_or_else(|| (NO_NAME.to_owned(), "name"))?;
    let email = directory::normalize(typed.email);
    if !directory::is_address(&email) {
        return Err((NO_ADDRESS.to_owned(), "email"));
    }
    password_policy::check(typed.password, &email, name).map_err(|weakness| (weakness.to_string(), "password"))?;
    Ok(Profile { name: name.to_owned(), email })
}
