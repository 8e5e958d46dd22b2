//! What others make of `openapi.json`, with a running ledger: a client whose types are made from it, and a fuzzer that holds every answer against it. Where node
//! and npm, or Python and pip, cannot be had, these tests say so, loudly, and prove nothing; where `CI` is `true` they fail, unless `REDOUBT_NPM_WAIVED`
//! or `REDOUBT_PIP_WAIVED` is set.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::fuzz::{self, Fuzzed};
use testkit::missing::may_be_missing;
use testkit::signing::SigningProxy;
use testkit::tools;

use crate::world::World;

const PLACE: &str = env!("CARGO_TARGET_TMPDIR");
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// Runs a program beside what it speaks to.
async fn said(mut command: Command) -> Result<String, String> {
    tokio::task::spawn_blocking(move || tools::said(&mut command)).await.unwrap()
}

fn node(folder: &Path, program: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(folder.join("node_modules").join(program)).current_dir(folder);
    node
}

#[tokio::test]
async fn a_client_whose_types_are_made_from_the_document_reads_a_statement() {
    let readers = tokio::task::spawn_blocking(|| tools::contract_readers(Path::new(PLACE))).await.unwrap();
    let readers = match readers {
        Ok(readers) => readers,
        Err(reason) => return may_be_missing("npm's openapi-typescript", "REDOUBT_NPM_WAIVED", &reason),
    };
    // node and tsc look for packages beside the program and above.
    let folder = readers.join(crypto::random::token(9));
    std::fs::create_dir(&folder).unwrap();
    for name in ["statement.ts", "tsconfig.json"] {
        std::fs::copy(Path::new(FILES).join(name), folder.join(name)).unwrap();
    }
    let mut made = node(&readers, "openapi-typescript/bin/cli.js");
    made.arg(DOCUMENT).arg("--output").arg(folder.join("ledger.d.ts"));
    said(made).await.unwrap();
    let mut compiled = node(&readers, "typescript/bin/tsc");
    compiled.arg("--project").arg(&folder);
    said(compiled).await.unwrap();

    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open(&alice, "EUR").await;
    for (event, amount) in [("1", "10.00"), ("2", "2.50"), ("3", "0.01")] {
        assert_eq!(world.deposit(event, &account, amount, "EUR").await.0, 201);
    }
    let proxy = SigningProxy::start(alice, &world.url("")).await.unwrap();
    let mut program = Command::new("node");
    program.arg(folder.join("statement.js")).args([&proxy.url(), "EUR"]);
    let text = said(program).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();

    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["account"]["id"], &lines[0]["account"]["balance"]["amount"]),
        (&account.into(), &"12.51".into())
    );
    let amounts: Vec<&str> = lines[0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["amount"]["amount"].as_str().unwrap())
        .collect();
    assert_eq!(amounts, ["0.01", "2.50", "10.00"]);
    assert_eq!((&lines[1]["status"], &lines[1]["code"]), (&400.into(), &"request.invalid".into()));
}

#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_say() {
    let world = World::start_where(|config| config.max_accounts_per_owner = 100_000).await;
    let alice = world.phone("alice").await;
    let (from, to) = (world.open_with(&alice, "1000000.00", "EUR").await, world.open(&alice, "EUR").await);
    let proxy = SigningProxy::start(alice, &world.url("")).await.unwrap();
    let fuzzed = Fuzzed {
        service: "ledger",
        place: PLACE,
        url: &proxy.url(),
        environment: &[("LEDGER_ACCOUNTS", format!("{from},{to}"))],
        arguments: &[],
    };
    if fuzz::holds(fuzzed).await {
        assert!(world.count("transfers where kind = 'transfer'").await > 0, "money has moved");
    }
}
