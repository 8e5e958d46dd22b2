//! Whoever asks and hangs up: what was begun comes to its end, is written down, and keeps its connection's place until then.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::pki::Pki;
use crate::probe;
use crate::telemetry::{INSTALLED, all_lines};

/// Asks for `path` within the trace `trace`, and is gone before the answer. `farewell`: TLS is told; a phone that loses its
/// network, or an attacker, goes without.
async fn ask_and_hang_up(pki: &Pki, address: SocketAddr, path: &str, trace: &str, farewell: bool) {
    let config = runtime::tls::public_client(&pki.authority("public")).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n");
    let before = under_way(trace);
    let mut stream = probe::connected(&config, address).await;
    stream.write_all(head.as_bytes()).unwrap();
    // Only what has been read can be left alone.
    while under_way(trace) == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if farewell {
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    }
}

fn lines(trace: &str, message: &str) -> usize {
    let ours = |line: &Value| line["trace_id"] == trace && line["message"] == message;
    all_lines().into_iter().filter(ours).count()
}

fn under_way(trace: &str) -> usize {
    lines(trace, "begun")
}

fn done(trace: &str) -> usize {
    lines(trace, "request")
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let given_up = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < given_up, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_request_whose_caller_hangs_up_has_its_line_all_the_same() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        for (trace, farewell) in
            [("5bf92f3577b34da6a3ce929d0e0e4701", true), ("5bf92f3577b34da6a3ce929d0e0e4702", false)]
        {
            ask_and_hang_up(&pki, running.public.unwrap(), "/slow", trace, farewell).await;
            assert_eq!(done(trace), 0, "it was not gone before the answer");
            until("nothing was written down", || done(trace) > 0).await;
        }
        running.stop().await.unwrap();
    });
}

/// One place: the next caller has it when what the one before asked for is done.
#[test]
fn a_request_whose_caller_hangs_up_keeps_its_place_until_its_end() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let mut config = probe::config(&pki, "probe");
        config.common.connections = 1;
        let running = probe::start(config).await;
        let trace = "5bf92f3577b34da6a3ce929d0e0e4703";
        for round in 0..3 {
            ask_and_hang_up(&pki, running.public.unwrap(), "/slow", trace, false).await;
            assert_eq!(done(trace), round);
            let answer =
                probe::outside(&pki).get(probe::url(running.public.unwrap(), "/notes/1")).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), done(trace)), (200, round + 1), "the place was free too early");
        }
        running.stop().await.unwrap();
    });
}
