//! Roles and databases of a development system, and the files with their URLs.

use std::path::Path;

use anyhow::{Result, bail};

use super::roles::{self, Passwords};
use super::session::{self, Session};

/// Stands on every database made here: only such a one is ever dropped.
const COMMENT: &str = "Redoubt development database: made by cargo xtask, dropped without asking";

/// Makes each service's roles and an empty database, and writes `out/<service>/<role>.url` for each of its roles.
pub async fn provision(superuser_url: &str, services: &[&str], out: &Path) -> Result<()> {
    let mut session = Session::open(superuser_url).await?;
    for service in services {
        let (database, passwords) = (name(service), Passwords::random());
        drop_ours(&mut session, &database).await?;
        session.run(&roles::create(service, &passwords)?).await?;
        session.run(&format!("create database {database} owner {}", roles::owner(service))).await?;
        session.run(&format!("comment on database {database} is '{COMMENT}'")).await?;
        session.run(&roles::database_rights(service, &database)?).await?;
        let inside = session::with_database(superuser_url, &database);
        Session::open(&inside).await?.run(&roles::schema_rights(service)?).await?;
        for role in roles::of(service)? {
            let url = session::url(superuser_url, &role.name(service), &passwords.of(role), &database);
            session::write_secret(&out.join(service).join(role.file()), &url)?;
        }
    }
    Ok(())
}

/// Removes what [`provision`] made, from a server that outlives the development system.
pub async fn remove(superuser_url: &str, services: &[&str]) -> Result<()> {
    let mut session = Session::open(superuser_url).await?;
    for service in services {
        drop_ours(&mut session, &name(service)).await?;
        session.run(&roles::remove(service)?).await?;
    }
    Ok(())
}

fn name(service: &str) -> String {
    format!("redoubt_{service}")
}

async fn drop_ours(session: &mut Session, database: &str) -> Result<()> {
    let exists = format!("select true as held from pg_database where datname = '{database}'");
    if !session.holds(&exists).await? {
        return Ok(());
    }
    let ours = format!(
        "select coalesce(shobj_description(oid, 'pg_database') = '{COMMENT}', false) as held \
         from pg_database where datname = '{database}'"
    );
    if !session.holds(&ours).await? {
        bail!(
            "the server has a database {database} that no development system made; it is left alone: name another server"
        );
    }
    session.run(&format!("drop database {database} with (force)")).await
}
