//! `cargo xtask bench ledger`: the ledger beside pgbench. Two things are measured: the whole defended path (HTTPS, every layer, a proof and a
//! signature for each request, the load generator on the same cores) and the posting engine alone.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::server::Server;
use super::{Calls, Served, calls, figure, row, tpcb};
use crate::stack::Stack;

/// How many transfers the whole path is asked to carry at once.
const IN_FLIGHT: [u32; 2] = [64, 256];

/// What the engine is asked to carry: spread over accounts, then all on one.
const ENGINE: [(&str, &str); 2] = [
    ("uniform accounts", r#"{"seconds":5,"in_flight":256}"#),
    ("one hot account", r#"{"seconds":5,"in_flight":256,"hot":true}"#),
];

pub(super) fn measure(stack: &mut Stack) -> Result<()> {
    let server = Server::of(stack.cluster())?;
    let baseline = tpcb(&server)?;
    println!(
        "\nledger, the whole defended path over HTTPS (attestation, message signature, access token with DPoP, idempotency, posting, \
         signed answer, traces to a collector); load generator, services and PostgreSQL on the same cores:"
    );
    let mut figures = Vec::new();
    let mut loads = stack.begin_loads()?;
    for in_flight in IN_FLIGHT {
        let name = format!("{in_flight} in flight");
        let asked = Calls { call: "transfer", in_flight, seconds: 5, direct: false };
        let Served { per_second, .. } = calls(stack, &server, &mut loads, &name, &asked)?;
        figures.push((format!("HTTPS, {name}"), per_second));
    }
    stack.end_loads(loads)?;
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

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
