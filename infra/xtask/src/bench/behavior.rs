//! `cargo xtask bench behavior`: how fast events are folded and payments judged. First the engine alone beside bare counters: one program, one core, no
//! database. Then the service, with its listener, its database and a million users, beside calls to it that do nothing.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::server::{Server, cpu_seconds_of, memory_of};
use super::{figure, row};
use crate::process::{Run, Task};
use crate::stack::Stack;
use crate::stop::Stop;
use crate::{interrupt, place, preflight};

const USERS: u64 = 1_000_000;
/// Told at a time.
const PART: u64 = 100_000;
const SECONDS: u64 = 5;
/// Payments of one call and calls in flight: alone, one payment at a time as fast as a commit lets them, and as the ledger asks under load (its asker has two calls under way).
const LOADS: [(u64, u64); 3] = [(1, 1), (1, 16), (50, 2)];
/// Payments judged each second, and milliseconds within which 99 of 100 calls are answered.
const TARGET: (f64, f64) = (3_000.0, 5.0);

/// The engine alone.
pub(super) fn engine() -> Result<()> {
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

/// The service.
pub(super) fn service(stack: &mut Stack) -> Result<()> {
    let server = Server::of(stack.cluster())?;
    let config = stack.config("behavior");
    let used =
        || cpu_seconds_of(&config).context("behavior's process cannot be seen: its CPU time is read under /proc");
    println!("\nthe service, over mTLS, with its database; load generator, services and PostgreSQL on the same cores:");
    let mut loads = stack.begin_loads()?;
    let (before, server_before) = (used()?, server.cpu_seconds());
    let mut seconds = 0.0;
    for from in (0..USERS).step_by(usize::try_from(PART)?) {
        interrupt::check()?;
        let told = loads.ask(&json!({ "what": "told", "from": from, "users": PART, "in_flight": 4 }))?;
        seconds += figure(&told, "seconds")?;
    }
    let users = f64::from(u32::try_from(USERS)?);
    let each = |seconds: f64| seconds * 1e6 / users;
    println!(
        "  {:<26}{:>8.0} per second  CPU each: behavior {:.0} µs, PostgreSQL {:.0} µs",
        "payments told and learned",
        users / seconds,
        each(used()? - before),
        each(server.cpu_seconds() - server_before),
    );
    let began = Instant::now();
    stack.restart("behavior")?;
    println!(
        "  {:<26}{:>8.0} per second, and {:.0} MiB",
        "learned anew at a start",
        users / began.elapsed().as_secs_f64(),
        memory_of(&config).context("its memory is read under /proc")? / 1_048_576.0,
    );
    let bare = loads.ask(&json!({ "what": "bare", "in_flight": 16, "seconds": SECONDS }))?;
    let bare = row("calls that do nothing", &bare, &[], 1.0)?;
    let mut best = 0.0;
    for (batch, in_flight) in LOADS {
        let asked =
            json!({ "what": "scores", "users": USERS, "batch": batch, "in_flight": in_flight, "seconds": SECONDS });
        let (before, server_before) = (used()?, server.cpu_seconds());
        let report = loads.ask(&asked)?;
        let cpu = [("behavior", used()? - before), ("PostgreSQL", server.cpu_seconds() - server_before)];
        let name = format!("calls of {batch}, {in_flight} in flight");
        let calls = row(&name, &report, &cpu, figure(&report, "all_calls")?)?;
        let judged = calls * f64::from(u32::try_from(batch)?);
        println!(
            "  {:<26}{judged:>8.0} per second, {:.2} of calls that do nothing",
            "  payments judged",
            judged / bare
        );
        if figure(&report, "p99_millis")? <= TARGET.1 && judged > best {
            best = judged;
        }
    }
    stack.end_loads(loads)?;
    println!(
        "\npayments judged with 99 of 100 calls answered within {} ms: {best:.0} per second (at least {:.0})",
        TARGET.1, TARGET.0
    );
    ensure!(best >= TARGET.0, "a target is missed");
    Ok(())
}
