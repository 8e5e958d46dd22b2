//! `cargo xtask bench ledger`, and `bench decoys` in a file of its own.
//!
//! The ledger: the ledger beside pgbench's TPC-B-like script, on the same server in the same run, with `fsync` on.
//! Both sides are printed, then their ratio; a figure without its baseline says nothing.
//!
//! Two things are measured: the whole defended path (HTTPS, every layer, a proof and a signature for each request, the load
//! generator on the same cores) and the posting engine alone. pgbench runs at its best: prepared statements, and the best
//! of several client counts.

mod decoys;
mod server;

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use crate::interrupt;
use crate::options::Options;
use crate::stack::{Kind, Stack};
use server::{Server, cpu_seconds_of};

const SCALE: u32 = 10;
const CLIENTS: [u32; 4] = [1, 8, 16, 32];
const SECONDS: u32 = 5;

/// What the whole path is asked to carry.
const HTTPS: [(&str, &str); 2] =
    [("64 in flight", r#"{"seconds":5,"in_flight":64}"#), ("256 in flight", r#"{"seconds":5,"in_flight":256}"#)];

/// What the engine is asked to carry: spread over accounts, then all on one.
const ENGINE: [(&str, &str); 2] = [
    ("uniform accounts", r#"{"seconds":5,"in_flight":256}"#),
    ("one hot account", r#"{"seconds":5,"in_flight":256,"hot":true}"#),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stack = Stack::start(Kind::Bench, options)?;
    let measured = match options.rest.first().map(String::as_str) {
        Some("decoys") => decoys::measure(&mut stack),
        _ => measure(&mut stack),
    };
    match measured {
        Ok(()) => stack.end(),
        Err(error) => Err(stack.keep_logs(error)),
    }
}

fn measure(stack: &mut Stack) -> Result<()> {
    let server = Server::of(stack.cluster())?;
    println!("\npgbench, TPC-B-like, scale {SCALE}, prepared, {SECONDS} s for each count of clients:");
    let baseline = tpcb(&server)?;
    println!(
        "\nledger, the whole defended path over HTTPS (attestation, message signature, access token with DPoP, idempotency, posting, \
         signed answer, traces to a collector); load generator, services and PostgreSQL on the same cores:"
    );
    let mut figures = Vec::new();
    for (name, load) in HTTPS {
        figures.push((format!("HTTPS, {name}"), https(stack, &server, name, load)?));
    }
    println!(
        "\nledger, the posting engine alone, in process (idempotency, double entry, triggers, row-level security), 256 in flight:"
    );
    for (name, load) in ENGINE {
        figures.push((format!("engine, {name}"), engine(stack, &server, name, load)?));
    }
    println!("\nbaseline: pgbench {:.0} per second with {} clients", baseline.per_second, baseline.clients);
    for (name, per_second) in figures {
        println!("ratio, {name}: {:.2}", per_second / baseline.per_second);
    }
    Ok(())
}

struct Baseline {
    clients: u32,
    per_second: f64,
}

fn tpcb(server: &Server) -> Result<Baseline> {
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
        println!("  {name:<17}{per_second:>8.0} per second{}", each(&cpu, per_second * f64::from(SECONDS)));
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

/// The figures of the services and of PostgreSQL are over all transfers; that the senders register and log in is in them too, and small.
fn https(stack: &mut Stack, server: &Server, name: &str, load: &str) -> Result<f64> {
    let ledger = stack.config("ledger");
    let before = (cpu_seconds_of(&ledger), server.cpu_seconds());
    let report = stack.measure("story", &["load".to_owned(), load.to_owned()])?;
    let (ledger, postgres) = (cpu_seconds_of(&ledger) - before.0, server.cpu_seconds() - before.1);
    let all = figure(&report, "all_transfers")?;
    let own = figure(&report, "cpu_seconds")? / figure(&report, "transfers")? * all;
    row(name, &report, &[("ledger", ledger), ("PostgreSQL", postgres), ("load generator", own)], all)
}

fn engine(stack: &mut Stack, server: &Server, name: &str, load: &str) -> Result<f64> {
    let [app, poster] = ["app.url", "poster.url"].map(|file| text(&stack.url_file("ledger", file)));
    let before = server.cpu_seconds();
    let report = stack.measure("bench", &[app, poster, load.to_owned()])?;
    ensure!(
        report.get("invariants_hold") == Some(&Value::Bool(true)),
        "the books do not balance after the bench: {report}"
    );
    let per_second = row(name, &report, &[("engine", figure(&report, "cpu_seconds")?)], figure(&report, "transfers")?)?;
    println!(
        "    PostgreSQL, with the filling of the accounts and the warming up: {:.1} s",
        server.cpu_seconds() - before
    );
    Ok(per_second)
}

/// Prints a line and gives its figure per second.
fn row(name: &str, report: &Value, cpu: &[(&str, f64)], transfers: f64) -> Result<f64> {
    let per_second = figure(report, "per_second")?;
    println!(
        "  {name:<17}{per_second:>8.0} per second  p50 {:.1} ms  p99 {:.1} ms{}",
        figure(report, "p50_millis")?,
        figure(report, "p99_millis")?,
        each(cpu, transfers)
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

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
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
