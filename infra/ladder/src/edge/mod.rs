//! A web application firewall for systems on one machine, from nothing: nginx, `ModSecurity` and the OWASP Core Rule Set, of this machine or out of
//! Debian's packages. Its configuration stands in `infra/edge/`.

mod packages;
mod site;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

pub use packages::{Software, survey};
pub use site::{ACCESS, Behind, LOG, Program, SOURCE, Site};

use crate::{Guard, Rights, Setting, shell};

/// How long nginx may take to read the rules.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A running edge of this process alone. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Edge {
    directory: PathBuf,
    running: Child,
    /// Ends what is left, and removes the directory.
    _guard: Guard,
}

impl Edge {
    /// Starts one before `site`, in a directory of its own.
    ///
    /// # Errors
    ///
    /// Its directory cannot be made, or nginx does not start: its last words.
    pub fn start(software: &Software, site: &Site<'_>) -> Result<Self, String> {
        let directory = std::env::temp_dir().join(format!("redoubt-edge-{}", shell::random_hex(8)?));
        let program = site.write(software, &directory, &directory)?;
        let mut guard = Guard::over_directory(&directory).inspect_err(|_| drop(std::fs::remove_dir_all(&directory)))?;
        let log = directory.join("output.log");
        let rights = Rights { account: None, clean_environment: true };
        let environment = program.environment();
        let setting = Setting { log: Some(&log), rights, environment: &environment, ..Setting::new(&directory) };
        let mut running = guard.start(&program.path, &program.arguments, &setting)?;
        let ports: Vec<u16> = site.services.iter().map(|service| service.listen).collect();
        let ready = shell::poll(START_LIMIT, || match running.try_wait() {
            Ok(None) => listens(&ports).then_some(true),
            _ => Some(false),
        });
        if ready == Some(true) {
            return Ok(Self { directory, running, _guard: guard });
        }
        drop(running.kill());
        drop(running.wait());
        guard.forget(&running);
        let said = [log, directory.join(LOG)].map(|file| shell::logged(&file));
        Err(format!("nginx did not start: {}", said.concat().lines().last().unwrap_or("it logged nothing")))
    }

    /// What it logs of itself and of what the rules found.
    pub fn log(&self) -> PathBuf {
        self.directory.join(LOG)
    }

    /// One JSON object for each request.
    pub fn access_log(&self) -> PathBuf {
        self.directory.join(ACCESS)
    }
}

impl Drop for Edge {
    /// Its master ends its workers, so it is asked to; the guard ends whatever is left.
    fn drop(&mut self) {
        let id = i32::try_from(self.running.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            rustix::process::kill_process(id, rustix::process::Signal::TERM).ok(); // fails only if it has ended
        }
        shell::poll(END_LIMIT, || self.running.try_wait().transpose());
        drop(self.running.kill());
        drop(self.running.wait());
    }
}

/// Whether somebody listens at all of these.
pub fn listens(ports: &[u16]) -> bool {
    // Lost: whoever waits for it asks again, and says what it waits for.
    ports.iter().all(|port| std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, *port)).is_ok())
}

/// A line of the log about a request: the id that its client was told, and the rule that found something in it.
pub fn finding(line: &str) -> Option<(&str, u32)> {
    let after = |mark: &str| line.split_once(mark)?.1.split_once('"').map(|(text, _)| text);
    Some((after("[unique_id \"")?, after("[id \"")?.parse().ok()?))
}

/// A file under one of these roots.
fn under(roots: &[&Path], file: &str) -> Option<PathBuf> {
    roots.iter().map(|root| root.join(file)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read() {
        let line = r#"2026/01/01 [info] 1#1: *1 ModSecurity: Warning. Matched "x" [file "a"] [line "7"] [id "942100"] [msg "m"] [unique_id "c0ffee"] [ref ""]"#;
        assert_eq!(finding(line), Some(("c0ffee", 942_100)));
        assert_eq!(finding("2026/01/01 [info] 1#1: *1 client closed connection"), None);
    }
}
