//! What the check of the books finds, when somebody has rewritten them who may.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::world::{IBAN, World};

/// Alice has a deposit, an exchange and an open payout behind her; everything has been found right.
async fn world() -> (World, String) {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let money = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    let exchange = json!({ "from_account": euro, "to_account": dollar, "amount": money("30.00") });
    assert_eq!(world.post(&alice, "/v1/exchanges", &exchange).await.status, 201);
    let creditor = json!({ "name": "Landlord Ltd", "iban": IBAN });
    let payout = json!({ "from_account": euro, "amount": money("70.00"), "creditor": creditor, "reference": "" });
    assert_eq!(world.post(&alice, "/v1/payouts", &payout).await.status, 201);
    let found = world.invariants().await;
    assert_eq!((&found["hold"], &found["transfers"], &found["entries"]), (&json!(true), &json!(3), &json!(8)));
    assert_eq!(found["checked_transfers"], 3);
    (world, euro)
}

impl World {
    /// As somebody whom no trigger stops.
    async fn rewrite(&self, statements: &str) {
        self.sql(&format!("begin; set local session_replication_role = replica; {statements}; commit")).await;
    }

    fn verify(&self) -> Output {
        let file = self.pki.dir().join("ledger.toml");
        std::fs::write(&file, runtime::config::print(&self.config).unwrap()).unwrap();
        Command::new(env!("CARGO_BIN_EXE_ledger")).args(["verify", "--config"]).arg(file).output().unwrap()
    }
}

/// Which count finds it, what is rewritten, and how it is put right again.
fn rewritings(euro: &str) -> Vec<(&'static str, String, String)> {
    let alice = format!("account_id = '{euro}'");
    let of_deposit = "transfer_id = (select id from transfers where kind = 'deposit')";
    vec![
        (
            "transfers_unlike_entries",
            "update transfers set amount = amount + 1 where kind = 'deposit'".to_owned(),
            "update transfers set amount = amount - 1 where kind = 'deposit'".to_owned(),
        ),
        (
            "transfers_unlike_entries",
            "update exchanges set bought = bought + 1".to_owned(),
            "update exchanges set bought = bought - 1".to_owned(),
        ),
        (
            "transfers_without_entries",
            format!(
                "create table kept as select * from entries where {of_deposit}; delete from entries where {of_deposit}"
            ),
            "insert into entries select * from kept; drop table kept".to_owned(),
        ),
        (
            "transfers_without_entries",
            "update head set sequence = sequence + 1".to_owned(),
            "update head set sequence = sequence - 1".to_owned(),
        ),
        (
            "unequal_accounts",
            format!("update entries set balance = balance + 1 where {alice} and version = 1"),
            format!("update entries set balance = balance - 1 where {alice} and version = 1"),
        ),
        (
            "gapped_accounts",
            format!("update entries set version = 9 where {alice} and version = 2"),
            format!("update entries set version = 2 where {alice} and version = 9"),
        ),
        (
            "gapped_accounts",
            format!(
                "insert into entries select account_id, 4, transfer_id, amount, balance, currency from entries where {alice} and version = 3"
            ),
            format!("delete from entries where {alice} and version = 4"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_rewritten_row_is_found() {
    let (world, euro) = world().await;
    for (field, rewritten, restored) in rewritings(&euro) {
        // These stand in old rows, which are read again from the beginning only.
        world.rewrite(&format!("{rewritten}; select check_books_again()")).await;
        for _ in 0..2 {
            let found = world.invariants().await;
            assert_eq!((&found["hold"], &found[field]), (&json!(false), &json!(1)), "{rewritten}: {found}");
            assert!(found["checked_transfers"].as_i64() < found["transfers"].as_i64(), "{rewritten}: {found}");
        }
        world.rewrite(&restored).await;
    }
    for (field, rewritten, restored) in [
        ("unequal_accounts", "update accounts set balance = balance + 1", "update accounts set balance = balance - 1"),
        ("gapped_accounts", "update accounts set version = version + 1", "update accounts set version = version - 1"),
    ] {
        world.rewrite(&format!("{rewritten} where id = '{euro}'")).await;
        let found = world.invariants().await;
        assert_eq!((&found["hold"], &found[field]), (&json!(false), &json!(1)), "{found}");
        assert_eq!(found["unbalanced_currencies"], i32::from(field == "unequal_accounts"), "{found}");
        world.rewrite(&format!("{restored} where id = '{euro}'")).await;
    }
    world.rewrite("update payouts set amount = amount + 1").await;
    assert_eq!(world.invariants().await["unequal_clearings"], 1);
    world.rewrite("update payouts set amount = amount - 1").await;
    let found = world.invariants().await;
    assert_eq!((&found["hold"], &found["checked_transfers"]), (&json!(true), &json!(3)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_right_is_read_again_by_verify_only() {
    let (world, euro) = world().await;
    let honest = world.verify();
    let said: Value = serde_json::from_slice(&honest.stdout).unwrap();
    assert!(honest.status.success() && said["checked_transfers"] == 3, "{said}");
    world.rewrite("update transfers set amount = amount + 1 where kind = 'deposit'").await;
    let found = world.invariants().await;
    assert_eq!((&found["hold"], &found["checked_transfers"]), (&json!(true), &json!(3)), "{found}");
    // What is new is looked at.
    assert_eq!(world.deposit("evt-2", &euro, "1.00", "EUR").await.0, 201);
    assert_eq!(world.invariants().await["checked_transfers"], 4);
    let dishonest = world.verify();
    let said: Value = serde_json::from_slice(&dishonest.stdout).unwrap();
    assert!(!dishonest.status.success() && String::from_utf8_lossy(&dishonest.stderr).contains("the books are wrong"));
    assert_eq!((&said["transfers_unlike_entries"], &said["checked_transfers"]), (&json!(1), &json!(0)));
    assert_eq!(world.invariants().await["hold"], false);
}

#[test]
fn every_subcommand_explains_itself_without_a_configuration() {
    let subcommands = [
        "serve",
        "migrate",
        "healthcheck",
        "config",
        "openapi",
        "verify",
        "restored",
        "restored list",
        "restored book",
        "restored open",
        "suspense",
        "suspense list",
        "suspense allocate",
    ];
    testkit::scene::explains_itself(env!("CARGO_BIN_EXE_ledger"), "ledger", &subcommands);
}
