//! `cargo xtask compose`: the system in containers.

mod inside;

use anyhow::{Result, anyhow};

use crate::options::Options;
use crate::stop::Stop;

pub(crate) fn run(options: &Options) -> Result<()> {
    match options.rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["keys"] => inside::keys(),
        ["init"] => inside::init(),
        _ => Err(anyhow!(Stop::Usage(options.command.help()))),
    }
}
