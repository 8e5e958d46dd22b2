//! Databases with the roles of the house: one per test, or one per service for a development system.
//!
//! A test gets a clone of its service's template. The template is made and migrated once per server, under an advisory lock,
//! by the service's own migrator role, which acts as the owner of all; the clone takes some 50 ms and is dropped with the value. The server is the one that
//! `cargo xtask test` started (`REDOUBT_TEST_DATABASE_URL`), else this process brings its own by the ladder, once.

mod cluster;
pub mod guards;
mod provision;
mod roles;
mod session;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
pub use ladder::Cluster;
use ladder::{Backup, Durability, Mode, Options, Rung, Tls};
use storage::EmbeddedMigrations;

use self::cluster::server;
pub(crate) use self::cluster::work_dir;
use self::roles::{Passwords, Role};
use self::session::Session;
use crate::pki::{Identity, Pki};

pub use provision::{provision, remove};

/// A database of its own for one test, migrated, with its service's roles.
#[derive(Debug)]
pub struct TestDatabase {
    /// As the role that the service runs under.
    pub app_url: String,
    /// As the role that migrates: it acts as the owner.
    pub migrator_url: String,
    /// As the role that posts to the ledger; the app role's for a service that has no such role.
    pub poster_url: String,
    /// As the role that seals the broker's secrets; the app role's for a service that has no such role.
    pub sealer_url: String,
    /// As the role that exports the log of behavior; the app role's for a service that has no such role.
    pub reader_url: String,
    /// As superuser, in this database.
    pub superuser_url: String,
    /// Files that hold the URLs, one each, readable by nobody else: what a service's configuration names.
    pub files: UrlFiles,
    name: String,
    server_url: String,
}

/// Where the URLs of a [`TestDatabase`] are written.
#[derive(Clone, Debug)]
pub struct UrlFiles {
    /// Holds the app role's URL.
    pub app: PathBuf,
    /// Holds the migrator role's URL.
    pub migrator: PathBuf,
    /// Holds the poster role's URL.
    pub poster: PathBuf,
    /// Holds the sealer role's URL.
    pub sealer: PathBuf,
    /// Holds the reader role's URL.
    pub reader: PathBuf,
    directory: PathBuf,
}

impl TestDatabase {
    /// Clones the service's template, after making it where there is none.
    pub async fn create(service: &str, migrations: EmbeddedMigrations) -> Result<Self> {
        let server_url = server().await?.to_owned();
        let passwords = Passwords::derived_from(&server_url);
        let template = template(&server_url, service, migrations, &passwords)
            .await
            .with_context(|| format!("cannot make the template database of {service}"))?;
        let name = format!("redoubt_test_{service}_{}", session::word());
        let mut session = Session::open(&server_url).await?;
        let owner = roles::owner(service);
        session.run(&format!("create database {name} template {template} owner {owner}")).await?;
        session.run(&roles::database_rights(service, &name)?).await?;
        let url = |role: Role| session::url(&server_url, &role.name(service), &passwords.of(role), &name);
        let known = roles::of(service)?;
        let or_app = |role: Role| url(if known.contains(&role) { role } else { Role::App });
        let urls =
            [url(Role::App), url(Role::Migrator), or_app(Role::Poster), or_app(Role::Sealer), or_app(Role::Reader)];
        let files = UrlFiles::write(&name, &urls)?;
        let [app_url, migrator_url, poster_url, sealer_url, reader_url] = urls;
        let superuser_url = session::with_database(&server_url, &name);
        Ok(Self { app_url, migrator_url, poster_url, sealer_url, reader_url, superuser_url, files, name, server_url })
    }

    /// Name of this test's own database.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    /// Best effort, on a thread of its own because a test's runtime may be the one that is ending.
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.files.directory));
        let (server_url, name) = (self.server_url.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                drop(runtime.block_on(async {
                    let mut session = Session::open(&server_url).await?;
                    session.run(&format!("drop database if exists {name} with (force)")).await
                }));
            }
        });
        drop(dropping.join());
    }
}

impl UrlFiles {
    fn write(name: &str, [app, migrator, poster, sealer, reader]: &[String; 5]) -> Result<Self> {
        let directory = work_dir().join("test-databases").join(name);
        let file = |role: Role, url: &str| -> Result<PathBuf> {
            let path = directory.join(role.file());
            session::write_secret(&path, url)?;
            Ok(path)
        };
        Ok(Self {
            app: file(Role::App, app)?,
            migrator: file(Role::Migrator, migrator)?,
            poster: file(Role::Poster, poster)?,
            sealer: file(Role::Sealer, sealer)?,
            reader: file(Role::Reader, reader)?,
            directory,
        })
    }
}

/// A server of its own that takes nobody over TCP without TLS, with the certificate that `pki` has for it. Where none can be
/// brought, why.
pub fn server_with_tls(pki: &Pki) -> std::result::Result<Cluster, String> {
    let Identity { certificate, key } = pki.internal("postgres");
    let mut options = Options::new(work_dir(), Durability::Disposable);
    options.tls = Some(Tls { certificate, key, authority: pki.internal_ca(), name: "postgres".to_owned() });
    private_server(options)
}

/// A server of its own with these settings (`name=value`), which keeps what it has committed; from a base backup, if there is one (`pg_basebackup`; its
/// directory, and the superuser's URL of the server that it is of). Where none can be brought, why.
pub fn server_with(settings: Vec<String>, backup: Option<(&Path, &str)>) -> std::result::Result<Cluster, String> {
    let mut options = Options::new(work_dir(), Durability::Durable);
    options.settings = settings;
    options.backup = backup.map(|(directory, url)| Backup { directory: directory.to_owned(), url: url.to_owned() });
    private_server(options)
}

fn private_server(mut options: Options) -> std::result::Result<Cluster, String> {
    let mut reasons = String::new();
    for rung in [Rung::System, Rung::Embedded] {
        options.mode = Mode::Only(rung);
        match ladder::bring(&options) {
            Ok(cluster) => return Ok(cluster),
            Err(error) => reasons.push_str(&error.to_string()),
        }
    }
    Err(reasons)
}

/// The name of the service's template on that server; made and migrated by the first who asks.
async fn template(
    server_url: &str,
    service: &str,
    migrations: EmbeddedMigrations,
    passwords: &Passwords,
) -> Result<String> {
    let name = format!("redoubt_template_{service}_{}", cluster::fingerprint(&migrations)?);
    let mut session = Session::open(server_url).await?;
    // For the session, so that a test process that dies here leaves no lock behind.
    session.run(&format!("select pg_advisory_lock(hashtext('redoubt test roles'), hashtext('{service}'))")).await?;
    // Only a finished template is marked as one; what a dead process left half made is made again.
    if session.holds(&format!("select datistemplate as held from pg_database where datname = '{name}'")).await? {
        return Ok(name);
    }
    session.run(&roles::create(service, passwords)?).await?;
    session.run(&format!("drop database if exists {name} with (force)")).await?;
    session.run(&format!("create database {name} owner {}", roles::owner(service))).await?;
    Session::open(&session::with_database(server_url, &name)).await?.run(&roles::schema_rights(service)?).await?;
    let migrator_url = session::url(server_url, &Role::Migrator.name(service), &passwords.of(Role::Migrator), &name);
    storage::migrate(&migrator_url.into(), migrations).await?;
    session.run(&format!("alter database {name} with allow_connections false is_template true")).await?;
    Ok(name)
}
