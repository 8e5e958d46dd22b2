//! The ladder, with what the command line and the environment say about it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ladder::{Cluster, Durability, Rung, Tls, Use};

use crate::options::Options;
use crate::process::Run;
use crate::{interrupt, place, preflight, say};

/// Settings of the ladder.
pub(crate) fn ladder(options: &Options, durability: Durability) -> ladder::Options {
    let mut ladder = ladder::Options::new(place::target(), durability);
    ladder.mode = options.postgres;
    ladder.url = std::env::var("REDOUBT_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    ladder.used = Use::Alone(options.command.line());
    if let Ok(image) = std::env::var("REDOUBT_POSTGRES_IMAGE") {
        ladder.image = image;
    }
    ladder.say = say::line;
    ladder
}

/// Before minutes are spent on a build: a server that was named is looked at and taken, and without one it is made sure that one can be brought.
pub(crate) fn before_the_build(options: &Options, durability: Durability) -> Result<Option<Cluster>> {
    let settings = ladder(options, durability);
    match ladder::foresee(&settings)? {
        (Rung::Url, _) => climb(&settings).map(Some),
        _ => Ok(None),
    }
}

/// Brings a server and says which.
pub(crate) fn bring(options: &Options, durability: Durability) -> Result<Cluster> {
    climb(&ladder(options, durability))
}

/// The same with the certificate that this PKI has for it.
pub(crate) fn bring_with_tls(options: &Options, durability: Durability, pki: &Path) -> Result<Cluster> {
    let (certificate, key) = (pki.join("internal/postgres.crt"), pki.join("internal/postgres.key"));
    let tls = Tls { certificate, key, authority: pki.join("internal-ca.pem"), name: "postgres".to_owned() };
    climb(&ladder::Options { tls: Some(tls), ..ladder(options, durability) })
}

fn climb(ladder: &ladder::Options) -> Result<Cluster> {
    preflight::disk(preflight::free_megabytes(&place::target()))?;
    let began = Instant::now();
    let cluster = ladder::bring(ladder)?;
    let (about, rung) = (cluster.about(), cluster.rung());
    say::line(&format!("PostgreSQL: {about} ({rung}), ready in {:.1} s", began.elapsed().as_secs_f64()));
    interrupt::check()?;
    Ok(cluster)
}

/// `cargo xtask postgres`. The URL holds a password, so it goes to a file that nobody else can read, not to the terminal.
pub(crate) fn keep(options: &Options) -> Result<()> {
    let cluster = bring(options, Durability::Durable)?;
    if cluster.rung() == Rung::Url {
        say::line("it is not ours, and goes on: nothing was started");
        return Ok(());
    }
    let run = Run::of("postgres")?;
    let file = run.directory().join("superuser.url");
    write_private(&file, cluster.url()).with_context(|| format!("{} cannot be written", file.display()))?;
    say::line(&format!("the superuser's URL is in {}, which only you can read", place::short(&file)));
    say::line("Ctrl-C stops the server and removes it");
    // Ctrl-C is the way out, not a failure.
    drop(interrupt::wait(None, || Ok(None::<()>)));
    Ok(())
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}
