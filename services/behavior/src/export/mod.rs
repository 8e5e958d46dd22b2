//! Export: the log as others read it, who make the profiles anew with an engine of their own, and what its payments looked like to this one.
//!
//! Both read the log in pages and up to a number, so they take no more memory for a long log than for a short one, and two that are made up to the same number
//! are about the same lines whatever is written meanwhile. They run as `behavior_reader`, which can write nothing.

mod line;
mod store;

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use storage::Pool;

use crate::events::Origin;
use crate::features::{self, Feature};
use crate::state::live::{Entry, Live};
use crate::state::store as log;

/// An open log, up to a number.
pub struct Export {
    pool: Pool,
    until: i64,
}

impl Export {
    /// Opens the log, by the URL in a file (mode 0600). Without `until` it ends where it ends now.
    ///
    /// # Errors
    ///
    /// The file or the database cannot be read.
    pub async fn open(url_file: &Path, until: Option<i64>) -> Result<Self> {
        let pool = storage::pool(&crypto::files::read_secret_text(url_file)?, 1)?;
        let end = log::end(&pool).await.context("the log cannot be read")?;
        Ok(Self { pool, until: until.map_or(end, |until| until.min(end)) }) // Default: all of it
    }

    /// The number up to which it is read.
    #[must_use]
    pub const fn until(&self) -> i64 {
        self.until
    }

    /// Writes the lines of the log in their order, a JSON object each.
    ///
    /// # Errors
    ///
    /// The database cannot be read, or nobody takes what is written.
    pub async fn lines(&self, out: &mut dyn Write) -> Result<()> {
        let mut last = 0;
        while last < self.until {
            let page = store::after(&self.pool, last).await?;
            let Some(newest) = page.last() else { break };
            for line in page.iter().take_while(|line| line.number <= self.until) {
                serde_json::to_writer(&mut *out, line)?;
                out.write_all(b"\n")?;
            }
            last = newest.number;
        }
        out.flush().context("what is exported is not taken")
    }

    /// Writes what each payment looked like before it was learned, as CSV: its number, its id, and the features; all as the service folds and sees them, of no
    /// device and no place: the log does not say from which one a payment came.
    ///
    /// # Errors
    ///
    /// As of [`Self::lines`].
    pub async fn features(&self, out: &mut dyn Write) -> Result<()> {
        let names: Vec<&str> = Feature::ALL.iter().map(|feature| feature.name()).collect();
        writeln!(out, "# features_version {}", features::VERSION)?;
        writeln!(out, "number,id,{}", names.join(","))?;
        let (live, mut last) = (Live::default(), 0);
        while last < self.until {
            let page = log::after(&self.pool, last).await?;
            let Some((newest, _)) = page.last() else { break };
            let ids = store::ids(&self.pool, last, *newest).await?;
            for (number, entry) in page.iter().take_while(|(number, _)| *number <= self.until) {
                if let Entry::Paid(payment) = entry {
                    let id = ids.get(number).with_context(|| format!("the log has no payment {number}"))?;
                    write!(out, "{number},{}", api::Id::from(*id))?;
                    for (_, value) in live.look_at(payment, Origin::default()).0.iter() {
                        write!(out, ",{value}")?;
                    }
                    writeln!(out)?;
                }
                live.learn(&[(*number, *entry)]);
            }
            last = *newest;
        }
        out.flush().context("what is exported is not taken")
    }
}
