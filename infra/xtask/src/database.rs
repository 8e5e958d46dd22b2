//! The ladder, with what the command line and the environment say about it.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use ladder::{Cluster, Durability, Tls};

use crate::options::Options;
use crate::{interrupt, place, preflight};

/// Settings of the ladder.
pub(crate) fn ladder(options: &Options, durability: Durability) -> ladder::Options {
    let mut ladder = ladder::Options::new(place::target(), durability);
    ladder.mode = options.postgres;
    ladder.url = std::env::var("REDOUBT_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    if let Ok(image) = std::env::var("REDOUBT_POSTGRES_IMAGE") {
        ladder.image = image;
    }
    ladder.say = |line| println!("{line}");
    ladder
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
    println!("PostgreSQL: {} ({}), ready in {:.1} s", cluster.about(), cluster.rung(), began.elapsed().as_secs_f64());
    interrupt::check()?;
    Ok(cluster)
}

/// `cargo xtask postgres`.
pub(crate) fn keep(options: &Options) -> Result<()> {
    let cluster = bring(options, Durability::Durable)?;
    println!("superuser URL: {}\nCtrl-C stops the server and removes it", cluster.url());
    // Ctrl-C is the way out, not a failure.
    drop(interrupt::wait(None, || Ok(None::<()>)));
    Ok(())
}
