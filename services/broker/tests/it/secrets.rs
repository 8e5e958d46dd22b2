//! Secrets at rest and in rotation.

use broker::secrets::SecretPlace;
use broker::secrets::floor::{Bounds, Floors};
use broker::secrets::place::Placement;
use broker::secrets::seal::{self, SealError};
use crypto::SecretString;
use crypto::envelope::FileKek;
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
    assert_eq!(bench.count("secrets where provider = 'hostile' and id = 'api' and record is not null").await, 2);
    assert_eq!(
        bench.count("secrets where provider = 'hostile' and id = 'api' and version = 1 and record is null").await,
        1,
        "destroyed"
    );
}

/// Seals, retires and looks as an operator does.
struct Operator<'a> {
    bench: &'a Bench,
    pool: storage::Pool,
    kek: FileKek,
}

impl<'a> Operator<'a> {
    fn of(bench: &'a Bench) -> Self {
        let pool = storage::pool(&SecretString::from(bench.database.sealer_url.clone()), 1).unwrap();
        Self { bench, pool, kek: FileKek::from_file(bench.pki.secret("broker-kek")).unwrap() }
    }

    async fn seal(&self, place: &SecretPlace, secret: &str) -> Result<u32, SealError> {
        seal::seal(self.bench.writer(&self.pool, &self.kek), place, &SecretString::from(secret)).await
    }

    async fn retire(&self, id: &str, version: u32) -> Result<usize, SealError> {
        seal::retire(self.bench.writer(&self.pool, &self.kek), &self.bench.place("hostile", id), version).await
    }
}

