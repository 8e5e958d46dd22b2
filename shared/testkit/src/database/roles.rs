//! Which roles a service has in PostgreSQL and what they may do before any migration ran: nothing but enter their database.

use anyhow::{Context as _, Result};
use crypto::hash::sha256;
use system::system;

/// One role of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Role {
    /// Acts as the [`owner`] of the database and everything in it; used by `migrate` only.
    Migrator,
    /// What the service runs under: the rights that the migrations grant.
    App,
    /// What the ledger's committer runs under.
    Poster,
    /// What seals the broker's secrets.
    Sealer,
    /// What exports the log of behavior.
    Reader,
}

/// The roles of a service, by the one table of the system; of one that is not in it (a test's own) the two that every service has.
pub(super) fn of(service: &str) -> Result<Vec<Role>> {
    match system()?.service(service) {
        Ok(service) => service.roles.iter().map(|word| Role::read(word)).collect(),
        Err(_) => Ok(vec![Role::Migrator, Role::App]),
    }
}

impl Role {
    fn read(word: &str) -> Result<Self> {
        word.parse().with_context(|| format!("infra/system.toml: there is no database role `{word}`"))
    }

    /// The role's name in the server.
    pub(super) fn name(self, service: &str) -> String {
        format!("{service}_{self}")
    }

    /// The file that holds its URL.
    pub(super) fn file(self) -> String {
        format!("{self}.url")
    }
}

/// The passwords of one service's roles.
pub(super) struct Passwords(String);

impl Passwords {
    pub(super) fn random() -> Self {
        Self(crypto::random::token(24))
    }

    /// The same in every process that knows the superuser's URL: roles belong to the whole server, which tests share.
    pub(super) fn derived_from(server_url: &str) -> Self {
        Self(server_url.to_owned())
    }

    /// In hexadecimal, which needs no quoting in SQL or in a URL.
    pub(super) fn of(&self, role: Role) -> String {
        hex::encode(sha256(format!("{}|{role}", self.0).as_bytes())).chars().take(36).collect()
    }
}

/// Who owns a service's database and everything in it. Nobody signs in as it: an owner can switch off every guard on its tables.
pub(super) fn owner(service: &str) -> String {
    format!("{service}_owner")
}

/// Makes the roles or gives them these passwords. The migrator has no rights but to become the owner, which it does as it signs in.
pub(super) fn create(service: &str, passwords: &Passwords) -> Result<String> {
    let one = |name: &str, how: &str| {
        format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{name}') then create role {name}; end if; end $$; \
             alter role {name} with nosuperuser nocreatedb nocreaterole nobypassrls {how};"
        )
    };
    let with_password =
        |role: &Role| one(&role.name(service), &format!("login noinherit password '{}'", passwords.of(*role)));
    let (owner, migrator) = (owner(service), Role::Migrator.name(service));
    let becomes = format!("grant {owner} to {migrator}; alter role {migrator} set role = {owner};");
    Ok(one(&owner, "nologin") + &of(service)?.iter().map(with_password).collect::<String>() + &becomes)
}

/// Removes them, once the database is gone.
pub(super) fn remove(service: &str) -> Result<String> {
    Ok(format!("drop role if exists {}, {};", names(service)?, owner(service)))
}

/// Who may enter the database. PostgreSQL lets everybody, unless told otherwise; a clone starts with that default too.
pub(super) fn database_rights(service: &str, database: &str) -> Result<String> {
    let names = names(service)?;
    Ok(format!("revoke all on database {database} from public; grant connect on database {database} to {names};"))
}

/// Who may see the schema, said inside the database. The owner comes by its rights as the database's.
pub(super) fn schema_rights(service: &str) -> Result<String> {
    Ok(format!("revoke all on schema public from public; grant usage on schema public to {};", names(service)?))
}

fn names(service: &str) -> Result<String> {
    Ok(of(service)?.iter().map(|role| role.name(service)).collect::<Vec<_>>().join(", "))
}
