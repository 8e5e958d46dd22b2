//! `cargo xtask bench behavior`: how fast events are folded and payments judged. First the engine alone beside bare counters: one program, one core, no
//! database. Then the service, with its listener, its database and a million users, beside calls to it that do nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::server::{Server, cpu_seconds_of, memory_of};
use super::{figure, row};
use crate::process::{Run, Task};
use crate::stack::{Loads, Stack};
use crate::stop::Stop;
use crate::{interrupt, place, preflight};

const USERS: u32 = 1_000_000;
/// Told at a time.
const PART: u32 = 100_000;
const SECONDS: u64 = 5;
/// Payments of one call and calls in flight, as fast as it goes: one after the other, many at once, and as the ledger asks under load.
const LOADS: [(u32, u32); 3] = [(1, 1), (1, 16), (50, 2)];
/// Payments of one call and calls a second, so many as it has to carry: each payment by itself, and as the ledger asks when as many come.
const PACES: [(u32, u32); 2] = [(1, 3_000), (15, 200)];
/// Milliseconds within which 99 of 100 calls are answered then.
const WITHIN: f64 = 5.0;

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
    println!("\nthe service, over mTLS, with its database; load generator, services and PostgreSQL on the same cores:");
    let loads = stack.begin_loads()?;
    let mut service = Service { server: Server::of(stack.cluster())?, config: stack.config("behavior"), loads };
    service.told()?;
    let began = Instant::now();
    stack.restart("behavior")?;
    println!(
        "  {:<26}{:>8.0} per second, and {:.0} MiB",
        "learned anew at a start",
        f64::from(USERS) / began.elapsed().as_secs_f64(),
        memory_of(&service.config).context("its memory is read under /proc")? / 1_048_576.0,
    );
    service.as_fast_as_it_goes()?;
    let holds = service.when_due()?;
    stack.end_loads(service.loads)?;
    ensure!(holds, "a target is missed");
    Ok(())
}

struct Service {
    server: Server,
    config: PathBuf,
    loads: Loads,
}

/// Seconds of CPU time.
struct Used {
    behavior: f64,
    postgres: f64,
}

impl Service {
    /// Everybody's first payment.
    fn told(&mut self) -> Result<()> {
        let before = self.used()?;
        let mut seconds = 0.0;
        for from in (0..USERS).step_by(usize::try_from(PART)?) {
            interrupt::check()?;
            let told = self.loads.ask(&json!({ "what": "told", "from": from, "users": PART, "in_flight": 4 }))?;
            seconds += figure(&told, "seconds")?;
        }
        let after = self.used()?;
        let each = |used: f64| used * 1e6 / f64::from(USERS);
        println!(
            "  {:<26}{:>8.0} per second  CPU each: behavior {:.0} µs, PostgreSQL {:.0} µs",
            "payments told and learned",
            f64::from(USERS) / seconds,
            each(after.behavior - before.behavior),
            each(after.postgres - before.postgres),
        );
        Ok(())
    }

    fn as_fast_as_it_goes(&mut self) -> Result<()> {
        let bare = json!({ "what": "bare", "in_flight": 16, "seconds": SECONDS });
        let (bare, _) = self.asked("calls that do nothing", &bare)?;
        for (batch, in_flight) in LOADS {
            let load =
                json!({ "what": "scores", "users": USERS, "batch": batch, "in_flight": in_flight, "seconds": SECONDS });
            let (calls, _) = self.asked(&format!("{in_flight} in flight, {batch} of each"), &load)?;
            let judged = calls * f64::from(batch);
            println!(
                "  {:<26}{judged:>8.0} per second, {:.2} of calls that do nothing",
                "  payments judged",
                judged / bare
            );
        }
        Ok(())
    }

    /// Whether the targets hold, or cannot be told.
    fn when_due(&mut self) -> Result<bool> {
        println!("\n3,000 payments a second, each call begun when it is due:");
        let mut verdicts = Vec::new();
        for (batch, per_second) in PACES {
            let load = json!({ "what": "bare", "per_second": per_second, "seconds": SECONDS });
            let (_, bare) = self.asked(&format!("{per_second} that do nothing"), &load)?;
            let load = json!({ "what": "scores", "users": USERS, "batch": batch, "per_second": per_second, "seconds": SECONDS });
            let (_, within) = self.asked(&format!("{per_second} calls, {batch} of each"), &load)?;
            verdicts.push((batch, bare, within));
        }
        let mut holds = true;
        println!();
        for (batch, bare, within) in verdicts {
            // A machine on which calls that do nothing are late says nothing of those that do.
            let verdict = match (within <= WITHIN, bare <= WITHIN) {
                (true, _) => "holds",
                (false, false) => "cannot be told here: those that do nothing are late, too",
                (false, true) => "is missed",
            };
            holds &= verdict != "is missed";
            println!(
                "99 of 100 calls of {batch} within {within:.1} ms ({bare:.1} of nothing; at most {WITHIN:.0}): {verdict}"
            );
        }
        Ok(holds)
    }

    /// Calls a second, and milliseconds within which 99 of 100 are answered.
    fn asked(&mut self, name: &str, asked: &Value) -> Result<(f64, f64)> {
        let before = self.used()?;
        let report = self.loads.ask(asked)?;
        let after = self.used()?;
        let cpu = [("behavior", after.behavior - before.behavior), ("PostgreSQL", after.postgres - before.postgres)];
        let calls = row(name, &report, &cpu, figure(&report, "all_calls")?)?;
        Ok((calls, figure(&report, "p99_millis")?))
    }

    fn used(&self) -> Result<Used> {
        let behavior = cpu_seconds_of(&self.config)
            .context("behavior's process cannot be seen: its CPU time is read under /proc")?;
        Ok(Used { behavior, postgres: self.server.cpu_seconds() })
    }
}
