//! The ledger's word on payments that wait for approval, by a stand-in that lets in who shows a certificate of the house.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use api::approvals::{ApprovalQuery, Payee, PaymentShown};
use api::payees::NameCheck;
use api::{Amount, Id};
use testkit::pki::Pki;
use testkit::server::{self, Server};

use crate::world::World;

/// The payment that waits.
pub(crate) const PAYMENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub(crate) const ACCOUNT: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

/// What it says, and what it was asked.
#[derive(Default)]
pub(crate) struct Said {
    /// The payer, and what they ordered.
    pub(crate) waits: Option<(String, PaymentShown)>,
    /// It answers with this status instead.
    pub(crate) status: Option<u16>,
    /// It does not answer at all.
    pub(crate) hangs: bool,
    pub(crate) asked: Vec<String>,
}

pub(crate) struct Ledger {
    server: Option<Server>,
    pub(crate) said: Arc<Mutex<Said>>,
}

impl Ledger {
    /// Under the name of this workload.
    pub(crate) async fn start_as(name: &str) -> Self {
        let pki = Pki::create(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/auth-pki"))).unwrap();
        let said: Arc<Mutex<Said>> = Arc::default();
        let known = Arc::clone(&said);
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let said = Arc::clone(&known);
            let answer = move |request: HttpRequest, id: web::Path<Id>, query: web::Query<ApprovalQuery>| {
                answer(Arc::clone(&said), request.uri().to_string(), *id, query.into_inner())
            };
            config.route("/internal/v1/approvals/{id}", web::get().to(answer));
        });
        let server = Server::start(server::FREE, &pki.internal(name), Some(&pki.internal_ca()), routes).await.unwrap();
        Self { server: Some(server), said }
    }

    /// A world whose auth asks it.
    pub(crate) async fn world(&self) -> World {
        let url = self.server.as_ref().unwrap().url();
        World::start_with(|config| config.ledger_url = url).await
    }

    pub(crate) async fn goes_away(&mut self) {
        self.server.take().unwrap().end().await;
    }

    /// This is what waits for that payer from now on.
    pub(crate) fn says(&self, payer: &str, payment: PaymentShown) {
        self.said.lock().unwrap().waits = Some((payer.to_owned(), payment));
    }
}

async fn answer(said: Arc<Mutex<Said>>, asked: String, id: Id, query: ApprovalQuery) -> HttpResponse {
    let (waits, status, hangs) = {
        let mut said = said.lock().unwrap();
        said.asked.push(asked);
        (said.waits.clone(), said.status, said.hangs)
    };
    if hangs {
        // Longer than anybody waits, and not for ever, so that the stand-in can end.
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
    if let Some(status) = status {
        return HttpResponse::build(status.try_into().unwrap()).finish();
    }
    // As the ledger does it: one that is another's is not there.
    match waits.filter(|(payer, _)| *payer == query.subject && id.to_string() == PAYMENT) {
        Some((_, payment)) => HttpResponse::Ok().json(payment),
        None => HttpResponse::NotFound().finish(),
    }
}

/// A payment to another bank that can be approved for ten minutes.
pub(crate) fn payment(world: &World) -> PaymentShown {
    let ends = chrono::DateTime::from_timestamp(world.now() + 600, 0).unwrap();
    PaymentShown {
        id: PAYMENT.parse().unwrap(),
        from_account: ACCOUNT.parse().unwrap(),
        from_name: "Everyday".into(),
        amount: Amount::new("1250.00", "EUR"),
        payee: Payee { name: "Bäckerei Müller & Söhne".into(), account: "DE89370400440532013000".into() },
        name_check: Some(NameCheck::Match { checked_at: "2026-11-28T18:00:00.000Z".into() }),
        reference: "Invoice 4711".into(),
        expires_at: ends.to_rfc3339(),
    }
}
