//! The console beside a system: pages for whoever sits at this machine (`e2e::console`).

use std::path::Path;

use anyhow::Result;

use super::Stack;
use super::ready::Probe;

/// Its listener and its log.
pub(crate) const CONSOLE: &str = "console";
/// The listener of the door to the analysts' desk, which the same program opens.
pub(crate) const DESK: &str = "desk";

impl Stack {
    /// Shows this system, and the users that were seeded, if they were. It listens before this returns.
    pub(crate) fn open_console(&mut self, report: &Path, seeded: bool) -> Result<()> {
        let description = self.write_description(report)?;
        let [listen, desk] = [self.ports.of(CONSOLE)?, self.ports.of(DESK)?].map(|port| format!("127.0.0.1:{port}"));
        let users = if seeded { "seeded" } else { "nobody" };
        // The console's own is let go where it is started.
        self.ports.release(DESK);
        self.spawn(CONSOLE, "story", &["console", &description, &listen, &desk, users])?;
        let probe = Probe::of_log(CONSOLE, &self.run.log(CONSOLE));
        self.await_all(vec![probe], &[])
    }
}
