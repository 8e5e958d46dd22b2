//! The program that puts load on a system: it is asked line by line, and answers each with a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::interrupt;

/// How long an answer may take: the phones enroll before the first one.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Loads {
    pub(super) number: usize,
    input: ChildStdin,
    answers: Receiver<std::io::Result<String>>,
}

impl Loads {
    pub(super) fn new(number: usize, input: ChildStdin, output: ChildStdout) -> Self {
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { number, input, answers }
    }

    /// Has something measured.
    pub(crate) fn ask(&mut self, measure: &Value) -> Result<Value> {
        writeln!(self.input, "{measure}").context("the load generator is gone")?;
        let answer = interrupt::wait(Some(PATIENCE), || match self.answers.try_recv() {
            Ok(line) => Ok(Some(line.context("what the load generator says")?)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => bail!("the load generator ended before it answered {measure}"),
        })?;
        let answer = answer.with_context(|| format!("no answer to {measure} within {} s", PATIENCE.as_secs()))?;
        serde_json::from_str(&answer).with_context(|| format!("{measure} was answered: {}", answer.trim()))
    }
}
