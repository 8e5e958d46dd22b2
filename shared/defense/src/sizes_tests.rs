//! A flood from 10,000 addresses through the layers: what is remembered stays within its bounds, and takes nothing from what was there.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpMessage as _};
use runtime::contract::NoContent;
use runtime::{Clock, RequestId};

use super::*;
use crate::config::{Rate, Rates};
use crate::rate::{Allowance, Demand, Limit, Quota, SteadyClock};
use crate::stores::{Claim, Claimed, Counters as _, Once as _};
use crate::{Defense, HostLayer, Layer, Place, Public, RateLimitLayer, Routes, TrustedHops, WafLayer, policy};

const NOW: i64 = 1_800_000_000;
const ROOM: usize = 1_000;
const FLOOD: u32 = 10_000;

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        NOW * 1000
    }
}

async fn handler(_: Public) -> NoContent<204> {
    NoContent
}

fn entries(sizes: &[Size], memory: &str, class: &str) -> usize {
    sizes.iter().find(|size| size.memory == memory && size.class == class).unwrap().entries
}

#[actix_web::test]
async fn a_flood_from_10_000_addresses_keeps_every_memory_within_its_bound_and_evicts_nobody() {
    let (used, counters) = (Arc::new(MemoryOnce::new(ROOM)), Arc::new(MemoryCounters::new(ROOM)));
    let receipts = Receipts::new("test", "none".into(), "none".into());
    let memories = Memories::of(&used, &counters);
    let many = Rate { units: 1_000_000, seconds: 60 };
    let rates = Rates { address: Rate { units: 100, seconds: 86_400 }, network: many, class: many, ..Rates::default() };
    let hops = TrustedHops::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let layers: Vec<Box<dyn Layer>> = vec![
        Box::new(HostLayer::new(["api.example".to_owned()], hops)),
        Box::new(RateLimitLayer::new(Arc::<MemoryCounters>::clone(&counters), &rates, &Noon).unwrap()),
        Box::new(WafLayer),
    ];
    let defense = Defense::new(layers, Place::new("https://api.example", Arc::new(Noon), receipts.clone()));
    // What was there before: a user who has nothing left, and a proof that was used.
    let user = Limit::new("user", LimitClass::User, Quota::new(10, Duration::from_hours(24)));
    let (alice, now) = ([Demand::units(&user, b"alice", 10)], SteadyClock::of(&Noon).now());
    assert!(matches!(counters.take(&alice, now).await, Allowance::Within(_)));
    let proof = Claim { class: OnceClass::DpopProof, owner: b"alice", key: b"1", until: NOW + 60, now: NOW };
    assert_eq!(used.claim(&proof).await, Claimed::First);

    // A webhook is refused where it cannot be counted, a page is not.
    let routes = Routes::public().add(policy::Page, Method::GET, "/page", "", handler);
    let routes = routes.add(policy::Webhook, Method::GET, "/webhook", "", handler).behind(&defense).unwrap();
    let app = init_service(App::new().configure(|config| routes.configure(config))).await;
    let mut statuses = std::collections::BTreeMap::new();
    let mut most = Vec::new();
    for number in 0..FLOOD {
        let address = IpAddr::V4(Ipv4Addr::from(0xC612_0000 + number));
        let path = if number % 2 == 0 { "/page" } else { "/webhook" };
        let request = TestRequest::get().uri(path).peer_addr("127.0.0.1:1".parse().unwrap());
        let request = request.insert_header(("host", "api.example"));
        let request = request.insert_header(("x-forwarded-for", address.to_string())).to_request();
        request.extensions_mut().insert(RequestId(format!("request-{number}")));
        *statuses.entry((path, call_service(&app, request).await.status().as_u16())).or_insert(0_u32) += 1;
        if number % 1_000 == 999 {
            most.push(memories.sizes(&receipts));
        }
    }
    for sizes in &most {
        assert!(sizes.iter().all(|size| size.entries <= size.most), "{sizes:?}");
    }
    let sizes = most.last().unwrap();
    assert_eq!(entries(sizes, "counters", "address_host"), ROOM, "it is full, and no fuller");
    assert_eq!(entries(sizes, "receipts", "strangers"), 4_096);
    assert_eq!((entries(sizes, "counters", "user"), entries(sizes, "once", "dpop_proof")), (1, 1));
    // Nobody is forgotten for the flood's sake.
    assert!(matches!(counters.take(&alice, now).await, Allowance::Exceeded(_)));
    assert_eq!(used.claim(&proof).await, Claimed::Again);
    assert_eq!(used.claim(&Claim { key: b"2", ..proof }).await, Claimed::First, "nor shut out");
    // Whoever cannot be counted is refused where that matters, and told to come back: never an error of ours.
    assert!(statuses.keys().all(|(_, status)| [204, 503].contains(status)), "{statuses:?}");
    assert_eq!(statuses[&("/page", 204)], FLOOD / 2);
    assert!(statuses[&("/webhook", 503)] > FLOOD / 4, "{statuses:?}");
}
