//! All automation: `cargo xtask demo | panels | up | test | check | bench | postgres | doctor | rename | new-service`.
//!
//! Light on purpose (it is built before anything else): no service, no TLS, no async runtime. What needs those is done by the
//! programs it builds and starts: the services, `sandbox` and `story`.
//!
//! Invariants: whatever it starts, it also ends, and the same when it is interrupted, panics or is killed ([`process`]); a
//! failure is one sentence that names the cause and, where there is one, the next command.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![expect(
    clippy::disallowed_methods,
    reason = "a tool on a developer's machine: it reads the environment, measures and waits"
)]

mod bench;
mod check;
mod commands;
mod compile;
mod compose;
mod database;
mod demo;
mod doctor;
#[cfg(test)]
mod guides {
    mod tests;
}
mod interrupt;
mod new_service;
mod options;
mod panels;
mod phone;
mod place;
mod preflight;
mod process;
mod rename;
mod say;
mod stack;
mod stop;
mod test;
mod up;
#[cfg(test)]
mod watched;

use std::process::ExitCode;

use commands::Command;
use options::Options;

fn main() -> ExitCode {
    quiet_when_nobody_reads();
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| {
        if options.help {
            print!("{}", options.command.help());
            return Ok(());
        }
        interrupt::listen()?;
        match options.command {
            Command::Help => Ok(()),
            Command::Demo => demo::run(&options),
            Command::Panels => panels::run(&options),
            Command::Up => up::run(&options),
            Command::Compose => compose::run(&options),
            Command::Phone => phone::run(&options),
            Command::Test => test::run(&options),
            Command::Check => check::run(&options),
            Command::Bench => bench::run(&options),
            Command::Rename => rename::run(&options.rename),
            Command::NewService => new_service::run(&options.rest),
            Command::Postgres => database::keep(&options),
            Command::Doctor => doctor::run(&options),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stop::report(&error);
            stop::exit_code(&error)
        }
    }
}

/// Whoever reads no further (`| head`) has what they wanted: that ends the program in its ordinary way, with what it started, and is no panic to be shown.
fn quiet_when_nobody_reads() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload_as_str().is_some_and(|words| words.starts_with("failed printing to stdout: Broken pipe")) {
            shown(panic);
        }
    }));
}
