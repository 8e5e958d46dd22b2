//! `cargo xtask bench defense`: what the ledger's layers cost. A read with none of them, with each alone, and with all; a transfer with none and with
//! all, with behavior asked about it and without, beside pgbench and beside what one verification of an ES256 signature costs here: that is what a `DPoP` proof cannot do without.
//!
//! The phones send the same in every row: a layer that is off does not look. The ledger is started again for each row, and the rows are
//! measured twice, by turns, because a shared machine is not the same from minute to minute; the one with more calls per second counts.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::server::Server;
use super::{Calls, Served, calls, figure, tpcb};
use crate::place;
use crate::stack::{Loads, Stack};

/// A read with all layers is at least this part of one with none.
const OF_NONE: f64 = 0.5;
/// The layers add at most so many verifications to the ledger's CPU time for a transfer.
const VERIFICATIONS: f64 = 3.0;
/// Defended transfers per second are at least this many times what pgbench does.
const OF_PGBENCH: f64 = 1.0;
const ROUNDS: usize = 2;
/// All layers before the handler, and nobody who judges how a user acts.
const ALONE: &str = "all but behavior";

const READ: Calls = Calls { call: "read", in_flight: 64, seconds: 3, direct: true };
/// As many at once as fill the batches of a hundred that the ledger commits, with some waiting: fewer measure how long one waits.
const TRANSFER: Calls = Calls { call: "transfer", in_flight: 256, seconds: 5, direct: true };

/// Some layers, and what was measured with no others.
struct Row {
    name: String,
    on: Vec<String>,
    /// Whether the ledger asks behavior about a payment, and tells it of it.
    behavior: bool,
    best: Option<Served>,
}

pub(super) fn measure(stack: &mut Stack) -> Result<()> {
    let server = Server::of(stack.cluster())?;
    let baseline = tpcb(&server)?;
    let mut loads = stack.begin_loads()?;
    let verification = figure(&loads.ask(&json!({ "what": "verification", "seconds": 2 }))?, "cpu_micros")?;
    println!("\none verification of an ES256 signature, on all cores at once: {verification:.0} µs of CPU time");

    println!(
        "\ndefended transfers, {} in flight; load generator, services and PostgreSQL on the same cores:",
        TRANSFER.in_flight
    );
    let of_transfers = layers("/v1/transfers", "post")?;
    let mut transfers = rows(&of_transfers, false);
    let alone = Row { name: ALONE.to_owned(), on: of_transfers, behavior: false, best: None };
    // Before the last one, which has everything.
    transfers.insert(transfers.len() - 1, alone);
    let (made, judged) = rounds(stack, &server, &mut loads, &mut transfers, &TRANSFER)?;
    // Who asks in vain pays for less: two runs are alike only where this is.
    println!(
        "of {made:.0} transfers that it was asked about, behavior judged {:.0} % in time",
        judged / made.max(1.0) * 100.0
    );
    println!("\nreads of an account, 64 in flight:");
    let mut reads = rows(&layers("/v1/accounts/{id}", "get")?, true);
    rounds(stack, &server, &mut loads, &mut reads, &READ)?;
    if stack.has_edge() {
        println!("\nthe same with all layers, through the edge:");
        calls(stack, &server, &mut loads, "transfers", &Calls { direct: false, ..TRANSFER })?;
        calls(stack, &server, &mut loads, "reads", &Calls { direct: false, ..READ })?;
    }
    stack.end_loads(loads)?;

    println!(
        "\n| Layers | reads per second | of none | ledger's CPU for each | of a layer |\n| --- | --- | --- | --- | --- |"
    );
    let none = best(&reads, "none")?;
    for row in &reads {
        let Served { per_second, ledger_micros } = row.best()?;
        let (part, more) = (per_second / none.per_second * 100.0, ledger_micros - none.ledger_micros);
        println!("| {} | {per_second:.0} | {part:.0} % | {ledger_micros:.0} µs | {more:+.0} µs |", row.name);
    }
    let (all, bare) = (best(&transfers, "all")?, best(&transfers, "none")?);
    let of_none = best(&reads, "all")?.per_second / none.per_second;
    let [of_pgbench, with_behavior] =
        [best(&transfers, ALONE)?, all].map(|served| served.per_second / baseline.per_second);
    let [whole, verifications] = [0.0, bare.ledger_micros].map(|without| (all.ledger_micros - without) / verification);
    println!(
        "\na transfer costs the ledger {:.0} µs of CPU time with all layers and {:.0} µs with none",
        all.ledger_micros, bare.ledger_micros
    );
    println!("pgbench {:.0} per second with {} clients", baseline.per_second, baseline.clients);
    println!("\nreads with all layers, of those with none:         {of_none:.2} (at least {OF_NONE})");
    println!("defended transfers, of pgbench's:                  {of_pgbench:.2} (at least {OF_PGBENCH})");
    println!("the same, with behavior asked about each and told: {with_behavior:.2}");
    println!("CPU time of a defended transfer, in verifications: {whole:.2}");
    println!("what the layers add to it, in verifications:       {verifications:.2} (at most {VERIFICATIONS})");
    ensure!(of_none >= OF_NONE && of_pgbench >= OF_PGBENCH && verifications <= VERIFICATIONS, "a target is missed");
    Ok(())
}

