//! `cargo xtask bench ledger`: the ledger's posting engine beside pgbench's TPC-B-like script, on the same server in the same
//! run, with `fsync` on. Both sides are printed, then their ratio; a figure without its baseline says nothing.
//!
//! pgbench runs at its best: prepared statements, and the best of several client counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use testkit::postgres::{Cluster, Durability};

use crate::compile::{self, Programs};
use crate::options::Options;
use crate::process::{Run, Task};
use crate::stack::{Ports, config};
use crate::{database, interrupt, place};

const SCALE: u32 = 10;
const CLIENTS: [u32; 4] = [1, 8, 16, 32];
const SECONDS: u32 = 5;

/// Everything that the engine is asked to carry: spread over accounts, then all on one.
const LOADS: [(&str, &str); 2] = [
    ("uniform accounts", r#"{"seconds":5,"in_flight":256}"#),
    ("one hot account", r#"{"seconds":5,"in_flight":256,"hot":true}"#),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut run = Run::of("bench")?;
    let arguments = ["--release", "--package", "ledger", "--package", "testkit", "--bins", "--example", "bench"];
    let programs = compile::build(&mut run, "the ledger for release", &arguments)?;
    let cluster = database::bring(options, Durability::Durable)?;
    let server = Server::of(&cluster)?;
    println!("\npgbench, TPC-B-like, scale {SCALE}, prepared, {SECONDS} s for each count of clients:");
    let baseline = tpcb(&server)?;
    println!(
        "\nledger, posting engine in process (idempotency, double entry, triggers, row-level security), 256 in flight:"
    );
    let figures = engine(&mut run, &programs, &cluster, &server)?;
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
        let transactions = per_second * f64::from(SECONDS);
        println!(
            "  {clients:>3} clients  {per_second:>8.0} per second{}",
            micros(server.cpu_seconds() - before, transactions)
        );
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

fn engine(run: &mut Run, programs: &Programs, cluster: &Cluster, server: &Server) -> Result<Vec<(&'static str, f64)>> {
    let databases = run.directory().join("databases");
    let logged = |environment| Task { logged: true, environment, ..Task::default() };
    let arguments = ["provision", "--out", &text(&databases), "--services", "ledger"].map(str::to_owned);
    let environment = [("REDOUBT_SUPERUSER_URL", cluster.url())];
    run.task("provision", programs.path("sandbox")?, &arguments, &logged(&environment))?;
    let file = run.directory().join("ledger.toml");
    let layout = config::Layout { pki: run.directory(), databases: &databases, ports: &Ports::free()? };
    std::fs::write(&file, config::file("ledger", &layout))?;
    let arguments = ["migrate".to_owned(), "--config".to_owned(), text(&file)];
    run.task("migrate", programs.path("ledger")?, &arguments, &logged(&[]))?;
    let mut figures = Vec::new();
    for (name, load) in LOADS {
        let urls = ["app.url", "poster.url"].map(|file| text(&databases.join("ledger").join(file)));
        let before = server.cpu_seconds();
        let [app, poster] = urls;
        run.task(name, programs.path("bench")?, &[app, poster, load.to_owned()], &logged(&[]))?;
        let report = std::fs::read_to_string(run.log(name))?;
        let report: Value =
            serde_json::from_str(report.lines().last().unwrap_or_default()).context("the bench's report")?;
        let figure = |key: &str| report.get(key).and_then(Value::as_f64).unwrap_or_default();
        if report.get("invariants_hold") != Some(&Value::Bool(true)) {
            bail!("the books do not balance after the bench: {report}");
        }
        let per_second = figure("per_second");
        println!(
            "  {name:<17}{per_second:>8.0} per second  p50 {:.1} ms  p99 {:.1} ms{}; PostgreSQL, with the filling of accounts, {:.1} s",
            figure("p50_millis"),
            figure("p99_millis"),
            micros(figure("cpu_seconds"), figure("transfers")).replace("server", "engine"),
            server.cpu_seconds() - before
        );
        figures.push((name, per_second));
    }
    Ok(figures)
}

/// CPU time per transaction, where the system tells.
fn micros(cpu_seconds: f64, transactions: f64) -> String {
    if cpu_seconds <= 0.0 || transactions <= 0.0 {
        return String::new();
    }
    format!("  server CPU {:.0} µs each", cpu_seconds * 1e6 / transactions)
}

/// The server as pgbench needs it.
struct Server {
    pgbench: PathBuf,
    password: String,
    port: String,
}

impl Server {
    fn of(cluster: &Cluster) -> Result<Self> {
        let beside = cluster.bin_dir().map(|directory| directory.join("pgbench")).filter(|path| path.is_file());
        let pgbench = beside.unwrap_or_else(|| PathBuf::from("pgbench"));
        if Command::new(&pgbench).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            bail!(
                "pgbench is not here, so there is nothing to compare with: `sudo apt-get install postgresql` brings it, \
                 then this again (with --postgres system)"
            );
        }
        // postgres://postgres:PASSWORD@127.0.0.1:PORT/postgres, as the ladder writes it.
        let (login, place) = cluster.url().rsplit_once('@').context("the server's URL has no password")?;
        let password = login.rsplit(':').next().unwrap_or_default().to_owned();
        let port = place.split(['/', ':']).nth(1).unwrap_or("5432").to_owned();
        Ok(Self { pgbench, password, port })
    }

    fn pgbench(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.pgbench)
            .args(["--host", "127.0.0.1", "--port", &self.port, "--username", "postgres"])
            .args(arguments)
            .arg("postgres")
            .env("PGPASSWORD", &self.password)
            .current_dir(place::root())
            .stdin(Stdio::null())
            .output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "pgbench failed: {}", words.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// User and system time of the server with its sessions, those that have ended too; from Linux, zero elsewhere.
    fn cpu_seconds(&self) -> f64 {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes: Vec<Stat> = entries.filter_map(|entry| Stat::read(&entry.path())).collect();
        let setting = format!("port={}", self.port);
        let Some(main) = processes.iter().find(|process| process.arguments.contains(&setting)) else {
            return 0.0;
        };
        let sessions = processes.iter().filter(|process| process.parent == main.pid).map(|process| process.own);
        (main.own + main.ended_children + sessions.sum::<f64>()) / 100.0
    }
}

/// What proc(5) says of a process; times in ticks of 10 ms.
struct Stat {
    pid: u32,
    parent: u32,
    own: f64,
    ended_children: f64,
    arguments: Vec<String>,
}

impl Stat {
    fn read(directory: &Path) -> Option<Self> {
        let pid = directory.file_name()?.to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
        let line = std::fs::read(directory.join("cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect();
        // After the name, which may have spaces: field 3 is the state, 4 the parent, 14 to 17 the times.
        let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { pid, parent, own: ticks(11) + ticks(12), ended_children: ticks(13) + ticks(14), arguments })
    }
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
        assert_eq!(micros(0.0, 10.0), "");
        assert_eq!(micros(1.0, 1000.0), "  server CPU 1000 µs each");
    }
}
