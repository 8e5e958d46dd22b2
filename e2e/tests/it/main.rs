//! The edge before a stand-in: what it stops, what it lets through, and what it says of either. Where nginx, `ModSecurity` and the Core Rule Set cannot
//! be had, these tests say so, loudly, and prove nothing; where `CI` is `true` they fail, unless `REDOUBT_EDGE_WAIVED` is set. And the demonstration's
//! report and the console of `up`, in a browser.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod conformance;
mod console;
// What drives a browser stands once, beside the login pages' tests.
#[path = "../../../services/auth/tests/relying_party/drivers.rs"]
mod drivers;
mod measure;
#[path = "../../../services/auth/tests/relying_party/npm.rs"]
mod npm;
mod report;
mod requests;

use reqwest::Client;
use testkit::edge::{self, Edge, Software};
use testkit::pki::Pki;
use testkit::server::{self, Server};

/// An edge, the stand-in behind it, and a client of both.
struct Scene {
    edge: Edge,
    /// The edge's URL.
    front: String,
    stand_in: Server,
    http: Client,
    pki: Pki,
    software: Software,
}

impl Scene {
    /// `None` where there is no edge to be had.
    async fn start(rules: Option<&str>) -> Option<Self> {
        let software = edge::software()?;
        let pki = Pki::temporary().unwrap();
        let stand_in = edge::stand_in(&pki).await.unwrap();
        let (edge, port) = edge::start(&software, &pki, stand_in.address().port(), rules);
        let http = server::client(&pki.public_ca(), None).unwrap();
        Some(Self { edge, front: format!("https://localhost:{port}"), stand_in, http, pki, software })
    }

    /// The rules that found something in the request with this id.
    fn rules(&self, request_id: &str) -> Vec<u32> {
        let log = std::fs::read_to_string(self.edge.log()).unwrap();
        log.lines().filter_map(edge::finding).filter(|(id, _)| *id == request_id).map(|(_, rule)| rule).collect()
    }
}
