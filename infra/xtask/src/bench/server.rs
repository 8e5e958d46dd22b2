//! The server under measurement: pgbench against it, and the CPU time of processes as Linux counts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use ladder::Cluster;

use crate::place;

/// The server as pgbench needs it.
pub(super) struct Server {
    pgbench: PathBuf,
    password: String,
    port: String,
}

impl Server {
    pub(super) fn of(cluster: &Cluster) -> Result<Self> {
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

    pub(super) fn pgbench(&self, arguments: &[&str]) -> Result<String> {
        self.run(&self.pgbench, &[arguments, &["postgres"]].concat())
    }

    /// How many transfers there are, and of how many behavior had a word in time.
    pub(super) fn judged(&self) -> Result<(f64, f64)> {
        let psql = self.pgbench.with_file_name("psql");
        let counts =
            "select (select count(*) from transfers where kind = 'transfer'), (select count(*) from risk_words)";
        let output = self.run(&psql, &["--no-align", "--tuples-only", "--command", counts, "redoubt_ledger"])?;
        let counts =
            output.trim().split_once('|').and_then(|(all, judged)| Some((all.parse().ok()?, judged.parse().ok()?)));
        counts.with_context(|| format!("psql counts {output}"))
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &self.port, "--username", "postgres"])
            .args(arguments)
            .env("PGPASSWORD", &self.password)
            .current_dir(place::root())
            .stdin(Stdio::null())
            .output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{} failed: {}", program.display(), words.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// User and system time of the server with its sessions, those that have ended too; from Linux, zero elsewhere.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let setting = format!("port={}", self.port);
        let processes = processes();
        let Some(main) = processes.iter().find(|process| process.arguments.contains(&setting)) else {
            return 0.0;
        };
        let sessions = processes.iter().filter(|process| process.parent == main.pid).map(|process| process.own);
        (main.own + main.ended_children + sessions.sum::<f64>()) / 100.0
    }
}

/// User and system time of the process that serves with these settings; from Linux. None where it is not seen.
pub(super) fn cpu_seconds_of(config: &Path) -> Option<f64> {
    serving(config).map(|process| process.own / 100.0)
}

/// Bytes of memory of that process; from Linux. None where it is not seen.
pub(super) fn memory_of(config: &Path) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving(config)?.pid)).ok()?; // Lost: it has ended meanwhile.
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0) // Lost: no such figure, no memory.
}

fn serving(config: &Path) -> Option<Stat> {
    let config = config.to_string_lossy().into_owned();
    let serves = |process: &Stat| process.arguments.contains(&config) && process.arguments.iter().any(|a| a == "serve");
    processes().into_iter().find(serves)
}

/// User and system time of all that this command has started, but of those with one of these arguments; from Linux, zero elsewhere.
pub(super) fn cpu_seconds_of_others(but: &[&str]) -> f64 {
    let own = std::process::id();
    let other = |process: &&Stat| process.parent == own && !process.arguments.iter().any(|a| but.contains(&a.as_str()));
    processes().iter().filter(other).map(|process| process.own).sum::<f64>() / 100.0
}

fn processes() -> Vec<Stat> {
    // Lost: where there is no such folder, CPU times are not told.
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Stat::read(&entry.path())).collect()
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
        let stat = std::fs::read_to_string(directory.join("stat")).ok()?; // Lost: it has ended meanwhile.
        let line = std::fs::read(directory.join("cmdline")).ok()?; // Lost: likewise.
        let arguments = String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect();
        // After the name, which may have spaces: field 3 is the state, 4 the parent, 14 to 17 the times.
        let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { pid, parent, own: ticks(11) + ticks(12), ended_children: ticks(13) + ticks(14), arguments })
    }
}
