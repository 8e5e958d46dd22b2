//! The command line.

use anyhow::{Result, anyhow};
use ladder::Mode;

use crate::stop::Stop;

pub(crate) const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

  demo          the whole system and one defended transfer, from nothing; exits 0 if nothing surprised
  up            the same system kept running on fixed ports, with seeded users, until Ctrl-C
                --edge   (demo, too) with a web application firewall before the services: nginx, ModSecurity and the
                         OWASP Core Rule Set, of this machine or out of Debian's packages
  test [ARGS]   every test, from nothing; ARGS go to `cargo test`
  check         formatting, lints, architecture, manifests, generated files, secrets
                  --fix    formats and rewrites the generated files
                  --quick  only what compiles nothing: no lints, no generated files
  bench ledger  transfers per second beside pgbench on the same PostgreSQL
  bench defense what each layer costs: reads with none, each alone and all, and defended transfers
                --edge   and what a web application firewall before them costs
  bench decoys  what a phone can tell of genuine answers and decoys by their time
  rename NAME   the whole tree under another name, in small letters and digits
                --organization WORDS     as people read it (default: the name, with a capital)
                --package ID             of the app, for Android and Apple (default: dev.NAME.app)
                --trust-domain DOMAIN    of SPIFFE ids (default: the name)
  postgres      only a PostgreSQL, kept running until Ctrl-C; prints its URL
  doctor        what is on this machine, and which mode would be used

  --postgres auto|url|system|docker|embedded
                how PostgreSQL is brought (default auto: the first of these that works)
  --help        this text

environment:
  REDOUBT_POSTGRES_URL    a superuser's URL, for --postgres url (and auto)
  REDOUBT_POSTGRES_IMAGE  the image for --postgres docker (default postgres:17-alpine)

exit codes: 0 done, 1 failed, 2 wrong usage, 3 no PostgreSQL, 130 interrupted
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo,
    Up,
    Test,
    Check,
    Bench,
    Postgres,
    Doctor,
    Rename,
}

/// For `rename`: what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// As people read it; default: the name, with a capital.
    pub(crate) organization: Option<String>,
    /// Android's package and Apple's bundle; default: `dev.NAME.app`.
    pub(crate) package: Option<String>,
    /// Default: the name.
    pub(crate) trust_domain: Option<String>,
}

impl Wanted {
    /// An option of the command line.
    pub(crate) fn set(&mut self, option: &str, value: String) {
        let place = match option {
            "--organization" => &mut self.organization,
            "--package" => &mut self.package,
            _ => &mut self.trust_domain,
        };
        *place = Some(value);
    }
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) postgres: Mode,
    pub(crate) fix: bool,
    /// For `check`: whether what compiles is left out.
    pub(crate) quick: bool,
    /// For `up` and `demo`: whether the edge stands before the services.
    pub(crate) edge: bool,
    /// For `test`: what goes to `cargo test`.
    pub(crate) rest: Vec<String>,
    pub(crate) rename: Wanted,
}

impl Options {
    /// As if nothing else stood on the command line.
    pub(crate) fn of(command: Command) -> Self {
        let (rest, rename) = (Vec::new(), Wanted::default());
        Self { command, postgres: Mode::Auto, fix: false, quick: false, edge: false, rest, rename }
    }

    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.peekable();
        let usage = |text: String| anyhow!(Stop::Usage(format!("{text}\n\n{USAGE}")));
        let word = arguments.next().unwrap_or_else(|| "--help".to_owned());
        let command = match word.as_str() {
            "help" | "--help" | "-h" => Command::Help,
            "demo" => Command::Demo,
            "up" => Command::Up,
            "test" => Command::Test,
            "check" => Command::Check,
            "bench" => Command::Bench,
            "postgres" => Command::Postgres,
            "doctor" => Command::Doctor,
            "rename" => Command::Rename,
            other => return Err(usage(format!("there is no command `{other}`"))),
        };
        let mut options = Self::of(command);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => options.command = Command::Help,
                "--postgres" => {
                    let mode = arguments.next().ok_or_else(|| usage("--postgres needs a word".to_owned()))?;
                    options.postgres = mode.parse().map_err(usage)?;
                }
                "--edge" if matches!(command, Command::Up | Command::Demo | Command::Bench) => options.edge = true,
                "--fix" if command == Command::Check => options.fix = true,
                "--quick" if command == Command::Check => options.quick = true,
                "--organization" | "--package" | "--trust-domain" if command == Command::Rename => {
                    let value = arguments.next().ok_or_else(|| usage(format!("{argument} needs a word")))?;
                    options.rename.set(&argument, value);
                }
                _ if command == Command::Rename && options.rename.name.is_empty() && !argument.starts_with('-') => {
                    options.rename.name = argument;
                }
                "ledger" | "defense" | "decoys" if command == Command::Bench => options.rest.push(argument),
                _ if argument.starts_with("--postgres=") => {
                    options.postgres = argument.trim_start_matches("--postgres=").parse().map_err(usage)?;
                }
                _ if command == Command::Test => options.rest.push(argument),
                other => return Err(usage(format!("`{word}` does not know `{other}`"))),
            }
        }
        if options.command == Command::Rename && options.rename.name.is_empty() {
            return Err(usage("rename it to what?".to_owned()));
        }
        if options.command == Command::Bench && options.rest.is_empty() {
            return Err(usage("bench what? `ledger`, `defense` or `decoys`".to_owned()));
        }
        if options.edge && options.command == Command::Bench && options.rest != ["defense"] {
            return Err(usage("with the edge, `bench defense` measures alone".to_owned()));
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ladder::Rung;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_mode_may_be_given_in_both_forms() {
        for line in ["demo --postgres embedded", "demo --postgres=embedded"] {
            assert_eq!(parse(line).unwrap().postgres, Mode::Only(Rung::Embedded));
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (line, named) in
            [("demo --fast", "--fast"), ("dmeo", "dmeo"), ("up --postgres mysql", "mysql"), ("bench", "ledger")]
        {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(named) && text.contains("usage:"), "{text}");
        }
    }

    #[test]
    fn the_edge_stands_before_a_system_that_runs() {
        assert!(parse("up --edge").unwrap().edge && parse("demo --edge").unwrap().edge && !parse("up").unwrap().edge);
        assert!(parse("bench ledger --edge").is_err());
    }

    #[test]
    fn a_new_name_has_its_options() {
        let options =
            parse("rename acme --package com.acme.app --trust-domain acme.example --organization Acme").unwrap();
        let expected = Wanted {
            name: "acme".to_owned(),
            organization: Some("Acme".to_owned()),
            package: Some("com.acme.app".to_owned()),
            trust_domain: Some("acme.example".to_owned()),
        };
        assert_eq!((options.command, options.rename), (Command::Rename, expected));
        for line in ["rename", "rename acme other", "rename --package", "demo --package x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn arguments_of_test_are_passed_on() {
        assert_eq!(parse("test -p ledger --postgres docker transfers").unwrap().rest, ["-p", "ledger", "transfers"]);
    }
}
