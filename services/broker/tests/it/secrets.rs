//! Secrets at rest and in rotation.

use crypto::SecretString;
use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use crate::bench::{Bench, HOSTILE_SECRET, logged};

async fn ask(bench: &Bench) -> (u16, String) {
    let (status, answer) = bench.call("hostile/good", json!({})).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

const UNAVAILABLE: (u16, &str) = (503, "broker.upstream_unavailable");

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_moved_or_rolled_back_record_does_not_open() {
    let tampering = [
        "update secrets set record = set_byte(record, length(record) - 1, get_byte(record, length(record) - 1) # 1) where provider = 'hostile'",
        "update secrets set record = set_byte(record, 60, get_byte(record, 60) # 128) where provider = 'hostile'",
        "update secrets set record = (select record from secrets where provider = 'sandbox-bank' and id = 'api') where provider = 'hostile'",
        "update secrets set version = 2 where provider = 'hostile'",
        "update secrets set record = ''::bytea where provider = 'hostile'",
        "delete from secrets where provider = 'hostile'",
    ];
    for statement in tampering {
        let bench = Bench::start().await;
        bench.sql(statement).await;
        assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()), "{statement}");
        assert!(bench.hostile.seen().is_empty(), "{statement}: nothing is sent without the secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_is_noticed_by_a_running_broker_within_its_cache_time() {
    let bench = Bench::start().await;
    assert_eq!(ask(&bench).await.0, 200);
    bench.sql("update secrets set record = null, retired_at = now() where provider = 'hostile'").await;
    assert_eq!(ask(&bench).await.0, 200, "within the cache's time");
    bench.clock.advance(31);
    assert_eq!(ask(&bench).await.0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_costs_no_call_whichever_side_is_first() {
    let bench = Bench::start().await;
    assert_eq!(ask(&bench).await.0, 200);
    // We seal first; the provider still takes the old one only.
    let second = "hostile_second_secret_0123456789";
    assert_eq!(bench.seal("hostile", "api", second).await, 2);
    bench.clock.advance(31);
    let before = bench.hostile.seen().len();
    assert_eq!(ask(&bench).await.0, 200);
    let used: Vec<_> =
        bench.hostile.seen().split_off(before).into_iter().filter_map(|seen| seen.authorization).collect();
    assert_eq!(
        used,
        [format!("Bearer {second}"), format!("Bearer {HOSTILE_SECRET}")],
        "the newest first, then the other"
    );
    // The provider switches.
    second.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    assert_eq!(ask(&bench).await.0, 200);
    // The provider is first: the broker still has the cached versions, is refused, and looks again.
    let third = "hostile_third_secret_0123456789";
    third.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    assert_eq!(bench.seal("hostile", "api", third).await, 3);
    bench.clock.advance(2);
    assert_eq!(ask(&bench).await.0, 200);
    assert_eq!(bench.count("secrets where provider = 'hostile' and record is not null").await, 2);
    assert_eq!(
        bench.count("secrets where provider = 'hostile' and version = 1 and record is null").await,
        1,
        "destroyed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_provider_refuses_is_not_the_callers_fault() {
    let bench = Bench::start().await;
    "something_else_entirely".clone_into(&mut bench.hostile.accepts.lock().unwrap());
    assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_role_cannot_write_what_it_reads() {
    let bench = Bench::start().await;
    let app = storage::pool(&SecretString::from(bench.database.app_url.clone()), 1).unwrap();
    for statement in [
        "insert into secrets values ('x', 'y', 1, '\\x00', now(), null)",
        "update secrets set record = '\\x00'",
        "delete from secrets",
        "truncate secrets",
        "drop table secrets",
        "delete from webhook_inbox",
        "update webhook_inbox set event_id = 'x'",
        "update webhook_inbox set digest = '\\x00'",
        "create table x (y int)",
    ] {
        let refused = storage::connection(&app).await.unwrap().batch_execute(statement).await;
        assert!(refused.is_err(), "{statement}");
    }
    storage::connection(&app).await.unwrap().batch_execute("select * from secrets").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_logged() {
    let bench = Bench::start().await;
    assert_eq!(ask(&bench).await.0, 200);
    for how in ["echo", "fail", "not-json"] {
        bench.clock.advance(11);
        drop(bench.call("hostile/ask", json!({ "how": how })).await);
    }
    let bearer = std::fs::read_to_string(bench.pki.secret("partner-bearer")).unwrap();
    let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
    assert!(log.contains("secret_in_answer"), "the log is there, with its alarm");
    assert!(log.len() > 10_000);
    for secret in [HOSTILE_SECRET, bearer.as_str(), bench.whsec().as_str()] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_secret_is_not_sealed() {
    use broker::secrets::seal::{self, Name, SealError};
    let bench = Bench::start().await;
    let pool = storage::pool(&SecretString::from(bench.database.migrator_url.clone()), 1).unwrap();
    let kek = crypto::envelope::FileKek::from_file(bench.pki.secret("broker-kek")).unwrap();
    let now = chrono::DateTime::from_timestamp(0, 0).unwrap();
    let try_seal = |provider: &'static str, secret: &'static str| {
        let (pool, kek) = (&pool, &kek);
        async move { seal::seal(pool, kek, Name { provider, id: "x" }, &SecretString::from(secret), now).await.unwrap_err() }
    };
    assert!(matches!(try_seal("hostile", "short").await, SealError::Weak));
    assert!(matches!(try_seal("hostile", "long enough\r\nX-Injected: 1").await, SealError::Weak));
    assert!(matches!(try_seal("../x", "long_enough_for_a_secret").await, SealError::Name));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_can_be_undone_and_done_again() {
    use runtime::Service as _;
    let bench = Bench::start().await;
    let url = SecretString::from(bench.database.migrator_url.clone());
    let migrations = || broker::Broker::migrations().unwrap();
    let undone = storage::revert(&url, migrations()).await.unwrap();
    assert!(undone > 0);
    assert_eq!(storage::migrate(&url, migrations()).await.unwrap(), undone);
}
