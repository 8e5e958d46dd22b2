//! `cargo xtask demo`: the whole system, then the story.

use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::options::Options;
use crate::stack::{Kind, Stack};
use crate::stop::Stop;
use crate::{compose, place, say};

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.containers {
        return compose::demo(options.offline);
    }
    let began = Instant::now();
    let mut stack = Stack::start(Kind::Demo, options)?;
    let report = place::target().join("dev/report.html");
    let status = match stack.tell(&[], &report) {
        Ok(status) => status,
        Err(error) => return Err(stack.keep_logs(error)),
    };
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        let error = anyhow!(Stop::Failed(code, format!("the story did not end well ({status})")));
        return Err(stack.keep_logs(error));
    }
    stack.end()?;
    say::line(&format!("done in {:.1} s; the report: {}", began.elapsed().as_secs_f64(), place::short(&report)));
    Ok(())
}
