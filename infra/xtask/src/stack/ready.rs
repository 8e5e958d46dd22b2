//! Waiting until everything that was started is ready: by the clock, and never without a word of what is being waited for.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Stack;
use crate::{interrupt, say};

/// How long a system may take to become ready.
const LIMIT: Duration = Duration::from_mins(1);
/// How often it is said what is being waited for.
const WORD: Duration = Duration::from_secs(5);

/// One program, asked again and again until it is ready.
pub(super) struct Probe {
    name: &'static str,
    how: How,
    /// Why it was not, the last time.
    cause: String,
}

enum How {
    /// By a program of its own that ends well if it is, and else says why; each question is one.
    Command { program: PathBuf, config: PathBuf, asking: Option<Child> },
    /// It says so in its log.
    Log(PathBuf),
}

impl Probe {
    /// A service, by its `healthcheck`.
    pub(super) fn of(service: &'static str, program: &Path, config: &Path) -> Self {
        let how = How::Command { program: program.to_owned(), config: config.to_owned(), asking: None };
        Self { name: service, how, cause: "it has not answered yet".to_owned() }
    }

    /// A stand-in, by its log.
    pub(super) fn of_log(name: &'static str, log: &Path) -> Self {
        Self { name, how: How::Log(log.to_owned()), cause: "it has not said `ready` yet".to_owned() }
    }

    /// Whether it is ready; it waits for nothing.
    fn is_ready(&mut self) -> Result<bool> {
        match &mut self.how {
            How::Log(log) => {
                let text = std::fs::read_to_string(&*log).with_context(|| log.display().to_string())?;
                Ok(text.lines().any(|line| line.starts_with("ready ")))
            }
            How::Command { program, config, asking } => {
                let child = match asking {
                    Some(child) => child,
                    None => asking.insert(ask(program, config)?),
                };
                let Some(status) = child.try_wait()? else { return Ok(false) };
                let mut words = String::new();
                if let Some(mut said) = child.stderr.take() {
                    said.read_to_string(&mut words).context("what a health check says")?;
                }
                *asking = None;
                if !status.success() {
                    self.cause = words.lines().last().map_or_else(|| status.to_string(), str::to_owned);
                }
                Ok(status.success())
            }
        }
    }

    fn says(&self) -> String {
        format!("{}: {}", self.name, self.cause)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let How::Command { asking: Some(child), .. } = &mut self.how {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn ask(program: &Path, config: &Path) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(["healthcheck", "--config"]).arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("{} cannot be started", program.display()))
}

/// Who is waited for, and since when.
struct Wait {
    probes: Vec<Probe>,
    began: Instant,
    words: u32,
}

impl Wait {
    /// Whether nobody is left. Those that are ready are not asked again: an answer costs a TLS handshake.
    fn is_over(&mut self, edge: bool) -> Result<bool> {
        for mut probe in std::mem::take(&mut self.probes) {
            if !probe.is_ready()? {
                self.probes.push(probe);
            }
        }
        if self.began.elapsed() >= WORD * (self.words + 1) {
            self.words += 1;
            say::progress(&format!("waiting since {} s for {}", self.began.elapsed().as_secs(), self.late(edge)));
        }
        Ok(self.probes.is_empty() && edge)
    }

    fn late(&self, edge: bool) -> String {
        let late = self.probes.iter().map(Probe::says);
        let edge = (!edge).then(|| "edge: it does not listen yet".to_owned());
        late.chain(edge).collect::<Vec<_>>().join("; ")
    }
}

impl Stack {
    /// Waits for all of them, and until something listens on each of these ports.
    pub(super) fn await_all(&mut self, probes: Vec<Probe>, edges: &[u16]) -> Result<()> {
        let mut wait = Wait { probes, began: Instant::now(), words: 0 };
        let ready = interrupt::wait(Some(LIMIT), || {
            self.run.all_alive()?;
            Ok(wait.is_over(ladder::edge::listens(edges))?.then_some(()))
        })?;
        if ready.is_none() {
            let words = wait.probes.first().map(|probe| crate::process::last_words(&self.run.log(probe.name)));
            let late = wait.late(ladder::edge::listens(edges));
            bail!("not ready after {} s: {late}{}", wait.began.elapsed().as_secs(), words.unwrap_or_default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(probes: Vec<Probe>) -> Wait {
        Wait { probes, began: Instant::now(), words: 0 }
    }

    /// A service whose health check is this script.
    fn script(folder: &Path, name: &'static str, text: &str) -> Probe {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.join("healthcheck");
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        Probe::of(name, &file, Path::new("config"))
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("redoubt-ready-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn who_is_waited_for_is_named_with_the_last_cause() {
        let folder = folder("cause");
        let probe =
            script(&folder, "ledger", "echo noise >&2; echo 'the database is unavailable: refused' >&2; exit 1");
        let mut wait = wait(vec![probe]);
        let heard = interrupt::wait(Some(Duration::from_secs(20)), || {
            assert!(!wait.is_over(true)?);
            Ok(wait.late(true).contains("refused").then_some(()))
        });
        assert!(heard.unwrap().is_some());
        assert_eq!(wait.late(false), "ledger: the database is unavailable: refused; edge: it does not listen yet");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_check_that_hangs_holds_up_neither_the_clock_nor_the_others() {
        let folder = folder("hangs");
        let log = folder.join("log");
        std::fs::write(&log, "ready http://localhost\n").unwrap();
        let mut wait = wait(vec![script(&folder, "auth", "exec sleep 100"), Probe::of_log("partner", &log)]);
        let began = Instant::now();
        let outcome = interrupt::wait(Some(Duration::from_millis(300)), || Ok(wait.is_over(true)?.then_some(())));
        assert!(outcome.unwrap().is_none() && began.elapsed() < Duration::from_secs(50));
        assert_eq!(wait.late(true), "auth: it has not answered yet");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
