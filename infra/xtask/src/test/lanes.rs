//! Runs test programs side by side: most of their time they wait, for PostgreSQL, for sockets and for clocks. What they print comes in whole, one
//! program after the other: the first one's as it is printed, the others' when it is their turn.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{self, Receiver, TryRecvError};

use anyhow::{Context as _, Result};

use super::Sum;
use super::programs::Program;
use crate::interrupt;
use crate::process::{Run, Task};

/// One that was started.
struct Lane {
    name: String,
    number: usize,
    printed: Receiver<std::io::Result<String>>,
    /// What it printed while it was not its turn.
    held: Vec<String>,
    ended: bool,
}

/// Runs them, so many at a time; the names of those that failed.
pub(super) fn run(
    programs: Vec<Program>,
    at_once: usize,
    servers: &[(&str, &str)],
    sum: &mut Sum,
) -> Result<Vec<String>> {
    let mut run = Run::of("test")?;
    let (mut waiting, mut lanes, mut failed) = (VecDeque::from(programs), VecDeque::new(), Vec::new());
    interrupt::wait(None, || {
        while lanes.iter().filter(|lane: &&Lane| !lane.ended).count() < at_once {
            let Some(program) = waiting.pop_front() else { break };
            let lane = begin(&mut run, program, servers)?;
            if lanes.is_empty() {
                println!("\n{}", lane.name);
            }
            lanes.push_back(lane);
        }
        for (place, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| !lane.ended) {
            lane.ended = take(lane, place == 0, sum)?;
            if lane.ended && !run.end_task(lane.number)?.success() {
                failed.push(lane.name.clone());
            }
        }
        while lanes.front().is_some_and(|lane| lane.ended) {
            lanes.pop_front();
            if let Some(next) = lanes.front_mut() {
                println!("\n{}", next.name);
                for line in next.held.drain(..) {
                    say(&line, sum);
                }
            }
        }
        Ok((lanes.is_empty() && waiting.is_empty()).then_some(()))
    })?;
    Ok(failed)
}

fn begin(run: &mut Run, program: Program, servers: &[(&str, &str)]) -> Result<Lane> {
    let directory = program.directory.to_str().context("a path that is no text")?;
    let environment = [servers, &[("CARGO_MANIFEST_DIR", directory)]].concat();
    let task = Task { piped: true, directory: Some(&program.directory), environment: &environment, ..Task::default() };
    let number = run.begin_task(&program.name, &program.path, &program.arguments, &task)?;
    let printed = lines(run, number)?;
    Ok(Lane { name: program.name, number, printed, held: Vec::new(), ended: false })
}

/// What it has printed since. True if there is no more to come.
fn take(lane: &mut Lane, its_turn: bool, sum: &mut Sum) -> Result<bool> {
    loop {
        match lane.printed.try_recv() {
            Ok(read) => {
                let text = read.with_context(|| format!("what {} prints", lane.name))?;
                if its_turn { say(&text, sum) } else { lane.held.push(text) }
            }
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => return Ok(true),
        }
    }
}

fn say(line: &str, sum: &mut Sum) {
    println!("{line}");
    sum.add(line);
}

/// The lines of a task's output, as they come.
fn lines(run: &mut Run, number: usize) -> Result<Receiver<std::io::Result<String>>> {
    let output = run.output_of(number)?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // A test may print what is no text.
        for line in BufReader::new(output).split(b'\n') {
            if sender.send(line.map(|line| String::from_utf8_lossy(&line).into_owned())).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Program {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        Program {
            name: name.to_owned(),
            path: "/bin/sh".into(),
            arguments,
            directory: std::env::temp_dir(),
            long: false,
        }
    }

    #[test]
    fn all_of_them_run_side_by_side_are_counted_and_those_that_fail_are_named() {
        let name = format!("redoubt-lanes-{}", std::process::id());
        let met = std::env::temp_dir().join(name);
        let met = met.to_str().unwrap();
        // The first one waits for the second: one after the other they would never end.
        let waits = format!("for n in $(seq 500); do [ -e {met} ] && break; sleep 0.02; done; [ -e {met} ]");
        let ok = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'";
        let programs = vec![
            shell("waits", &format!("{waits} && {ok}")),
            shell("meets", &format!("touch {met}; {ok}; exit 3")),
            shell("last", "echo 'test result: FAILED. 1 passed; 4 failed; 1 ignored; 0 measured'; exit 101"),
        ];
        let mut sum = Sum::default();
        let mut failed = run(programs, 2, &[], &mut sum).unwrap();
        std::fs::remove_file(met).unwrap();
        failed.sort();
        assert_eq!(failed, ["last", "meets"]);
        assert_eq!(sum, Sum { passed: 5, failed: 4, ignored: 1 });
    }
}
