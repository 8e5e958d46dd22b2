//! The engine in the service's own process, before the same stand-in: the real layer on the routes that have it, and the real types of what comes to them. What
//! stands before it there (tokens, signatures) would refuse these calls for other reasons, and what stands behind it (is it an IBAN? is there such an account?) too:
//! neither is here. Auth's forms and what third parties send have no such layer, so those calls arrive.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::web::{Path, Query};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, Responder, dev, web};
use anyhow::{Result, anyhow};
use api::Id;
use api::accounts::OpenAccount;
use api::attestation::{Attest, RequestChallenge};
use api::page::PageQuery;
use api::payees::PostPayee;
use api::payouts::PostPayout;
use api::transfers::PostTransfer;
use defense::config::Rates;
use defense::policy::{Charged, Class, Policy, Unknown};
use defense::stores::MemoryCounters;
use defense::{
    Defense, HostLayer, IdempotencyKey, LayerId, Place, Public, RateLimitLayer, Receipts, Routes, TrustedHops, WafLayer,
};
use futures_util::future::LocalBoxFuture;
use runtime::contract::{Described, Operation};
use runtime::{ApiJson, SystemClock};

use super::REACHED;
use crate::edge::SOURCE;
use crate::pki::Pki;
use crate::scene::FREE;
use crate::server::Server;

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

/// Says that the call has arrived.
struct Reached;

impl Described for Reached {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(200);
    }
}

impl Responder for Reached {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().insert_header((REACHED, "yes")).finish()
    }
}

/// A form, which nothing here looks into.
struct Form;

impl Described for Form {
    fn describe(operation: &mut Operation) {
        operation.takes_bytes("application/x-www-form-urlencoded", "Any.");
    }
}

impl FromRequest for Form {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async { body.await.map(|_| Self) })
    }
}

async fn transfer(_: Public, _: IdempotencyKey, _: ApiJson<PostTransfer>) -> Reached {
    Reached
}

/// Without the seal, which is the SDK's: what stands in the field travels encrypted, and no screen sees it.
async fn payee(_: Public, _: IdempotencyKey, _: ApiJson<PostPayee>) -> Reached {
    Reached
}

async fn payout(_: Public, _: IdempotencyKey, _: ApiJson<PostPayout>) -> Reached {
    Reached
}

async fn account(_: Public, _: IdempotencyKey, _: ApiJson<OpenAccount>) -> Reached {
    Reached
}

async fn list(_: Public, _: Query<PageQuery>) -> Reached {
    Reached
}

async fn one(_: Public, _: Path<Id>) -> Reached {
    Reached
}

async fn challenge(_: Public, _: ApiJson<RequestChallenge>) -> Reached {
    Reached
}

async fn attest(_: Public, _: ApiJson<Attest>) -> Reached {
    Reached
}

async fn form(_: Public, _: Form) -> Reached {
    Reached
}

fn routes() -> Routes {
    let routes = Routes::public()
        .add(Screened, Method::POST, "/v1/transfers", "", transfer)
        .add(Screened, Method::POST, "/v1/payees", "", payee)
        .add(Screened, Method::POST, "/v1/payouts", "", payout)
        .add(Screened, Method::POST, "/v1/accounts", "", account)
        .add(Screened, Method::GET, "/v1/accounts", "", list)
        .add(Screened, Method::GET, "/v1/accounts/{id}", "", one)
        .add(Screened, Method::POST, "/v1/challenges", "", challenge)
        .add(Screened, Method::POST, "/v1/attestations", "", attest);
    ["/register", "/login", "/par", "/token"]
        .into_iter()
        .fold(routes, |routes, path| routes.add(Open, Method::POST, path, "", form))
}

/// Starts it.
///
/// # Errors
///
/// It cannot listen.
pub async fn start(pki: &Pki) -> Result<Server> {
    let identity = pki.public("ledger");
    let clock = Arc::new(SystemClock);
    let rates = RateLimitLayer::new(Arc::new(MemoryCounters::new(16)), &Rates::default(), &*clock);
    let rates = rates.map_err(|wrong| anyhow!(wrong))?;
    let host = HostLayer::new(["localhost".to_owned()], TrustedHops::new(vec![format!("{SOURCE}/32").parse()?]));
    let receipts = Receipts::new("ledger", identity.certificate.clone(), identity.key.clone());
    let place = Place::new("https://localhost", clock, receipts);
    let defense = Defense::new(vec![Box::new(host), Box::new(rates), Box::new(WafLayer)], place);
    let defended = routes().behind(&defense)?;
    let configure = move |config: &mut web::ServiceConfig| {
        runtime::configure_extractors(config);
        defended.configure(config);
    };
    Server::start(FREE, &identity, None, Arc::new(configure)).await
}
