//! `cargo xtask test`: every test on one PostgreSQL, two programs at a time, and one line that sums them up. With `--containers` each program brings its own.

mod containers;
mod lanes;
mod programs;

use anyhow::Result;
use ladder::Durability;

use self::containers::Containers;
use self::programs::Program;
use crate::options::Options;
use crate::process::Run;
use crate::stop::Stop;
use crate::{compile, database, place, preflight};

/// Test programs at a time. More would have deadlines missed that are not about the machine.
const AT_ONCE: usize = 2;

pub(crate) fn run(options: &Options) -> Result<()> {
    preflight::run()?;
    let mut sum = Sum::default();
    let failed = if options.containers {
        in_containers(&options.rest, &mut sum)?
    } else {
        // A server that was named is looked at, and taken, before anything is built.
        let cluster = database::bring(options, Durability::Disposable)?;
        test(&[("REDOUBT_TEST_DATABASE_URL", cluster.url())], &options.rest, &mut sum)?
    };
    println!("\n{} passed, {} failed, {} ignored", sum.passed, sum.failed, sum.ignored);
    if failed.is_empty() && sum.failed == 0 {
        return Ok(());
    }
    let programs = if failed.is_empty() { "named above".to_owned() } else { failed.join(", ") };
    Err(Stop::Failed(1, format!("failed tests: {}; failed programs: {programs}; why is above", sum.failed)).into())
}

/// The same tests, each program with a PostgreSQL and each Redis in a container.
fn in_containers(arguments: &[String], sum: &mut Sum) -> Result<Vec<String>> {
    let containers = Containers::look()?;
    let arguments = [&containers::feature(), arguments].concat();
    let failed = test(&containers.environment(), &arguments, sum)?;
    let ended = containers.end();
    // Tests that failed are told first: they may be why there was no container.
    if failed.is_empty() && sum.failed == 0 {
        ended?;
    }
    Ok(failed)
}

/// Builds and runs them; the names of the programs that failed. `servers` are told them by their environment.
fn test(servers: &[(&str, &str)], arguments: &[String], sum: &mut Sum) -> Result<Vec<String>> {
    let (mut cargo, harness) = programs::split(arguments);
    let documents = cargo.iter().any(|argument| argument == "--doc");
    if !cargo.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        cargo.push("--workspace".to_owned());
    }
    let mut programs = if documents { Vec::new() } else { build(&cargo, &harness)? };
    // Only libraries have examples that are run.
    let is_library = |program: &Program| program.name.ends_with("(lib)");
    if documents || !programs::chosen(&cargo) && programs.iter().any(is_library) {
        programs.push(examples(cargo, &harness, documents));
    }
    programs.sort_by_key(|program| !program.long);
    // Whoever wants to see what a test prints wants to see it in its order.
    let watched = harness.iter().any(|argument| argument == "--nocapture" || argument == "--show-output");
    lanes::run(programs, if watched { 1 } else { AT_ONCE }, servers, sum)
}

/// The examples in the documentation, which cargo builds as it runs them.
fn examples(cargo: Vec<String>, harness: &[String], only: bool) -> Program {
    let mut arguments: Vec<String> = ["test", "--locked"].map(str::to_owned).to_vec();
    arguments.extend((!only).then(|| "--doc".to_owned()));
    arguments.extend(cargo);
    arguments.push("--".to_owned());
    arguments.extend_from_slice(harness);
    let name = "examples in the documentation".to_owned();
    Program { name, path: "cargo".into(), arguments, directory: place::root(), long: false }
}

/// Has cargo build the test programs.
fn build(cargo: &[String], harness: &[String]) -> Result<Vec<Program>> {
    let mut arguments: Vec<String> = ["test", "--no-run"].map(str::to_owned).to_vec();
    arguments.extend_from_slice(cargo);
    let told = compile::cargo(&mut Run::of("build")?, &arguments)?;
    told.iter().filter_map(|line| programs::told(line, harness).transpose()).collect()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Sum {
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; …`, one per test binary.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.1.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => (),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_nothing_else_is() {
        let mut sum = Sum::default();
        sum.add("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s");
        sum.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        sum.add("test ledger::nine_passed ... ok");
        assert_eq!(sum, Sum { passed: 7, failed: 3, ignored: 1 });
    }
}
