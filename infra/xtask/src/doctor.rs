//! `cargo xtask doctor`: what is here, and which mode would be used. It starts nothing and changes nothing.

use std::io::{ErrorKind, IsTerminal as _};
use std::process::{Command, Stdio};

use anyhow::{Result, anyhow};
use ladder::terminal::{WIDTH, colors, paint, wrap};
use ladder::{Durability, Mode};
use system::system;

use crate::options::Options;
use crate::stop::Stop;
use crate::{database, phone, place, preflight, say};

/// Where what is said of a thing begins.
const COLUMN: usize = 21;

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut missing = Vec::new();
    // Without these nothing can be built. What compiles C comes before everything that does.
    let rustc = preflight::rustc_version();
    for (what, outlook) in [
        ("platform", preflight::platform()),
        ("Rust", preflight::rust(&rustc).map(|()| rustc)),
        ("C compiler", preflight::compiler()),
        ("disk", free_space()),
    ] {
        missing.extend(outlook.is_err().then_some(what));
        report(what, outlook.map_err(|error| format!("{error:#}")));
    }
    println!("\nFor some commands and tests:");
    for tool in ["git", "node", "npm", "pip3"] {
        report(tool, version(tool));
    }
    // It runs no container by itself.
    report("docker", version("docker").map(|text| format!("{text} (the client)")));
    let gdb = version("gdb").map_err(|e| format!("{e}; a test of the broker needs its gcore: apt-get install gdb"));
    report("gdb", gdb);
    report("kubectl", said_by("kubectl", &["version", "--client"]));
    report("Chromium", chromium());
    report("ports of `up`", ports(phone::running().is_ok()));
    report("edge", ladder::edge::survey(&place::target()));
    report("Prometheus", ladder::prometheus::survey());
    println!("\nRedis, for tests, in the order in which it would be tried:");
    for (rung, outlook) in ladder::redis::survey(&place::target()) {
        report(rung, outlook);
    }
    let postgres = postgres(options);
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(Stop::Failed(1, format!("nothing can be built here yet: {missing}; see above")).into());
    }
    postgres
}

/// In the order of the ladder. Err if none would hold.
fn postgres(options: &Options) -> Result<()> {
    println!("\nPostgreSQL, in the order in which it would be tried:");
    let settings = database::ladder(options, Durability::Durable);
    let outlooks = ladder::survey(&settings);
    // A server that was named stands alone.
    let alone = settings.url.is_some() && options.postgres == Mode::Auto;
    let allowed = |rung: ladder::Rung| match options.postgres {
        Mode::Auto => !alone || rung == ladder::Rung::Url,
        Mode::Only(only) => only == rung,
    };
    let found = outlooks.iter().find(|(rung, outlook)| outlook.is_ok() && allowed(*rung));
    let chosen = found.map(|(rung, _)| *rung);
    let why = outlooks.iter().find(|(rung, _)| allowed(*rung)).and_then(|(_, outlook)| outlook.clone().err());
    for (rung, outlook) in outlooks.into_iter().filter(|(rung, _)| allowed(*rung)) {
        report(rung.name(), outlook);
    }
    let Some(rung) = chosen else {
        let why = why.unwrap_or_default();
        return Err(anyhow!(Stop::Failed(
            ladder::EXIT_CODE,
            format!("`cargo xtask demo` would find no PostgreSQL: {why}")
        )));
    };
    say::line(&format!("\n`cargo xtask demo` would use: {rung}"));
    Ok(())
}

fn report(what: &str, outlook: Result<String, String>) {
    let (mark, code, text) = match outlook {
        Ok(text) => ("ok", "32", text),
        Err(text) => ("--", "33", text),
    };
    let mark = if colors(std::io::stdout().is_terminal()) { paint(code, mark) } else { mark.to_owned() };
    println!("  {mark}  {what:<14} {}", wrap(&text, WIDTH - COLUMN).join(&format!("\n{}", " ".repeat(COLUMN))));
}

fn free_space() -> Result<String> {
    let free = preflight::free_megabytes(&place::target());
    preflight::disk(free)?;
    Ok(free.map_or_else(|| "unknown".to_owned(), |free| format!("{} GB free", free / 1024)))
}

fn version(tool: &str) -> Result<String, String> {
    said_by(tool, &["--version"])
}

/// The first line of it.
fn said_by(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().map_err(|e| match e.kind() {
        ErrorKind::NotFound => "not here".to_owned(),
        _ => format!("cannot be started ({e})"),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned).ok_or_else(|| "is here but does not tell its version".to_owned())
}

/// The browser of those tests that read pages as people do; they look for it in the same places.
fn chromium() -> Result<String, String> {
    let named = std::env::var("REDOUBT_CHROMIUM").ok().filter(|name| !name.is_empty());
    let usual = ladder::browser::CHROMIUM.map(str::to_owned);
    let found = named.into_iter().chain(usual).find_map(|name| version(&name).ok());
    found.ok_or_else(|| "not here; the tests that look at pages need one: REDOUBT_CHROMIUM names it".to_owned())
}

/// Whether `up` could have them. If it has them already, they are not looked at one by one.
fn ports(running: bool) -> Result<String, String> {
    if running {
        return Ok("taken: the system of this tree is running; Ctrl-C where it was started ends it".to_owned());
    }
    let listeners = system().map_err(|error| error.to_string())?.listeners();
    let refused = |(name, port): &(String, u16)| {
        let bound = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, *port));
        bound.err().map(|e| format!("{port} ({name}): {e}"))
    };
    let taken: Vec<String> = listeners.iter().filter_map(refused).collect();
    said_of_taken(&taken).map_or(Ok("all free".to_owned()), Err)
}

/// Of many taken ports the first stands for all: another system has them.
fn said_of_taken(taken: &[String]) -> Option<String> {
    match taken {
        [] => None,
        [first, _, _, others @ ..] => {
            let more = others.len() + 2;
            Some(format!("not to be had: {first}, and {more} more; a `cargo xtask up` of another tree may be running"))
        }
        few => Some(format!("not to be had: {}", few.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_ports_of_a_system_that_runs_no_list_is_told() {
        assert!(ports(true).unwrap().contains("the system of this tree is running"));
        let taken = |ports: &[u16]| said_of_taken(&ports.iter().map(|port| format!("{port} (x)")).collect::<Vec<_>>());
        assert_eq!(taken(&[]), None);
        assert_eq!(taken(&[7001, 7002]).unwrap(), "not to be had: 7001 (x), 7002 (x)");
        let many = taken(&[7001, 7002, 7003, 7004, 7010]).unwrap();
        assert!(many.starts_with("not to be had: 7001 (x), and 4 more; ") && many.contains("another tree"), "{many}");
    }

    /// A shell reads no constant: what looks for a browser before the tests do looks under the same names.
    #[test]
    fn the_browser_has_the_same_names_before_the_tests_as_in_them() {
        let script = std::fs::read_to_string(place::root().join(".ci/run")).unwrap();
        let names = format!(" {}; do\n    if \"$name\" --version", ladder::browser::CHROMIUM.join(" "));
        assert!(script.contains(&names), "{names}");
    }
}
