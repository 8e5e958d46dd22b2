//! The layer between a form and its handler: what it says of a request, and what becomes of its answer.

use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::test::TestRequest;
use futures_util::future::ready;
use runtime::Clock;

use super::*;
use crate::Access;
use crate::captcha::{Action, CaptchaConfig, Outcome, Widget};
use crate::policy::{self, Policy as _};
use crate::stores::{MemoryCounters, MemoryOnce};

const NOW: i64 = 1_800_000_000;

struct Noon;

impl Clock for Noon {
    fn unix_millis(&self) -> i64 {
        NOW * 1000
    }
}

/// A form with one field, the answer; or none, or one that cannot be read.
struct OneField(Result<Option<String>, &'static str>);

impl Forms for OneField {
    fn most(&self) -> usize {
        1000
    }

    fn read<'a>(&'a self, _: &'a Inbound) -> LocalBoxFuture<'a, Result<Option<Filled>, &'static str>> {
        let filled = |answer: &String| Filled {
            action: Action::LogIn,
            identifier: [7; 32],
            instance: None,
            answer: (!answer.is_empty()).then(|| answer.clone()),
        };
        Box::pin(ready(self.0.as_ref().map(|field| field.as_ref().map(filled)).map_err(|reason| *reason)))
    }

    fn page<'a>(&'a self, _: &'a Inbound, widget: &'a Widget) -> LocalBoxFuture<'a, Option<HttpResponse>> {
        let Widget::Work(challenge) = widget else { unreachable!("{widget:?}") };
        Box::pin(ready(Some(HttpResponse::Forbidden().body(format!("page with {challenge}")))))
    }
}

fn gate() -> Arc<Gate> {
    let config = CaptchaConfig::new("unused".into());
    let (counters, used) = (Arc::new(MemoryCounters::new(1000)), Arc::new(MemoryOnce::new(1000)));
    Arc::new(Gate::new(&config, &[1; 32], counters, used, &Noon).unwrap())
}

fn layer(gate: &Arc<Gate>, field: Result<Option<&str>, &'static str>) -> CaptchaLayer {
    CaptchaLayer::new(Arc::clone(gate), Arc::new(OneField(field.map(|field| field.map(str::to_owned)))))
}

fn request(accept: Option<&str>) -> Inbound {
    let mut request = TestRequest::post().uri("/login");
    if let Some(types) = accept {
        request = request.append_header(("accept", types));
    }
    Inbound::new(&request.to_srv_request(), "auth.example", &policy::Login::CLASS, Access::Public, NOW)
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Unknown(reason) => format!("unknown {reason}"),
        Verdict::Refuse(refusal) => format!("refuse {}", refusal.record().unwrap()),
        Verdict::Challenge(refusal) => format!("challenge {}", refusal.record().unwrap()),
    }
}

/// So many have failed from everywhere at once, as the layer counts it.
async fn failed(gate: &Gate, times: usize) -> Option<Widget> {
    let attempt = Attempt { action: Action::LogIn, address: NOWHERE, identifier: [7; 32], instance: None };
    let tried = Tried::new(attempt.into(), Level::Nothing);
    let mut last = None;
    for _ in 0..times {
        last = gate.settle(&tried, Outcome::Failed, NOW).await;
    }
    last
}

async fn looked(layer: &CaptchaLayer) -> (String, Facts) {
    let Finding { verdict, facts } = layer.examine(&request(None), &Facts::default()).await;
    (said(&verdict), facts)
}

#[actix_web::test]
async fn it_passes_what_is_no_attempt_and_not_what_it_cannot_read() {
    let gate = gate();
    failed(&gate, 3).await;
    assert_eq!(looked(&layer(&gate, Ok(None))).await.0, "pass");
    assert_eq!(looked(&layer(&gate, Err("interaction_unavailable"))).await.0, "unknown interaction_unavailable");
}

#[actix_web::test]
async fn it_asks_where_too_many_have_failed_and_honest_reasons_are_no_refusal() {
    let gate = gate();
    let (said, facts) = looked(&layer(&gate, Ok(Some("")))).await;
    assert_eq!((said.as_str(), facts.captcha.unwrap().asked), ("pass", None));
    failed(&gate, 3).await;
    let (said, facts) = looked(&layer(&gate, Ok(Some("")))).await;
    assert_eq!(said, "challenge captcha/captcha_missing");
    assert_eq!(facts.captcha.unwrap().asked, Some(Level::Captcha));
    assert_eq!(looked(&layer(&gate, Ok(Some("nonsense")))).await.0, "refuse captcha/captcha_wrong");
}

#[actix_web::test]
async fn an_answer_is_used_up_in_the_second_step_and_looking_uses_up_nothing() {
    let gate = gate();
    let Some(Widget::Work(challenge)) = failed(&gate, 3).await else { unreachable!("three are asked") };
    let answer = testkit::captcha::solve(&challenge).unwrap();
    let layer = layer(&gate, Ok(Some(&answer)));
    let mut facts = Facts::default();
    for _ in 0..2 {
        let (said, learned) = looked(&layer).await;
        assert_eq!(said, "pass");
        facts = learned;
    }
    assert_eq!(said(&layer.claim(&request(None), &facts).await.verdict), "pass");
    let again = layer.claim(&request(None), &facts).await;
    assert_eq!(said(&again.verdict), "refuse captcha/captcha_replayed");
    assert_eq!(again.facts.captcha.unwrap().asked, Some(Level::Captcha));
}

