//! `cargo xtask bench behavior`: how fast events are folded and payments judged, beside bare counters. One program, one core, no database.

use std::path::Path;

use anyhow::Result;

use crate::process::{Run, Task};
use crate::stop::Stop;
use crate::{place, preflight};

pub(super) fn measure() -> Result<()> {
    preflight::run()?;
    let mut run = Run::of("bench")?;
    let arguments =
        ["run", "--locked", "--release", "--package", "behavior", "--example", "judging"].map(str::to_owned);
    let task = Task { directory: Some(&place::root()), ..Task::default() };
    let number = run.begin_task("cargo", Path::new("cargo"), &arguments, &task)?;
    if run.end_task(number)?.success() {
        return Ok(());
    }
    Err(Stop::Failed(1, "the measurement failed; its error is above".to_owned()).into())
}
