//! The engine in the service's own process, before the same stand-in: the real layer on the routes that have it, and the real types of what comes to them. What
//! stands before it there (tokens, signatures) would refuse these calls for other reasons, and what stands behind it (is it an IBAN? is there such an account?) too:
//! neither is here. Auth's forms and what third parties send have no such layer, so those calls arrive.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{Path, Query};
use actix_web::{HttpResponse, web};
use api::Id;
use api::accounts::OpenAccount;
use api::attestation::{Attest, RequestChallenge};
use api::page::PageQuery;
use api::payouts::PostPayout;
use api::transfers::PostTransfer;
use defense::config::Rates;
use defense::policy::{Charged, Class, Policy, Unknown};
use defense::stores::MemoryCounters;
use defense::{
    Defense, HostLayer, IdempotencyKey, LayerId, Place, Public, RateLimitLayer, Receipts, Routes, TrustedHops, WafLayer,
};
use runtime::{ApiJson, Refusal, SystemClock, with_refusals};
use testkit::edge::SOURCE;
use testkit::pki::Pki;
use testkit::scene::FREE;
use testkit::server::Server;
use testkit::waf::REACHED;

/// Of the layers before what phones send, those that are about its text.
struct Screened;
/// The same before what has no screen.
struct Open;

const fn class(name: &'static str, layers: &'static [LayerId]) -> Class {
    Class { name, layers, unknown: Unknown::Refuse, cost: 1, charged: Charged::Nobody }
}

impl Policy for Screened {
    const CLASS: Class = class("screened", &[LayerId::Host, LayerId::Waf]);
}

impl Policy for Open {
    const CLASS: Class = class("open", &[LayerId::Host]);
}

type Answer = Result<HttpResponse, Refusal>;

fn reached() -> Answer {
    Ok(HttpResponse::Ok().insert_header((REACHED, "yes")).finish())
}

async fn transfer(_: Public, _: IdempotencyKey, _: ApiJson<PostTransfer>) -> Answer {
    reached()
}

/// Without the seal, which is the SDK's: what stands in the field travels encrypted, and no screen sees it.
async fn payout(_: Public, _: IdempotencyKey, _: ApiJson<PostPayout>) -> Answer {
    reached()
}

async fn account(_: Public, _: IdempotencyKey, _: ApiJson<OpenAccount>) -> Answer {
    reached()
}

async fn list(_: Public, _: Query<PageQuery>) -> Answer {
    reached()
}

async fn one(_: Public, _: Path<Id>) -> Answer {
    reached()
}

async fn challenge(_: Public, _: ApiJson<RequestChallenge>) -> Answer {
    reached()
}

async fn attest(_: Public, _: ApiJson<Attest>) -> Answer {
    reached()
}

async fn form(_: Public, _: web::Bytes) -> Answer {
    reached()
}

fn routes() -> Routes {
    let routes = Routes::public()
        .add(Screened, Method::POST, "/v1/transfers", "", with_refusals(transfer))
        .add(Screened, Method::POST, "/v1/payouts", "", with_refusals(payout))
        .add(Screened, Method::POST, "/v1/accounts", "", with_refusals(account))
        .add(Screened, Method::GET, "/v1/accounts", "", with_refusals(list))
        .add(Screened, Method::GET, "/v1/accounts/{id}", "", with_refusals(one))
        .add(Screened, Method::POST, "/v1/challenges", "", with_refusals(challenge))
        .add(Screened, Method::POST, "/v1/attestations", "", with_refusals(attest));
    ["/register", "/login", "/par", "/token"]
        .into_iter()
        .fold(routes, |routes, path| routes.add(Open, Method::POST, path, "", with_refusals(form)))
}

/// Starts it.
pub(crate) async fn start(pki: &Pki) -> Server {
    let identity = pki.public("ledger");
    let clock = Arc::new(SystemClock);
    let rates = RateLimitLayer::new(Arc::new(MemoryCounters::new(16)), &Rates::default(), &*clock).unwrap();
    let host =
        HostLayer::new(["localhost".to_owned()], TrustedHops::new(vec![format!("{SOURCE}/32").parse().unwrap()]));
    let receipts = Receipts::new("ledger", identity.certificate.clone(), identity.key.clone());
    let place = Place::new("https://localhost", clock, receipts);
    let defense = Defense::new(vec![Box::new(host), Box::new(rates), Box::new(WafLayer)], place);
    let defended = routes().behind(&defense).unwrap();
    let configure = move |config: &mut web::ServiceConfig| defended.configure(config);
    Server::start(FREE, &identity, None, Arc::new(configure)).await.unwrap()
}