async fn shown(facts: &Facts, refused: bool, accept: Option<&str>) -> String {
    let answer = Outgoing { response: HttpResponse::Forbidden().body("problem"), refused, challenged: refused };
    let layer = layer(&gate(), Ok(Some("")));
    let shown = layer.answered(&request(accept), facts, answer).await.unwrap().response;
    String::from_utf8(actix_web::body::to_bytes(shown.into_body()).await.unwrap().to_vec()).unwrap()
}

#[actix_web::test]
async fn people_see_the_page_programs_the_problem_and_others_refusals_stay_as_they_are() {
    let attempt = Rc::new(Attempt { action: Action::LogIn, address: NOWHERE, identifier: [7; 32], instance: None });
    let asked = |level| Facts {
        captcha: Some(Tried { asked: level, ..Tried::new(Rc::clone(&attempt), Level::Nothing) }),
        ..Facts::default()
    };
    for accept in [None, Some("*/*"), Some("text/html,application/json;q=0.9")] {
        let page = shown(&asked(Some(Level::Harder)), true, accept).await;
        assert!(page.starts_with("page with {") && page.contains("\"keyPrefix\":\"000\""), "{page}");
    }
    assert_eq!(shown(&asked(Some(Level::Harder)), true, Some("application/json")).await, "problem");
    assert_eq!(shown(&asked(None), true, None).await, "problem", "another layer has refused it");
    assert_eq!(shown(&asked(Some(Level::Harder)), false, None).await, "problem", "nobody has refused it");
    assert_eq!(shown(&Facts::default(), true, None).await, "problem");
}

/// All look before the first of them fails, as in a burst.
#[actix_web::test]
async fn of_200_that_try_at_once_no_more_pass_unasked_than_would_one_after_the_other() {
    let gate = gate();
    let layer = layer(&gate, Ok(Some("")));
    let mut all = Vec::new();
    for _ in 0..200 {
        let (said, facts) = looked(&layer).await;
        assert_eq!(said, "pass");
        all.push(facts);
    }
    let asked = request(None);
    let claims = futures_util::future::join_all(all.iter().map(|facts| layer.claim(&asked, facts))).await;
    let passed = claims.iter().filter(|finding| matches!(finding.verdict, Verdict::Pass)).count();
    assert_eq!(passed, 3);
    let late = claims.last().unwrap();
    assert_eq!(said(&late.verdict), "challenge captcha/captcha_missing");
    assert_eq!(late.facts.captcha.as_ref().unwrap().asked, Some(Level::Captcha));
}

/// A try that is let pass, and what its answer is.
async fn tried(layer: &CaptchaLayer, status: u16, refused: bool, settled: Option<(&Gate, Outcome)>) {
    let (said, facts) = looked(layer).await;
    assert_eq!(said, "pass");
    assert!(matches!(layer.claim(&request(None), &facts).await.verdict, Verdict::Pass));
    if let Some((gate, outcome)) = settled {
        gate.settle(facts.captcha.as_ref().unwrap(), outcome, NOW).await;
    }
    let response = HttpResponse::new(StatusCode::from_u16(status).unwrap()).map_into_boxed_body();
    let answer = Outgoing { response, refused, challenged: false };
    layer.answered(&request(None), &facts, answer).await.unwrap();
}

#[actix_web::test]
async fn what_others_refuse_and_what_is_our_fault_costs_nothing_and_who_hangs_up_has_failed() {
    let gate = gate();
    let layer = layer(&gate, Ok(Some("")));
    for _ in 0..10 {
        tried(&layer, 429, true, None).await;
        tried(&layer, 503, false, None).await;
        // A form that was sent twice: no password was looked at.
        tried(&layer, 400, false, None).await;
        tried(&layer, 303, false, Some((&gate, Outcome::Passed))).await;
    }
    tried(&layer, 422, false, Some((&gate, Outcome::Failed))).await;
    for _ in 0..2 {
        let (said, facts) = looked(&layer).await;
        assert_eq!(said, "pass");
        // Nobody waits for the answer of this one.
        assert!(matches!(layer.claim(&request(None), &facts).await.verdict, Verdict::Pass));
    }
    assert_eq!(looked(&layer).await.0, "challenge captcha/captcha_missing");
}

/// Who has answered may go on, and each try is paid for: after eight more is asked, also of those who have looked before.
#[actix_web::test]
async fn who_answered_when_less_was_asked_answers_again() {
    let gate = gate();
    let Some(Widget::Work(challenge)) = failed(&gate, 7).await else { unreachable!("seven are asked") };
    let answer = testkit::captcha::solve(&challenge).unwrap();
    let layer = layer(&gate, Ok(Some(&answer)));
    let (said_now, facts) = looked(&layer).await;
    assert_eq!(said_now, "pass");
    failed(&gate, 1).await;
    let late = layer.claim(&request(None), &facts).await;
    assert_eq!(said(&late.verdict), "challenge captcha/captcha_easy");
    assert_eq!(late.facts.captcha.unwrap().asked, Some(Level::Harder));
}
