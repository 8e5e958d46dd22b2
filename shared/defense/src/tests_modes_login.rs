//! The same for the layer *captcha*, which stands where people log in and nowhere else: so it has a loop of its own, before a form with one field.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse};
use futures_util::future::{LocalBoxFuture, ready};

use super::*;
use runtime::contract::NoContent;

use crate::captcha::{Action, Attempt, CaptchaConfig, Filled, Forms, Gate, NOWHERE, Outcome, Tried, Widget};
use crate::stores::{MemoryCounters, MemoryOnce};
use crate::{CaptchaLayer, Public};

const CLASS: [LayerId; 3] = [LayerId::Host, LayerId::RateLimit, LayerId::Captcha];
/// Whose login is attacked.
const VICTIM: [u8; 32] = [7; 32];
const SOLVED: &str = "x-solved";

/// The answer is a header field. There is no page, so a refusal stays one.
struct Form;

impl Forms for Form {
    fn most(&self) -> usize {
        1000
    }

    fn read<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Result<Option<Filled>, &'static str>> {
        let answer = request.single(SOLVED).map(str::to_owned);
        Box::pin(ready(Ok(Some(Filled { action: Action::LogIn, identifier: VICTIM, instance: None, answer }))))
    }

    fn page<'a>(&'a self, _: &'a Inbound, _: &'a Widget) -> LocalBoxFuture<'a, Option<HttpResponse>> {
        Box::pin(ready(None))
    }
}

/// A service where people log in, and a login at which three have failed.
struct Login {
    defense: Defense,
    receipts: Receipts,
    challenge: String,
}

impl Login {
    async fn with(modes: impl IntoIterator<Item = (LayerId, Mode)>) -> Self {
        let (counters, used) = (Arc::new(MemoryCounters::new(1000)), Arc::new(MemoryOnce::new(1000)));
        let gate = Gate::new(&CaptchaConfig::new("unused".into()), &[1; 32], counters, used, &Stopped).unwrap();
        let attempt = Attempt { action: Action::LogIn, address: NOWHERE, identifier: VICTIM, instance: None };
        let level = gate.level(&attempt).await.unwrap();
        let tried = Tried::new(Rc::new(attempt), level);
        let mut widget = None;
        for _ in 0..3 {
            widget = gate.settle(&tried, Outcome::Failed, NOW).await;
        }
        let Some(Widget::Work(challenge)) = widget else { unreachable!("three failures are asked") };
        let layers: Vec<Box<dyn Layer>> = vec![
            Box::new(HostLayer::new(["api.example".to_owned()], TrustedHops::default())),
            Box::new(RateLimitLayer::new(Arc::new(MemoryCounters::new(1_000)), &Rates::default(), &Stopped).unwrap()),
            Box::new(CaptchaLayer::new(Arc::new(gate), Arc::new(Form))),
        ];
        let receipts = Receipts::new("test", "none".into(), "none".into());
        let mut place = Place::new("https://api.example:7003", Arc::new(Stopped), receipts.clone());
        place.modes = Modes::new(&modes.into_iter().collect()).unwrap();
        Self { defense: Defense::new(layers, place), receipts, challenge }
    }

    /// With one layer alone.
    async fn only(layer: LayerId) -> Self {
        Self::with(CLASS.into_iter().filter(|other| *other != layer).map(|other| (other, Mode::Off))).await
    }

    /// Somebody tries the login again, with an answer or without one.
    async fn tries(&self, answer: Option<&str>) -> (u16, Receipt) {
        let routes = Routes::public().add(policy::Login, Method::POST, "/login", "", logged_in);
        let routes = routes.behind(&self.defense).unwrap();
        let app = init_service(App::new().configure(|config| routes.configure(config)).wrap(from_fn(named))).await;
        // Without an address, as the challenge was given: the layers' own tests are about those.
        let request = TestRequest::post().uri("/login").insert_header(("host", "api.example"));
        let request = answer.into_iter().fold(request, |request, answer| request.insert_header((SOLVED, answer)));
        let status = call_service(&app, request.to_request()).await.status().as_u16();
        (status, self.receipts.last().unwrap())
    }

    fn solved(&self) -> String {
        testkit::captcha::solve(&self.challenge).unwrap()
    }
}

async fn logged_in(_: Public) -> NoContent<200> {
    NoContent
}

#[actix_web::test]
async fn captcha_stops_its_attack_alone_and_the_honest_twin_passes() {
    let login = Login::only(LayerId::Captcha).await;
    let (status, receipt) = login.tries(None).await;
    assert_eq!((status, stopped_by(&receipt)), (403, Some("captcha")), "{receipt:?}");
    let (status, receipt) = login.tries(Some(&login.solved())).await;
    assert_eq!((status, stopped_by(&receipt)), (200, None), "{receipt:?}");
}

#[actix_web::test]
async fn where_captcha_is_missing_its_attack_meets_no_other_layer() {
    let login = Login::with([(LayerId::Captcha, Mode::Off)]).await;
    let (status, receipt) = login.tries(None).await;
    // Behind it stands the block of the login, which is the handler's.
    assert_eq!((status, stopped_by(&receipt)), (200, None), "{receipt:?}");
    let (status, _) = login.tries(Some(&login.solved())).await;
    assert_eq!(status, 200);
    let login = Login::with([]).await;
    let (status, receipt) = login.tries(None).await;
    assert_eq!((status, stopped_by(&receipt)), (403, Some("captcha")), "{receipt:?}");
}

#[actix_web::test]
async fn captcha_in_shadow_writes_down_what_it_would_have_refused_and_uses_nothing_up() {
    let login = Login::with([(LayerId::Captcha, Mode::Shadow)]).await;
    let (status, receipt) = login.tries(None).await;
    assert_eq!((status, stopped_by(&receipt)), (200, None), "{receipt:?}");
    assert!(receipt.layers.iter().any(|line| line.layer == "captcha" && line.would_stop_it()), "{receipt:?}");
    let answer = login.solved();
    for _ in 0..2 {
        let (status, receipt) = login.tries(Some(&answer)).await;
        assert!(status == 200 && !receipt.layers.iter().any(crate::receipts::Line::would_stop_it), "{receipt:?}");
    }
}
