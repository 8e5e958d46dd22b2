//! Start and end: ports, draining, background work.

use std::sync::Arc;
use std::time::Duration;

use runtime::SystemClock;
use runtime::config::Database;

use crate::pki::Pki;
use crate::probe::{self, Probe};

#[tokio::test]
async fn a_port_in_use_is_named_with_the_next_command() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let mut second = probe::config(&pki, "probe");
    second.common.internal.listen = running.internal;
    let message = format!("{:#}", runtime::start::<Probe>(second, Arc::new(SystemClock)).await.err().unwrap());
    let port = running.internal.port();
    assert!(message.starts_with(&format!("port {port} is in use")), "{message}");
    assert!(message.contains("ss -ltnp") && message.contains("PROBE__INTERNAL__LISTEN"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_finished_before_the_end() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let (client, url) = (probe::outside(&pki), probe::url(running.public.unwrap(), "/slow"));
    let slow = tokio::spawn(client.get(&url).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::timeout(Duration::from_secs(5), running.stop()).await.unwrap().unwrap();
    assert_eq!(slow.await.unwrap().unwrap().status(), 204);
    assert!(client.get(&url).send().await.is_err(), "it still listens");
}

/// 22 s in all, and there are three that do not listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_comes_in_time_whatever_hangs() {
    let pki = Pki::new();
    let mut config = probe::config(&pki, "probe");
    config.deaf = 3;
    let running = probe::start(config).await;
    let stuck = tokio::spawn(probe::outside(&pki).get(probe::url(running.public.unwrap(), "/stuck")).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::timeout(Duration::from_secs(22), running.stop()).await.expect("it does not end").unwrap();
    assert_eq!(stuck.await.unwrap().unwrap().status(), 503);
}

#[tokio::test]
async fn background_work_that_ends_by_itself_is_noticed() {
    let pki = Pki::new();
    let mut config = probe::config(&pki, "probe");
    config.doomed = true;
    let mut running = probe::start(config).await;
    let reason = tokio::time::timeout(Duration::from_secs(2), running.failed()).await.unwrap();
    assert_eq!(reason, "probe work failed: told to fail");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn routes_and_listeners_must_match() {
    let pki = Pki::new();
    let mut config = probe::config(&pki, "probe");
    config.common.public = None;
    let message = format!("{:#}", runtime::start::<Probe>(config, Arc::new(SystemClock)).await.err().unwrap());
    assert_eq!(message, "probe needs a [public] section in its configuration");
}

#[tokio::test]
async fn a_process_that_serves_must_not_know_the_owners_url() {
    let pki = Pki::new();
    let mut config = probe::config(&pki, "probe");
    let (url_file, migrator_url_file) = ("app.url".into(), Some("migrator.url".into()));
    config.common.database = Some(Database { url_file, migrator_url_file, max_connections: 1 });
    let message = format!("{:#}", runtime::start::<Probe>(config, Arc::new(SystemClock)).await.err().unwrap());
    assert!(message.contains("must not know database.migrator_url_file"), "{message}");
    assert!(message.contains("PROBE__DATABASE__MIGRATOR_URL_FILE"), "{message}");
}

#[tokio::test]
async fn a_database_that_would_be_reached_in_the_clear_ends_the_start_with_the_key_and_the_remedy() {
    let pki = Pki::new();
    for (number, url) in ["postgres://app:hunter2@db.example/x", "postgres://app:hunter2@10.0.0.7/x?sslmode=disable"]
        .into_iter()
        .enumerate()
    {
        let mut config = probe::config(&pki, "probe");
        let url_file = std::env::temp_dir().join(format!("redoubt-clear-{}-{number}", crypto::random::token(9)));
        crypto::files::write_new_secret(&url_file, url.as_bytes()).unwrap();
        config.common.database =
            Some(Database { url_file: url_file.clone(), migrator_url_file: None, max_connections: 1 });
        let message = format!("{:#}", runtime::start::<Probe>(config, Arc::new(SystemClock)).await.err().unwrap());
        std::fs::remove_file(url_file).unwrap();
        assert!(message.contains("database.url_file"), "{message}");
        assert!(message.contains("add sslmode=verify-full&sslrootcert=FILE to the URL"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