/// The layers of one of the ledger's routes, as its contract says.
fn layers(path: &str, method: &str) -> Result<Vec<String>> {
    let contract = std::fs::read_to_string(place::root().join("services/ledger/openapi.json"))?;
    let contract: Value = serde_json::from_str(&contract)?;
    let route = contract.get("paths").and_then(|paths| paths.get(path)?.get(method)?.get("x-layers"));
    serde_json::from_value(route.cloned().with_context(|| format!("{method} {path} has no layers"))?)
        .context("the layers of a route")
}

/// None, all, and if asked each alone.
fn rows(layers: &[String], each: bool) -> Vec<Row> {
    let row = |name: &str, on: &[String]| Row { name: name.to_owned(), on: on.to_vec(), behavior: true, best: None };
    let alone = layers.iter().filter(|_| each).map(|layer| row(layer, std::slice::from_ref(layer)));
    [row("none", &[])].into_iter().chain(alone).chain([row("all", layers)]).collect()
}

/// Measures the rows; how many transfers behavior was asked about, and how many it had a word on in time.
fn rounds(
    stack: &mut Stack,
    server: &Server,
    loads: &mut Loads,
    rows: &mut [Row],
    asked: &Calls,
) -> Result<(f64, f64)> {
    let (mut made, mut judged) = (0.0, 0.0);
    let all = rows.last().map(|row| row.on.clone()).context("there is nothing to measure")?;
    for _ in 0..ROUNDS {
        for row in &mut *rows {
            let off: Vec<String> = all.iter().filter(|layer| !row.on.contains(layer)).cloned().collect();
            stack.turn_off("ledger", &off, if row.behavior { &[] } else { &["behavior"] })?;
            let before = server.judged()?;
            let again = calls(stack, server, loads, &row.name, asked)?;
            if row.behavior {
                let after = server.judged()?;
                (made, judged) = (made + after.0 - before.0, judged + after.1 - before.1);
            }
            if row.best.as_ref().is_none_or(|known| known.per_second < again.per_second) {
                row.best = Some(again);
            }
        }
    }
    Ok((made, judged))
}

impl Row {
    fn best(&self) -> Result<&Served> {
        self.best.as_ref().with_context(|| format!("`{}` was not measured", self.name))
    }
}

fn best<'a>(rows: &'a [Row], name: &str) -> Result<&'a Served> {
    rows.iter().find(|row| row.name == name).context("a row that is not there")?.best()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_of_the_layers_that_the_contract_names() {
        let layers = layers("/v1/accounts/{id}", "get").unwrap();
        assert!(layers.contains(&"access_token".to_owned()), "{layers:?}");
        let rows = rows(&layers, true);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!((names.first(), names.last()), (Some(&"none"), Some(&"all")));
        assert_eq!(rows.len(), layers.len() + 2);
        assert!(rows.last().unwrap().on == layers && rows.first().unwrap().on.is_empty());
    }
}
