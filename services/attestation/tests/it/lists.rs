//! The revocation list: what it refuses, when it is read, and what is done without a good one.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use attestation::config::{Config, Mode, TestRoots};
use attestation::evidence::policy::AppleEnvironment;
use runtime::Clock as _;
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;
use testkit::pki::Pki;

use crate::world::{Phone, World, with_list};

/// As nobody but genuine phones sees it.
fn in_production(config: &mut Config) {
    config.policy.mode = Mode::Production;
    config.policy.test_roots = TestRoots::default();
    config.policy.apple.as_mut().unwrap().environment = AppleEnvironment::Production;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_believes_no_emulated_phone() {
    let list = r#"{"entries":{}}"#;
    let world = World::with(|config| {
        with_list(config, list);
        in_production(config);
    })
    .await;
    for phone in [Phone::android(&world, DeviceProfile::genuine()), Phone::ios(&world, IosProfile::genuine())] {
        let (reply, _) = phone.enroll(&world).await;
        assert_eq!(world.verdict(&reply).await, ["chain.root_untrusted"]);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_is_too_old_or_from_the_future_stops_android_and_says_so() {
    for fetched in [1_700_000_000, 4_000_000_000] {
        stops_android(fetched).await;
    }
}

async fn stops_android(fetched: u64) {
    let world = World::with(|config| {
        let file = with_list(config, r#"{"entries":{}}"#);
        let fetched = UNIX_EPOCH + Duration::from_secs(fetched);
        File::options().write(true).open(&file).unwrap().set_modified(fetched).unwrap();
        in_production(config);
    })
    .await;
    let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
    assert_eq!(reply.problem(), (503, "server.busy", ""));
    assert!(reply.headers.contains_key("retry-after"));
    assert_eq!(Phone::ios(&world, IosProfile::genuine()).enroll(&world).await.0.status, 201);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_list_takes_effect_and_a_broken_one_does_not() {
    let mut path = None;
    let world = World::with(|config| {
        let file = with_list(config, r#"{"entries":{"f92009e853b6b045":{"status":"SUSPENDED"}}}"#);
        File::options().write(true).open(&file).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        config.revocation.reload_seconds = 1;
        path = Some(file);
    })
    .await;
    let root = pem_subject_serial(&world.pki);
    let list = |serial: &str| {
        format!(r#"{{"entries":{{"f92009e853b6b045":{{"status":"REVOKED"}},"{serial}":{{"status":"REVOKED"}}}}}}"#)
    };
    let enrolled = async || {
        let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
        world.verdict(&reply).await
    };
    let (path, before) = (path.unwrap(), enrolled().await);
    std::fs::write(&path, list(&root)).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((before, enrolled().await), (vec![], vec!["chain.revoked".to_owned()]), "{root}");
    std::fs::write(&path, r#"{"entries":{"#).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(2)).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(enrolled().await, ["chain.revoked"], "the last good list stays");
    world.stop().await;
}

/// Two lists of one second are two lists; and an entry that nobody understands drops neither itself nor the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_same_second_takes_effect_and_an_odd_entry_is_listed() {
    let mut path = None;
    let write = |file: &Path, list: &str, millis: u64| {
        std::fs::write(file, list).unwrap();
        let modified = UNIX_EPOCH + Duration::from_millis(millis);
        File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
    };
    let world = World::with(|config| {
        let list = r#"{"entries":{"1f":{"status":"REVOKED"}}}"#;
        let file = with_list(config, list);
        write(&file, list, 1_000);
        config.revocation.reload_seconds = 1;
        path = Some(file);
    })
    .await;
    let (root, path) = (pem_subject_serial(&world.pki), path.unwrap());
    let enrolled = async || {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
        world.verdict(&reply).await
    };
    assert_eq!(enrolled().await, Vec::<String>::new());
    write(&path, &format!("\u{feff}{{\"entries\":{{\"1f\":{{\"status\":\"NEW\"}},\"{root}\":{{}}}}}}"), 1_500);
    assert_eq!(enrolled().await, ["chain.revoked"], "half a second later");
    write(&path, r#"{"entries":{"1f":{"status":"REVOKED"}}}"#, 1_500);
    assert_eq!(enrolled().await, Vec::<String>::new(), "the same time, another size");
    world.stop().await;
}

/// An empty list is a valid one, and nobody's successor.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_lost_its_entries_does_not_replace_a_full_one() {
    let mut path = None;
    let world = World::with(|config| {
        let file = with_list(config, r#"{"entries":{"1f":{"status":"REVOKED"}}}"#);
        config.revocation.reload_seconds = 1;
        path = Some(file);
    })
    .await;
    let (root, path) = (pem_subject_serial(&world.pki), path.unwrap());
    let enrolled = async |entries: &[&str]| {
        let entries: Vec<_> = entries.iter().map(|serial| format!(r#""{serial}":{{"status":"REVOKED"}}"#)).collect();
        std::fs::write(&path, format!(r#"{{"entries":{{{}}}}}"#, entries.join(","))).unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let (reply, _) = Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await;
        world.verdict(&reply).await
    };
    assert_eq!(enrolled(&["1f", "2f", &root]).await, ["chain.revoked"]);
    assert_eq!(enrolled(&[]).await, ["chain.revoked"], "empty");
    assert_eq!(enrolled(&["1f"]).await, ["chain.revoked"], "a third");
    assert_eq!(enrolled(&["3f", "4f", "5f", "6f"]).await, ["chain.revoked"], "a longer one, of others");
    assert_eq!(enrolled(&["1f", "2f"]).await, Vec::<String>::new(), "one entry was taken back");
    assert_eq!(enrolled(&["1f", &root]).await, ["chain.revoked"], "as many, of those there were");
    assert_eq!(enrolled(&["1f"]).await, ["chain.revoked"], "half of that, and a third of the longest");
    world.stop().await;
}

/// What stays is as old as it is, whatever the date of the file that was not taken; so in production somebody has to look.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_stays_grows_old() {
    let mut path = None;
    let world = World::with(|config| {
        let file = with_list(config, r#"{"entries":{"1f":{"status":"REVOKED"}}}"#);
        config.revocation.reload_seconds = 1;
        in_production(config);
        path = Some(file);
    })
    .await;
    let path = path.unwrap();
    let status = async |list: &str| {
        std::fs::write(&path, list).unwrap();
        let fetched = UNIX_EPOCH + Duration::from_secs(world.clock.unix().unsigned_abs());
        File::options().write(true).open(&path).unwrap().set_modified(fetched).unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Phone::android(&world, DeviceProfile::genuine()).enroll(&world).await.0.status
    };
    world.clock.advance(71 * 3600);
    assert_eq!(status(r#"{"entries":{}}"#).await, 201);
    world.clock.advance(2 * 3600);
    assert_eq!(status(r#"{"entries":{}}"#).await, 503);
    assert_eq!(status(r#"{"entries":{"1f":{"status":"REVOKED"},"2f":{"status":"REVOKED"}}}"#).await, 201, "a good one");
    world.stop().await;
}

/// The test root's serial number as the list would spell it.
fn pem_subject_serial(pki: &Pki) -> String {
    let root = pki.google_test_root().unwrap().certificate_pem;
    let der: String = root.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = crypto::b64::decode_standard(&der).unwrap();
    let certificate = attestation::evidence::chain::Certificate::parse(&der).unwrap();
    hex::encode(certificate.serial()).trim_start_matches('0').to_owned()
}
