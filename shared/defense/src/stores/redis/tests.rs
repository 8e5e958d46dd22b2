use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use testkit::pki::{Identity, Pki};
use testkit::redis::Server as Redis;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::super::OnceClass;
use super::*;
use crate::rate::{Limit, LimitClass, Quota};

pub(super) const NOW: i64 = 1_800_000_000;
const HOUR: Duration = Duration::from_hours(1);
const HOST: Limit = Limit::new("host", LimitClass::AddressHost, Quota::new(30, HOUR));
const USER: Limit = Limit::new("user", LimitClass::User, Quota::new(10, HOUR));
const LOGIN: Limit = Limit::new("login", LimitClass::Identifier, Quota::new(5, HOUR));
const ALL: Limit = Limit::new("all", LimitClass::Global, Quota::new(100, HOUR));
const NEVER: Moment = Moment::unix_millis(0);

fn unconnected(server: &Redis, capacity: usize) -> RedisStore {
    let (url, name_key) = (server.url().into(), SecretBytes::new(vec![7; 32]));
    RedisStore::open(&Settings { url, tls: None, service: "ledger", name_key, capacity }).unwrap()
}

pub(crate) async fn store(server: &Redis, capacity: usize) -> RedisStore {
    let mut store = unconnected(server, capacity);
    store.link.deadline = Duration::from_secs(10);
    timeout(Duration::from_secs(10), store.connected()).await.unwrap();
    store
}

/// One whose time is what its caller says.
pub(crate) async fn by_our_clock(server: &Redis, capacity: usize) -> RedisStore {
    RedisStore { by_our_clock: true, ..store(server, capacity).await }
}