fn log() -> String {
    String::from_utf8(logged().lock().unwrap().clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opens_for_its_origin_and_its_place_only() {
    let bench = Bench::start().await;
    let operator = Operator::of(&bench);
    let right = bench.place("hostile", "api");
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    secret.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    for wrong in [
        SecretPlace { origin: "https://elsewhere.example".to_owned(), ..right.clone() },
        SecretPlace { placement: Placement::StandardWebhooks, ..right.clone() },
    ] {
        operator.seal(&wrong, secret).await.unwrap();
        bench.clock.advance(31);
        assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()), "{wrong:?}");
    }
    assert!(bench.hostile.seen().is_empty(), "nothing is sent");
    // Sealed for the right place, it works at once: the version before, which does not open there, is destroyed.
    operator.seal(&right, secret).await.unwrap();
    bench.clock.advance(31);
    assert_eq!(ask(&bench).await.0, 200);
    assert_eq!(bench.count("secrets where provider = 'hostile' and id = 'api' and record is not null").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_before_places_says_that_it_has_to_be_sealed_again() {
    use crypto::envelope::{self, Context};
    let bench = Bench::start().await;
    let context = Context { purpose: "provider/hostile", id: "api", version: 1, bound_to: &[] };
    let record = envelope::seal(&Operator::of(&bench).kek, &context, HOSTILE_SECRET.as_bytes()).unwrap();
    let hex = hex::encode(&record);
    bench.sql(&format!("update secrets set record = '\\x{hex}' where provider = 'hostile' and id = 'api'")).await;
    assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()));
    assert!(log().contains("bound to no place; seal the secret again"));
    bench.seal("hostile", "api", HOSTILE_SECRET).await;
    assert_eq!(ask(&bench).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_version_that_is_brought_back_is_refused() {
    for theft in [
        // The row alone, in place of the newest, by one who takes the table's guard away.
        "delete from secrets where provider = 'hostile' and id = 'api' and version = 3;
         alter table secrets disable trigger secrets_guard;
         update secrets set record = kept.record, retired_at = null from kept
         where (secrets.provider, secrets.id, secrets.version) = (kept.provider, kept.id, kept.version)",
        // The table as it was.
        "delete from secrets where provider = 'hostile'; insert into secrets select * from kept",
    ] {
        let bench = Bench::start().await;
        bench.sql("create table kept as select * from secrets where provider = 'hostile'").await;
        for secret in ["hostile_second_secret_0123456789", "hostile_third_secret_0123456789"] {
            bench.seal("hostile", "api", secret).await;
        }
        bench.sql(theft).await;
        assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()), "{theft}");
        assert!(bench.hostile.seen().is_empty(), "{theft}: the old secret is not sent");
        assert!(log().contains("version_below_floor"));
        // Sealing goes on above what the floor knows, whatever the table says.
        let next = bench.seal("hostile", "api", HOSTILE_SECRET).await;
        assert_eq!(next, 4, "no number is given twice");
        assert_eq!(ask(&bench).await.0, 200, "{theft}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_floor_no_secret_is_used_and_the_cause_is_told() {
    let bench = Bench::start().await;
    let (operator, floor) = (Operator::of(&bench), &bench.config.vault.floor_file);
    let first = std::fs::read(floor).unwrap();
    for secret in ["hostile_second_secret_0123456789", HOSTILE_SECRET] {
        bench.seal("hostile", "api", secret).await;
    }
    let right = std::fs::read(floor).unwrap();
    let mut changed = right.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (content, cause) in [
        (None, "is missing: restore it"),
        (Some(&changed), "the record does not open"),
        (Some(&first), "broker retire-secret --provider hostile --id api --version 1"),
        (Some(&right), ""),
    ] {
        match content {
            None => std::fs::remove_file(floor).unwrap(),
            Some(content) => {
                drop(std::fs::remove_file(floor));
                crypto::files::write_new_secret(floor, content).unwrap();
            }
        }
        bench.clock.advance(31);
        let expected = if cause.is_empty() { 200 } else { 503 };
        assert_eq!(ask(&bench).await.0, expected, "{cause}");
        assert!(log().contains(cause), "{cause}");
    }
    // Lost for good: the operator says for each secret what is retired, and it works again.
    std::fs::remove_file(floor).unwrap();
    bench.clock.advance(31);
    assert_eq!((operator.retire("api", 1).await.unwrap(), ask(&bench).await.0), (0, 503), "one of two is not enough");
    operator.retire("webhook", 0).await.unwrap();
    assert_eq!(ask(&bench).await.0, 200);
    assert!(matches!(operator.retire("api", 4).await, Err(SealError::Version { asked: 4, newest: 3 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn sealers_at_the_same_time_lose_no_floor() {
    let bench = std::sync::Arc::new(Bench::start().await);
    let mut sealing = tokio::task::JoinSet::new();
    for id in ["api", "webhook"] {
        for _ in 0..4 {
            let bench = std::sync::Arc::clone(&bench);
            sealing.spawn(async move { bench.seal("hostile", id, crate::bench::HOSTILE_WHSEC).await });
        }
    }
    sealing.join_all().await;
    let kek = FileKek::from_file(bench.pki.secret("broker-kek")).unwrap();
    let floors = Floors::read(&bench.config.vault.floor_file, &kek).unwrap();
    for id in ["api", "webhook"] {
        assert_eq!(floors.of(&bench.place("hostile", id)), Some(Bounds { lowest: 4, newest: 5 }), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_the_secret_that_it_carried() {
    let bench = Bench::start().await;
    let mut connections = Vec::new();
    for secret in [None, Some("hostile_second_secret_0123456789"), Some(HOSTILE_SECRET)] {
        if let Some(secret) = secret {
            bench.seal("hostile", "api", secret).await;
            secret.clone_into(&mut bench.hostile.accepts.lock().unwrap());
            bench.clock.advance(31);
        }
        assert_eq!(ask(&bench).await.0, 200);
        connections.push(bench.hostile.seen().last().unwrap().from.unwrap());
    }
    assert_eq!(connections[0], connections[1], "both versions are live: the connection is used again");
    assert_ne!(connections[1], connections[2], "the first version is destroyed, and with it what carried it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_provider_refuses_is_not_the_callers_fault() {
    let bench = Bench::start().await;
    "something_else_entirely".clone_into(&mut bench.hostile.accepts.lock().unwrap());
    assert_eq!(ask(&bench).await, (UNAVAILABLE.0, UNAVAILABLE.1.to_owned()));
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
    let log = log();
    assert!(log.contains("secret_in_answer"), "the log is there, with its alarm");
    assert!(log.len() > 10_000);
    for secret in [HOSTILE_SECRET, bearer.as_str(), bench.whsec().as_str()] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_secret_is_not_sealed() {
    let bench = Bench::start().await;
    let operator = Operator::of(&bench);
    let try_seal = async |place: SecretPlace, secret: &str| operator.seal(&place, secret).await.unwrap_err();
    let place = bench.place("hostile", "api");
    assert!(matches!(try_seal(place.clone(), "short").await, SealError::Weak));
    assert!(matches!(try_seal(place.clone(), &"x".repeat(4097)).await, SealError::Weak));
    assert!(matches!(try_seal(place.clone(), "long enough\r\nX-Injected: 1").await, SealError::Weak));
    let elsewhere = SecretPlace { provider: "../x".into(), ..place };
    assert!(matches!(try_seal(elsewhere, "long_enough_for_a_secret").await, SealError::Name));
    let webhook = bench.place("hostile", "webhook");
    assert!(matches!(try_seal(webhook, "whsec_but_this_is_not_base64").await, SealError::Webhook));
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
