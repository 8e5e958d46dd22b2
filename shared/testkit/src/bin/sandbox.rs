//! The stand-ins of a development system, one subcommand each.
//!
//! ```text
//! sandbox pki --out DIR      certificates, keys and secrets of a development system (idempotent)
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a development tool")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use testkit::pki::Pki;

const USAGE: &str = "usage: sandbox pki --out DIR";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let subcommand = arguments.next().unwrap_or_default();
    let options: Vec<String> = arguments.collect();
    let result = match subcommand.as_str() {
        "pki" => pki(&options),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn pki(options: &[String]) -> Result<()> {
    let out = PathBuf::from(option(options, "--out")?);
    let made = Pki::create(&out).with_context(|| format!("cannot make the development PKI in {}", out.display()))?;
    println!("{}", made.dir().display());
    Ok(())
}

/// The value after `--name`.
fn option<'a>(options: &'a [String], name: &str) -> Result<&'a str> {
    for pair in options.windows(2) {
        if let [key, value] = pair
            && key == name
        {
            return Ok(value);
        }
    }
    bail!("{name} is missing\n{USAGE}")
}
