//! `cargo xtask doctor`: what is here, and which mode would be used. It starts nothing and changes nothing.

use std::process::{Command, Stdio};

use anyhow::Result;
use ladder::{Durability, Mode};
use system::system;

use crate::options::Options;
use crate::{database, place, preflight};

pub(crate) fn run(options: &Options) {
    let rustc = preflight::rustc_version();
    report("Rust", preflight::rust(&rustc).map(|()| rustc).map_err(|e| e.to_string()));
    report("disk", free_space());
    for tool in ["git", "docker", "npm", "pip3"] {
        report(tool, version(tool));
    }
    let gdb = version("gdb").map_err(|e| format!("{e}; a test of the broker needs its gcore: apt-get install gdb"));
    report("gdb", gdb);
    report("ports of `up`", ports());
    report("edge", ladder::edge::survey(&place::target()));
    println!("\nRedis, for tests, in the order in which it would be tried:");
    for (rung, outlook) in ladder::redis::survey(&place::target()) {
        report(rung, outlook);
    }
    println!("\nPostgreSQL, in the order in which it would be tried:");
    let outlooks = ladder::survey(&database::ladder(options, Durability::Durable));
    let allowed = |rung| matches!(options.postgres, Mode::Auto) || options.postgres == Mode::Only(rung);
    let chosen = outlooks.iter().find(|(rung, outlook)| outlook.is_ok() && allowed(*rung)).map(|(rung, _)| *rung);
    for (rung, outlook) in &outlooks {
        report(rung.name(), outlook.clone());
    }
    match chosen {
        Some(rung) => println!("\n`cargo xtask demo` would use: {rung}"),
        None => println!("\n`cargo xtask demo` would find no PostgreSQL and tell how to install one"),
    }
}

fn report(what: &str, outlook: Result<String, String>) {
    match outlook {
        Ok(text) => println!("  ok  {what:<14} {text}"),
        Err(text) => println!("  --  {what:<14} {text}"),
    }
}

fn free_space() -> Result<String, String> {
    let free = preflight::free_megabytes(&place::target());
    preflight::disk(free).map_err(|e| e.to_string())?;
    Ok(free.map_or_else(|| "unknown".to_owned(), |free| format!("{} GB free", free / 1024)))
}

fn version(tool: &str) -> Result<String, String> {
    let output =
        Command::new(tool).arg("--version").stdin(Stdio::null()).output().map_err(|_| "not here".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned).ok_or_else(|| "is here but does not tell its version".to_owned())
}

fn ports() -> Result<String, String> {
    let listeners = system().map_err(|error| error.to_string())?.listeners();
    let taken: Vec<String> = listeners
        .iter()
        .filter(|(_, port)| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, *port)).is_err())
        .map(|(name, port)| format!("{port} ({name})"))
        .collect();
    if taken.is_empty() { Ok("all free".to_owned()) } else { Err(format!("taken: {}", taken.join(", "))) }
}
