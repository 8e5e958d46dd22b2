//! The command line.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use ladder::Mode;

use crate::commands::{Command, MEASUREMENTS, PAGES};

use crate::stop::Stop;

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
#[expect(clippy::struct_excessive_bools, reason = "each is one word of the command line")]
pub(crate) struct Options {
    pub(crate) command: Command,
    /// Only what the command says of itself is wanted.
    pub(crate) help: bool,
    pub(crate) postgres: Mode,
    pub(crate) fix: bool,
    /// For `check`: whether what compiles is left out.
    pub(crate) quick: bool,
    /// For `up` and `demo`: whether the edge stands before the services.
    pub(crate) edge: bool,
    /// For `demo`: whether the system is one of containers, and whether their images are made without pulling any. For `test`: whether servers are.
    pub(crate) containers: bool,
    pub(crate) offline: bool,
    /// For `demo`: the file that is to hold what it says.
    pub(crate) transcript: Option<PathBuf>,
    /// For `test`: what goes to `cargo test`. For `check`: of what. For others, which read them themselves, their words.
    pub(crate) rest: Vec<String>,
    pub(crate) rename: Wanted,
}

impl Options {
    /// As if nothing else stood on the command line.
    pub(crate) fn of(command: Command) -> Self {
        let (rest, rename) = (Vec::new(), Wanted::default());
        let help = command == Command::Help;
        let (containers, offline) = (false, false);
        Self {
            command,
            help,
            postgres: Mode::Auto,
            fix: false,
            quick: false,
            edge: false,
            containers,
            offline,
            transcript: None,
            rest,
            rename,
        }
    }

    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.peekable();
        let word = arguments.next().unwrap_or_else(|| "help".to_owned());
        let word = if matches!(word.as_str(), "--help" | "-h") { "help" } else { &word };
        let command = named(word).ok_or_else(|| wrong(Command::Help, &format!("there is no command `{word}`")))?;
        let usage = |text: String| wrong(command, &text);
        let mut options = Self::of(command);
        while let Some(argument) = arguments.next() {
            // `help demo` is `demo --help`.
            if options.command == Command::Help
                && let Some(command) = named(&argument)
            {
                options.command = command;
                continue;
            }
            match argument.as_str() {
                "--" if command == Command::Test => {
                    options.rest.push(argument);
                    options.rest.extend(arguments.by_ref());
                }
                "--help" | "-h" => options.help = true,
                _ if matches!(command, Command::Phone | Command::Compose | Command::NewService) => {
                    options.rest.push(argument);
                }
                "--postgres" => {
                    let mode = arguments.next().ok_or_else(|| usage("--postgres needs a word".to_owned()))?;
                    options.postgres = mode.parse().map_err(usage)?;
                }
                "--edge" if matches!(command, Command::Up | Command::Demo | Command::Bench) => options.edge = true,
                "--target" if command == Command::Demo => match arguments.next().as_deref() {
                    Some("compose") => options.containers = true,
                    _ => return Err(usage("--target is `compose`".to_owned())),
                },
                "--offline" if matches!(command, Command::Demo | Command::Bench) => options.offline = true,
                "--transcript" if command == Command::Demo => {
                    let file = arguments.next().ok_or_else(|| usage("--transcript needs a file".to_owned()))?;
                    options.transcript = Some(file.into());
                }
                "--containers" if command == Command::Test => options.containers = true,
                "--fix" if command == Command::Check => options.fix = true,
                "--quick" if command == Command::Check => options.quick = true,
                "infra" if command == Command::Check => options.rest.push(argument),
                "--organization" | "--package" | "--trust-domain" if command == Command::Rename => {
                    let value = arguments.next().ok_or_else(|| usage(format!("{argument} needs a word")))?;
                    options.rename.set(&argument, value);
                }
                _ if command == Command::Rename && options.rename.name.is_empty() && !argument.starts_with('-') => {
                    options.rename.name = argument;
                }
                word if command == Command::Bench && MEASUREMENTS.contains(&word) => options.rest.push(argument),
                _ if argument.starts_with("--postgres=") => {
                    options.postgres = argument.trim_start_matches("--postgres=").parse().map_err(usage)?;
                }
                _ if command == Command::Test => options.rest.push(argument),
                other => return Err(usage(format!("`{word}` does not know `{other}`"))),
            }
        }
        options.fits().map_err(usage)?;
        Ok(options)
    }

    /// What belongs together.
    fn fits(&self) -> Result<(), String> {
        if self.help {
            return Ok(());
        }
        if self.command == Command::Rename && self.rename.name.is_empty() {
            return Err("rename it to what?".to_owned());
        }
        if self.offline && !self.containers && self.rest != ["compose"] {
            return Err("--offline is for `demo --target compose` and `bench compose`".to_owned());
        }
        if self.containers && (self.edge || self.postgres != Mode::Auto) {
            return Err("what runs in containers has its own PostgreSQL, and no edge".to_owned());
        }
        if self.command != Command::Bench {
            return Ok(());
        }
        if self.rest.is_empty() {
            return Err(format!("bench what? {}", MEASUREMENTS.join(", ")));
        }
        if self.edge && self.rest != ["defense"] {
            return Err("with the edge, `bench defense` measures alone".to_owned());
        }
        Ok(())
    }
}

fn named(word: &str) -> Option<Command> {
    PAGES.iter().find(|page| page.word == word).map(|page| page.command)
}

fn wrong(command: Command, text: &str) -> anyhow::Error {
    anyhow!(Stop::Usage(format!("{text}\n\n{}", command.help())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ladder::Rung;
    use ladder::terminal::WIDTH;

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
    fn each_command_says_what_it_does_itself_and_within_a_terminals_width() {
        for page in &PAGES {
            let options = parse(&format!("{} --help", page.word)).unwrap();
            assert!(options.help && options.command == page.command);
            let help = page.command.help();
            let usage = if page.command == Command::Help { "COMMAND" } else { page.word };
            assert!(help.starts_with(&format!("usage: cargo xtask {usage}")), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
        }
        assert!(PAGES.iter().all(|page| Command::Help.help().contains(page.line)));
        let of_demo = parse("help demo").unwrap();
        assert!(of_demo.help && of_demo.command == Command::Demo && parse("help demo up").is_err());
        assert!(parse("").unwrap().help && parse("--help").unwrap().help && parse("bench --help").unwrap().help);
    }

    #[test]
    fn what_the_help_of_bench_names_can_be_measured() {
        let help = Command::Bench.help();
        for word in MEASUREMENTS {
            assert!(help.lines().any(|line| line.starts_with(&format!("  {word} "))), "{help}");
            assert_eq!(parse(&format!("bench {word}")).unwrap().rest, [word]);
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
    fn what_runs_in_containers_is_named_where_it_can() {
        let options = parse("demo --target compose --offline --transcript docs/it.txt").unwrap();
        assert!(options.containers && options.offline && options.transcript == Some("docs/it.txt".into()));
        assert!(parse("bench compose --offline").unwrap().offline && parse("test --containers").unwrap().containers);
        // What cargo knows by that name stays cargo's.
        assert_eq!(parse("test --containers --offline").unwrap().rest, ["--offline"]);
        for line in
            ["bench ledger --offline", "demo --offline", "demo --transcript", "test --containers --postgres system"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn arguments_of_test_are_passed_on() {
        assert_eq!(parse("test -p ledger --postgres docker transfers").unwrap().rest, ["-p", "ledger", "transfers"]);
        let options = parse("test -p ledger -- --help").unwrap();
        assert!(!options.help && options.rest == ["-p", "ledger", "--", "--help"]);
    }
}