pub(super) async fn raw(server: &Redis) -> redis::aio::MultiplexedConnection {
    redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn claim(store: &RedisStore, class: OnceClass, owner: &str, key: &str) -> Claimed {
    store.claim(&Claim { class, owner: owner.as_bytes(), key: key.as_bytes(), until: NOW + 60, now: NOW }).await
}

async fn takes(store: &RedisStore, demands: &[Demand<'_>]) -> bool {
    match store.take(demands, NEVER).await {
        Allowance::Within(_) => true,
        Allowance::Exceeded(_) => false,
        Allowance::Unknown(reason) => unreachable!("{reason}"),
    }
}

/// A few at a time, each of which then keeps its deadline.
async fn in_turn<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(calls).buffered(8).collect().await
}

#[tokio::test]
async fn a_key_is_used_once_by_its_owner_in_its_class_whichever_process_asks() {
    let Some(server) = testkit::redis::start() else { return };
    let (one, other) = (store(&server, 1_000).await, store(&server, 1_000).await);
    assert_eq!(claim(&one, OnceClass::DpopProof, "alice", "1").await, Claimed::First);
    assert_eq!(claim(&other, OnceClass::DpopProof, "alice", "1").await, Claimed::Again);
    assert_eq!(claim(&other, OnceClass::DpopProof, "bob", "1").await, Claimed::First);
    assert_eq!(claim(&other, OnceClass::SignatureNonce, "alice", "1").await, Claimed::First);
    let expired = Claim { class: OnceClass::Webhook, owner: b"partner", key: b"1", until: NOW - 1, now: NOW };
    assert_eq!(one.claim(&expired).await, Claimed::Again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_claims_of_three_processes_one_is_the_first() {
    let Some(server) = testkit::redis::start() else { return };
    let stores = [store(&server, 1_000).await, store(&server, 1_000).await, store(&server, 1_000).await];
    let claims = (0..300).map(|n| claim(&stores[n % 3], OnceClass::DpopProof, "alice", "1"));
    let claims = join_all(claims).await;
    assert_eq!(claims.iter().filter(|claimed| **claimed == Claimed::First).count(), 1);
    assert_eq!(claims.iter().filter(|claimed| **claimed == Claimed::Again).count(), 299);
}

#[tokio::test]
async fn who_fills_a_class_or_an_owners_part_takes_nothing_from_others() {
    let Some(server) = testkit::redis::start() else { return };
    let store = store(&server, 160).await;
    assert_eq!(claim(&store, OnceClass::DpopProof, "alice", "1").await, Claimed::First);
    let flood: Vec<_> = (0..1_000).map(|n| n.to_string()).collect();
    let of_one = in_turn(flood.iter().map(|key| claim(&store, OnceClass::DpopProof, "flood", key))).await;
    assert_eq!(of_one.iter().filter(|claimed| **claimed == Claimed::First).count(), 10, "a sixteenth");
    assert_eq!(claim(&store, OnceClass::DpopProof, "bob", "1").await, Claimed::First);
    let of_many = in_turn(flood.iter().map(|owner| claim(&store, OnceClass::DpopProof, owner, "1"))).await;
    assert_eq!(of_many.iter().filter(|claimed| **claimed == Claimed::First).count(), 160 - 12);
    assert_eq!(of_many.last(), Some(&Claimed::Unknown("once_memory_full")));
    assert_eq!(claim(&store, OnceClass::DpopProof, "alice", "1").await, Claimed::Again, "not forgotten");
    assert_eq!(claim(&store, OnceClass::SignatureNonce, "alice", "1").await, Claimed::First, "not blocked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_meet_not_one_demand_more_than_there_are_units() {
    let Some(server) = testkit::redis::start() else { return };
    let stores = [store(&server, 1_000).await, store(&server, 1_000).await, store(&server, 1_000).await];
    let met = Arc::new(AtomicUsize::new(0));
    let tasks = stores.into_iter().enumerate().flat_map(|(index, store)| {
        let (store, met) = (Arc::new(store), Arc::clone(&met));
        (0..8).map(move |task| {
            let (store, met) = (Arc::clone(&store), Arc::clone(&met));
            tokio::spawn(async move {
                let user = format!("user-{}", (index * 8 + task) % 6);
                for _ in 0..60 {
                    let demands = [Demand::units(&ALL, b"", 1), Demand::units(&USER, user.as_bytes(), 1)];
                    met.fetch_add(usize::from(takes(&store, &demands).await), Ordering::Relaxed);
                }
            })
        })
    });
    assert!(join_all(tasks.collect::<Vec<_>>()).await.iter().all(Result::is_ok));
    // Six users of ten each are fewer than the hundred of all.
    assert_eq!(met.load(Ordering::Relaxed), 60);
    let store = store(&server, 1_000).await;
    assert!(takes(&store, &[Demand::units(&ALL, b"", 40)]).await, "what was refused took nothing of the others");
    assert!(!takes(&store, &[Demand::units(&ALL, b"", 1)]).await);
}

#[tokio::test]
async fn nothing_personal_lies_in_it_and_all_of_it_expires() {
    let Some(server) = testkit::redis::start() else { return };
    let store = store(&server, 1_000).await;
    claim(&store, OnceClass::DpopProof, "alice", "proof").await;
    assert!(takes(&store, &[Demand::units(&USER, b"alice", 1), Demand::units(&HOST, b"192.0.2.1", 1)]).await);
    let mut raw = raw(&server).await;
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.unwrap();
    keys.sort();
    assert_eq!(
        keys,
        [
            "redoubt:{ledger}:limits:address_host",
            "redoubt:{ledger}:limits:user",
            "redoubt:{ledger}:once:dpop_proof",
            "redoubt:{ledger}:owners:dpop_proof",
        ]
    );
    for key in keys {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut raw).await.unwrap();
        assert!(
            !["alice", "proof", "192.0.2.1"].iter().any(|text| dump.windows(text.len()).any(|w| w == text.as_bytes()))
        );
        let ends: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await.unwrap();
        let most = if key.contains("limits") { 60_000 + 360_001 } else { 60_000 + 71_000 };
        assert!((1..=most).contains(&ends), "{key} ends in {ends}");
    }
}

#[tokio::test]
async fn a_class_of_limits_is_bounded_and_goes_on_counting_what_it_has() {
    let Some(server) = testkit::redis::start() else { return };
    let store = store(&server, 100).await;
    let alice = Demand::units(&LOGIN, b"alice", 1);
    assert!(takes(&store, &[alice]).await);
    let keys: Vec<_> = (0..1_000_usize).map(usize::to_be_bytes).collect();
    let flood = keys.iter().map(|key| async { store.take(&[Demand::units(&LOGIN, key, 1)], NEVER).await });
    let flood = in_turn(flood).await;
    assert_eq!(flood.iter().filter(|allowance| matches!(allowance, Allowance::Within(_))).count(), 99);
    assert_eq!(flood.last(), Some(&Allowance::Unknown("counters_full")));
    assert!(takes(&store, &[Demand::units(&LOGIN, b"alice", 4)]).await && !takes(&store, &[alice]).await);
    let bob = [Demand::units(&USER, b"bob", 1), Demand::units(&LOGIN, b"bob", 1)];
    assert_eq!(store.take(&bob, NEVER).await, Allowance::Unknown("counters_full"));
    assert!(takes(&store, &[Demand::units(&USER, b"bob", 10)]).await, "nothing was taken");
    assert_eq!(store.charge(&[Demand::units(&LOGIN, b"bob", 1)], NEVER).await, Err("counters_full"));
    let above = [Demand::units(&USER, b"carol", 11)];
    assert_eq!(store.take(&above, NEVER).await, Allowance::Unknown("demand_above_quota"));
}

#[tokio::test]
async fn a_server_that_was_told_to_forget_its_scripts_learns_them_again() {
    let Some(server) = testkit::redis::start() else { return };
    let store = store(&server, 1_000).await;
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw(&server).await).await.unwrap();
    assert!(takes(&store, &[Demand::units(&USER, b"alice", 1)]).await);
    assert_eq!(claim(&store, OnceClass::DpopProof, "alice", "1").await, Claimed::First);
}

#[tokio::test]
async fn a_server_that_is_gone_costs_a_moment_and_is_found_again() {
    let Some(mut server) = testkit::redis::start() else { return };
    let store = store(&server, 1_000).await;
    let alice = [Demand::units(&USER, b"alice", 1)];
    assert!(takes(&store, &alice).await);
    server.kill();
    let began = Instant::now();
    for _ in 0..100 {
        assert!(matches!(store.take(&alice, NEVER).await, Allowance::Unknown("store_away" | "store_failed")));
        assert!(matches!(claim(&store, OnceClass::DpopProof, "a", "1").await, Claimed::Unknown(_)));
        assert!(store.charge(&alice, NEVER).await.is_err());
    }
    // The deadlines of all would be thirty.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(store.ready().unwrap_err().contains("the shared store: "));
    server.restart().unwrap();
    timeout(Duration::from_secs(10), store.connected()).await.unwrap();
    assert!(takes(&store, &alice).await && store.ready().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_those_who_asked_at_once_and_nobody_after_them() {
    let Some(server) = testkit::redis::start() else { return };
    let mut store = store(&server, 1_000).await;
    let alice = [Demand::units(&USER, b"alice", 1)];
    assert!(takes(&store, &alice).await);
    store.link.deadline = unconnected(&server, 1).link.deadline;
    server.hang();
    let began = Instant::now();
    let held = join_all((0..50).map(|_| store.take(&alice, NEVER))).await;
    assert!(held.iter().all(|allowance| *allowance == Allowance::Unknown("store_late")), "{held:?}");
    // The rest is the machine's, beside other tests; one after the other they would have taken five seconds.
    assert!(store.link.deadline <= Duration::from_millis(100) && began.elapsed() < Duration::from_secs(1));
    let began = Instant::now();
    for _ in 0..1_000 {
        assert!(matches!(store.take(&alice, NEVER).await, Allowance::Unknown(_)));
    }
    // Held, they would have taken a hundred.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    server.go_on();
    timeout(Duration::from_secs(10), store.connected()).await.unwrap();
    store.link.deadline = Duration::from_secs(10);
    // What had reached it was done when it went on: of alice's units none are left, and nobody was told.
    assert!(takes(&store, &[Demand::units(&USER, b"bob", 1)]).await && !takes(&store, &alice).await);
}

#[tokio::test]
async fn a_server_that_would_forget_what_counts_is_not_used() {
    let Some(server) = testkit::redis::start() else { return };
    let mut raw = raw(&server).await;
    for setting in [["maxmemory", "100mb"], ["maxmemory-policy", "volatile-ttl"]] {
        let () = redis::cmd("CONFIG").arg("SET").arg(&setting).query_async(&mut raw).await.unwrap();
    }
    let store = unconnected(&server, 1_000);
    assert_eq!(store.take(&[Demand::left(&USER, b"alice")], NEVER).await, Allowance::Unknown("store_away"));
    let told = async {
        while !store.ready().unwrap_err().contains("noeviction") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), told).await.unwrap();
    let () =
        redis::cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("noeviction").query_async(&mut raw).await.unwrap();
    timeout(Duration::from_secs(10), store.connected()).await.unwrap();
    // And one that is full says so.
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").query_async(&mut raw).await.unwrap();
    assert_eq!(claim(&store, OnceClass::DpopProof, "alice", "1").await, Claimed::Unknown("store_failed"));
    let told = store.ready().unwrap_err();
    assert!(told.contains("OOM") || told.contains("memory"), "{told}");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let Some(server) = testkit::redis::start() else { return };
    let (scheme, place) = server
        .url()
        .split_once("//:")
        .map(|(s, rest)| (s.to_owned(), rest.split_once('@').unwrap().1.to_owned()))
        .unwrap();
    let url = format!("{scheme}//:not-the-password@{place}").into();
    let settings =
        Settings { url, tls: None, service: "ledger", name_key: SecretBytes::new(vec![7; 32]), capacity: 10 };
    let store = RedisStore::open(&settings).unwrap();
    let told = async {
        while store.ready().unwrap_err().contains("not connected yet") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), told).await.unwrap();
    let told = store.ready().unwrap_err();
    assert!(told.to_lowercase().contains("password") && !told.contains("not-the-password"), "{told}");
    let opened = RedisStore::open(&Settings { url: "http://x".to_owned().into(), ..settings });
    assert!(matches!(opened, Err(SettingsError::Url(_))));
    let (url, name_key) = (server.url().into(), SecretBytes::new(vec![7; 31]));
    let opened = RedisStore::open(&Settings { url, tls: None, service: "ledger", name_key, capacity: 10 });
    assert!(matches!(opened, Err(SettingsError::NameKey(31))));
}

/// TLS in front of a Redis, as a server that terminates it would have it.
async fn behind_tls(server: &Redis, pki: &Pki) -> (String, JoinHandle<()>) {
    let Identity { certificate, key } = pki.internal("broker");
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(runtime::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (before, port) = server.url().rsplit_once(':').map(|(b, p)| (b.to_owned(), p.parse::<u16>().unwrap())).unwrap();
    let url = format!("{before}:{}", listener.local_addr().unwrap().port()).replace("127.0.0.1", "localhost");
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(stream).await else { continue };
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await.map(drop) });
        }
    });
    (url, serving)
}

#[tokio::test]
async fn behind_tls_it_must_prove_that_it_is_the_one() {
    let Some(server) = testkit::redis::start() else { return };
    let pki = Pki::temporary().unwrap();
    let (url, serving) = behind_tls(&server, &pki).await;
    let open = |authority: PathBuf| {
        let tls = Some(Arc::new(runtime::tls::public_client(&authority).unwrap()));
        let (url, name_key) = (url.clone().into(), SecretBytes::new(vec![7; 32]));
        RedisStore::open(&Settings { url, tls, service: "ledger", name_key, capacity: 10 }).unwrap()
    };
    let mut store = open(pki.internal_ca());
    store.link.deadline = Duration::from_secs(10);
    timeout(Duration::from_secs(10), store.connected()).await.unwrap();
    assert!(takes(&store, &[Demand::units(&USER, b"alice", 1)]).await);
    let deceived = open(pki.public_ca());
    let told = async {
        while !deceived.ready().unwrap_err().contains("certificate") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), told).await.unwrap();
    serving.abort();
}
