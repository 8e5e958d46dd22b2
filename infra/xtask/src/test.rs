//! `cargo xtask test`: every test on one PostgreSQL, and one line that sums them up.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context as _, Result};
use ladder::Durability;

use crate::options::Options;
use crate::process::{Run, Task};
use crate::stop::Stop;
use crate::{database, interrupt, place, preflight};

pub(crate) fn run(options: &Options) -> Result<()> {
    preflight::run()?;
    // A server that was named is looked at, and taken, before anything is built.
    let cluster = database::bring(options, Durability::Disposable)?;
    let (sum, status) = cargo_test(cluster.url(), &options.rest)?;
    drop(cluster);
    println!("\n{} passed, {} failed, {} ignored", sum.passed, sum.failed, sum.ignored);
    if status.success() && sum.failed == 0 {
        return Ok(());
    }
    let reason = match preflight::explain_build() {
        Some(reason) => reason,
        None if sum.failed > 0 => format!("failed tests: {}; each is explained above", sum.failed),
        None => "`cargo test` failed; its error is above".to_owned(),
    };
    Err(Stop::Failed(1, reason).into())
}

fn cargo_test(url: &str, arguments: &[String]) -> Result<(Sum, std::process::ExitStatus)> {
    let mut line: Vec<String> = ["test", "--locked", "--no-fail-fast"].map(str::to_owned).to_vec();
    if !arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package")) {
        line.push("--workspace".to_owned());
    }
    line.extend_from_slice(arguments);
    let environment = [("REDOUBT_TEST_DATABASE_URL", url)];
    let task = Task { piped: true, directory: Some(&place::root()), environment: &environment, ..Task::default() };
    let mut run = Run::of("test")?;
    let number = run.begin_task("cargo", Path::new("cargo"), &line, &task)?;
    let output = run.output_of(number)?;
    let (sender, receiver) = mpsc::sync_channel(64);
    std::thread::spawn(move || {
        // A test may print what is no text.
        for line in BufReader::new(output).split(b'\n') {
            if sender.send(line.map(|line| String::from_utf8_lossy(&line).into_owned())).is_err() {
                break;
            }
        }
    });
    let mut sum = Sum::default();
    interrupt::wait(None, || {
        loop {
            match receiver.try_recv() {
                Ok(line) => {
                    let line = line.context("what `cargo test` prints")?;
                    println!("{line}");
                    sum.add(&line);
                }
                Err(mpsc::TryRecvError::Empty) => return Ok(None),
                Err(mpsc::TryRecvError::Disconnected) => return Ok(Some(())),
            }
        }
    })?;
    Ok((sum, run.end_task(number)?))
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
