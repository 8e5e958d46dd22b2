//! An edge of its own for one test, before a stand-in of its own.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::Result;
use ladder::edge::{Behind, Site};
pub use ladder::edge::{Edge, LOG, SOURCE, Software, finding};
use serde_json::json;

use crate::missing::may_be_missing;
use crate::pki::Pki;
use crate::scene::FREE;
use crate::server::Server;

/// Other processes may take a port between its choice and its use.
const ATTEMPTS: usize = 5;

/// nginx, `ModSecurity` and the Core Rule Set; `None` after a complaint that nobody overlooks ([`may_be_missing`]; `REDOUBT_EDGE_WAIVED` goes without).
pub fn software() -> Option<Software> {
    let say = |line: &str| drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
    match Software::bring(&crate::database::work_dir(), say) {
        Ok(software) => Some(software),
        Err(reason) => {
            may_be_missing("the edge (nginx, ModSecurity, the Core Rule Set)", "REDOUBT_EDGE_WAIVED", &reason);
            None
        }
    }
}

/// Starts one on a free port, before whoever listens at `port` with a public certificate of `pki`; gives it and its port. With `rules` in the place
/// of ours, if there are any.
///
/// # Panics
///
/// It does not start.
pub fn start(software: &Software, pki: &Pki, port: u16, rules: Option<&str>) -> (Edge, u16) {
    let identity = pki.public("edge");
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        let free = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let listen = free.map(|address| address.port()).unwrap_or_default();
        let site = Site {
            certificate: &identity.certificate,
            key: &identity.key,
            authority: &pki.public_ca(),
            name: "localhost",
            services: vec![Behind { name: "standin".to_owned(), listen, port }],
            rules,
        };
        match Edge::start(software, &site) {
            Ok(edge) => return (edge, listen),
            Err(reason) => failure = reason,
        }
    }
    unreachable!("{failure}")
}

/// A service in name only: whatever reaches it, it answers 200 with what it was sent, and [`crate::waf::REACHED`]. `/refused` it answers 403, as
/// services do.
///
/// # Errors
///
/// It cannot listen.
pub async fn stand_in(pki: &Pki) -> Result<Server> {
    let routes = |config: &mut web::ServiceConfig| {
        config.default_service(web::to(reached));
    };
    Server::start(FREE, &pki.public("ledger"), None, Arc::new(routes)).await
}

async fn reached(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers =
        request.headers().iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    let headers: Vec<_> = headers.collect();
    let said = json!({"method": request.method().as_str(), "target": request.uri().to_string(), "headers": headers,
        "body": String::from_utf8_lossy(&body), "peer": request.peer_addr().map(|peer| peer.ip().to_string())});
    let mut answer = if request.path() == "/refused" { HttpResponse::Forbidden() } else { HttpResponse::Ok() };
    answer.insert_header((crate::waf::REACHED, "yes")).json(said)
}
