//! The books are frozen by whoever runs the database (docs/runbooks/freeze-the-ledger.md), and go on where they were.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::world::{World, transfer};

/// The statements of the runbook, for this database.
async fn run(world: &World, statements: &str) {
    let url = world.database().poster_url.clone();
    let name = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).unwrap();
    world.sql(&statements.replace("redoubt_ledger", name)).await;
}

const FREEZE: &str = "revoke connect on database redoubt_ledger from ledger_poster;
select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ledger_poster' and datname = 'redoubt_ledger';";
const THAW: &str = "grant connect on database redoubt_ledger to ledger_poster;";

/// Whether `ledger verify` has run, and found that the books hold: as the superuser, because the poster cannot sign in.
async fn verified(world: &World) -> (bool, bool) {
    let (config, url) = (world.config_file(), world.pki.dir().join("superuser.url"));
    std::fs::write(&url, &world.database().superuser_url).unwrap();
    std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ledger"));
    command.arg("verify").arg("--config").arg(config).env("LEDGER__POSTER_URL_FILE", url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).contains("\"hold\":true"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_ledger_moves_no_money_answers_reads_and_goes_on_where_it_was() {
    let runbook = include_str!("../../../../docs/runbooks/freeze-the-ledger.md");
    assert!(runbook.contains(FREEZE) && runbook.contains(THAW), "the runbook says what is tested");
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let from = world.open_with(&alice, "100.00", "EUR").await;
    let to = world.open(&bob, "EUR").await;
    run(&world, FREEZE).await;
    let order = transfer(&from, &to, "5.00");
    for _ in 0..3 {
        let refused = world.post_with_key(&alice, "/v1/transfers", &order, "frozen-1").await;
        assert_eq!((refused.status, refused.code()), (503, "server.busy"), "{refused:?}");
    }
    let (status, problem) = world.deposit("evt-frozen", &from, "1.00", "EUR").await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("server.busy")), "the broker keeps it, and tries again");
    assert_eq!(world.balance(&alice, &from).await, "100.00");
    let (ready, said) = world.health().await;
    assert!(ready == 503 && said.to_string().contains("as the poster"), "{said}");
    assert_eq!(verified(&world).await, (true, true), "the books are looked at meanwhile, by another role");

    run(&world, THAW).await;
    // A pool that has just failed waits a moment.
    let mut answer = world.post_with_key(&alice, "/v1/transfers", &order, "frozen-1").await;
    for _ in 0..50 {
        if answer.status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = world.post_with_key(&alice, "/v1/transfers", &order, "frozen-1").await;
    }
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!((world.balance(&alice, &from).await, world.balance(&bob, &to).await), ("95.00".into(), "5.00".into()));
    assert_eq!(world.invariants().await["hold"], true);
}
