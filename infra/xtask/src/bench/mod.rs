//! `cargo xtask bench`: figures, each beside another one of the same run; alone, none says anything. Each measurement is a file of its own. Here is
//! what they have in common: pgbench's TPC-B-like script on the same server with `fsync` on, calls over HTTPS, and the CPU time of all who take part.
//!
//! pgbench runs at its best: prepared statements, and the best of several client counts.

mod behavior;
mod decoys;
mod defense;
mod ledger;
mod server;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use crate::options::Options;
use crate::stack::{Kind, Loads, Stack};
use crate::{compose, interrupt};
use server::{Server, cpu_seconds_of, cpu_seconds_of_others};

const SCALE: u32 = 10;
const CLIENTS: [u32; 4] = [1, 8, 16, 32];
const SECONDS: u32 = 5;

pub(crate) fn run(options: &Options) -> Result<()> {
    let (kind, measure): (_, fn(&mut Stack) -> Result<()>) = match options.rest.first().map(String::as_str) {
        Some("behavior") => {
            behavior::engine()?;
            (Kind::Bench, behavior::service)
        }
        Some("compose") => return compose::cost(options.offline),
        Some("decoys") => (Kind::Bench, decoys::measure),
        Some("defense") => (Kind::Ablation, defense::measure),
        _ => (Kind::Bench, ledger::measure),
    };
    let mut stack = Stack::start(kind, options)?;
    match measure(&mut stack) {
        Ok(()) => stack.end(),
        Err(error) => Err(stack.keep_logs(error)),
    }
}

struct Baseline {
    clients: u32,
    per_second: f64,
}

fn tpcb(server: &Server) -> Result<Baseline> {
    println!("\npgbench, TPC-B-like, scale {SCALE}, prepared, {SECONDS} s for each count of clients:");
    server.pgbench(&["--initialize", "--quiet", "--scale", &SCALE.to_string()])?;
    let mut best = Baseline { clients: 0, per_second: 0.0 };
    for clients in CLIENTS {
        interrupt::check()?;
        let before = server.cpu_seconds();
        let (count, seconds) = (clients.to_string(), SECONDS.to_string());
        let output =
            server.pgbench(&["--client", &count, "--jobs", "2", "--time", &seconds, "--protocol", "prepared"])?;
        let per_second = tps(&output).ok_or_else(|| anyhow!("pgbench printed no tps: {output}"))?;
        let cpu = [("PostgreSQL", server.cpu_seconds() - before)];
        let name = format!("{clients} clients");
        println!("  {name:<26}{per_second:>8.0} per second{}", each(&cpu, per_second * f64::from(SECONDS)));
        if per_second > best.per_second {
            best = Baseline { clients, per_second };
        }
    }
    Ok(best)
}

/// `tps = 1234.5 (without initial connection time)`
fn tps(output: &str) -> Option<f64> {
    output.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

/// Calls of one kind over HTTPS.
#[derive(Clone, Copy)]
struct Calls {
    /// `transfer` or `read`.
    call: &'static str,
    in_flight: u32,
    seconds: u32,
    /// Past the edge, where one stands before the ledger.
    direct: bool,
}

/// What came of them. The CPU times are for each call.
struct Served {
    per_second: f64,
    ledger_micros: f64,
}

/// Has calls made, and prints a line. The CPU time of the ledger and of PostgreSQL is over all calls, those included that warm up.
fn calls(stack: &Stack, server: &Server, loads: &mut Loads, name: &str, calls: &Calls) -> Result<Served> {
    let ledger = stack.config("ledger");
    let Calls { call, in_flight, seconds, direct } = *calls;
    let asked = json!({ "what": "calls", "call": call, "in_flight": in_flight, "seconds": seconds, "direct": direct });
    let used =
        || cpu_seconds_of(&ledger).context("the ledger's process cannot be seen: its CPU time is read under /proc");
    // The collector of spans, and the services that are not asked.
    let config = ledger.to_string_lossy();
    let others = || cpu_seconds_of_others(&[&config, "load"]);
    let before = (used()?, server.cpu_seconds(), others());
    let report = loads.ask(&asked)?;
    let (ledger, postgres, others) = (used()? - before.0, server.cpu_seconds() - before.1, others() - before.2);
    let all = figure(&report, "all_calls")?;
    let own = figure(&report, "cpu_seconds")? / figure(&report, "calls")? * all;
    let cpu = [("ledger", ledger), ("PostgreSQL", postgres), ("load generator", own), ("others", others)];
    Ok(Served { per_second: row(name, &report, &cpu, all)?, ledger_micros: ledger * 1e6 / all })
}

/// Prints a line and gives its figure per second.
fn row(name: &str, report: &Value, cpu: &[(&str, f64)], calls: f64) -> Result<f64> {
    let per_second = figure(report, "per_second")?;
    println!(
        "  {name:<26}{per_second:>8.0} per second  p50 {:.1} ms  p99 {:.1} ms{}",
        figure(report, "p50_millis")?,
        figure(report, "p99_millis")?,
        each(cpu, calls)
    );
    Ok(per_second)
}

fn figure(report: &Value, key: &str) -> Result<f64> {
    report.get(key).and_then(Value::as_f64).with_context(|| format!("the report has no {key}: {report}"))
}

/// CPU time for each transaction, where the system tells.
fn each(cpu_seconds: &[(&str, f64)], transactions: f64) -> String {
    let known = cpu_seconds.iter().filter(|(_, seconds)| *seconds > 0.0 && transactions > 0.0);
    let words: Vec<String> =
        known.map(|(name, seconds)| format!("{name} {:.0} µs", seconds * 1e6 / transactions)).collect();
    if words.is_empty() { String::new() } else { format!("  CPU each: {}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbenchs_figure_is_read() {
        let output = "number of failed transactions: 0 (0.000%)\ntps = 1893.204811 (without initial connection time)\n";
        assert_eq!(tps(output).map(f64::trunc), Some(1893.0));
        assert_eq!(tps("nothing"), None);
    }

    #[test]
    fn cpu_time_is_said_only_where_it_is_known() {
        assert_eq!(each(&[("server", 0.0)], 10.0), "");
        assert_eq!(each(&[("a", 1.0), ("b", 0.0), ("c", 0.5)], 1000.0), "  CPU each: a 1000 µs, c 500 µs");
    }
}
