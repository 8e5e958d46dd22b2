//! A payment that its payer has to approve: what is pushed, which token goes with which call, and whose word it takes.

use std::sync::atomic::Ordering;

use api::Id;
use api::approvals::PaymentToApprove;
use api::problem::code;
use crypto::random;
use mobile_sdk::{Client, Error, IdempotencyKey, StepUp};
use serde_json::json;

use super::backend::{BackendState, Fault, Signed, Switches};
use super::calls::{started, transfer};
use super::phone::Phone;
use super::server::{Reply, Request};
use super::world::Backend;

/// What is asked about at this backend.
pub(super) const LARGE: &str = "5000.00";
/// What is asked about there because the phone is new, and until when it is.
const FOR_OLD_PHONES: &str = "4000.00";
const UNTIL: &str = "2026-11-29T21:00:00.000Z";
const PAYMENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

impl BackendState {
    /// The token of a payment that the person at the authorization endpoint has approved.
    pub(super) fn approval(&self, details: &str) -> Reply {
        let [PaymentToApprove { identifier, .. }] = serde_json::from_str(details).unwrap();
        let token = random::token(32);
        self.approved.lock().unwrap().insert(token.clone(), identifier);
        let answer = json!({ "access_token": token, "token_type": self.switches.token_type.unwrap_or("DPoP"), "expires_in": 120 });
        Reply::json(200, &answer)
    }

    /// The refusal of a large payment that comes with no approval.
    pub(super) fn asks(&self, request: &Request) -> Option<Reply> {
        let token = request.header("authorization").unwrap().strip_prefix("DPoP ").unwrap();
        let body: api::transfers::PostTransfer = request.json();
        let payment: Id = PAYMENT.parse().unwrap();
        let approved = self.approved.lock().unwrap().get(token) == Some(&payment);
        let new_until = match body.amount.amount.as_str() {
            LARGE => None,
            FOR_OLD_PHONES => Some(UNTIL.to_owned()),
            _ => return None,
        };
        if approved {
            let refused =
                |until| api::Problem { new_until: Some(until), ..api::Problem::new(422, code::INSTANCE_COOLING_OFF) };
            return new_until.map(|until| Reply::json(422, &refused(until)));
        }
        let problem = api::Problem::new(401, code::APPROVAL_REQUIRED);
        let problem = api::Problem { approval: Some(payment), new_until, ..problem };
        let how = r#"DPoP error="insufficient_user_authentication", acr_values="urn:redoubt:acr:payment""#;
        Some(Reply::json(401, &problem).with("www-authenticate", how))
    }
}

async fn asked(client: &Client, key: &IdempotencyKey) -> StepUp {
    let answer = client.transfer(&transfer(LARGE), key).await;
    let step_up =
        if let Err(Error::ApprovalRequired(step_up)) = &answer { Some(step_up.as_ref().clone()) } else { None };
    assert!(step_up.is_some(), "{answer:?}");
    step_up.unwrap()
}

#[tokio::test]
async fn a_large_payment_is_approved_and_then_made_under_its_key() {
    let (backend, client) = started(Signed::Yes).await;
    let key = IdempotencyKey::new();
    let step_up = asked(&client, &key).await;
    assert_eq!(step_up, StepUp { payment: PAYMENT.parse().unwrap(), key: key.as_str().to_owned(), new_until: None });
    assert_eq!(backend.state.attempts.lock().unwrap()[key.as_str()], 1, "it is no credential that was refused");
    client.approve(&step_up).await.unwrap();
    let pushed = backend.state.last_push.lock().unwrap().clone();
    assert_eq!(pushed["scope"], "transfers:write payouts:write");
    let details = format!(r#"[{{"type":"payment_initiation","identifier":"{PAYMENT}"}}]"#);
    assert_eq!(pushed["authorization_details"], details);
    client.transfer(&transfer(LARGE), &key).await.unwrap();
    // Another payment does not travel under it, and ordinary calls go on with the ordinary token.
    assert_eq!(asked(&client, &IdempotencyKey::new()).await.payment, step_up.payment);
    client.accounts().await.unwrap();
    client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await.unwrap();
    assert_eq!(backend.state.refreshes.load(Ordering::SeqCst), 0);
}

/// What is asked about because the phone is new says so, and so does the refusal of what was approved with too little.
#[tokio::test]
async fn a_new_phone_is_told_until_when_it_is_new() {
    let (backend, client) = started(Signed::Yes).await;
    let key = IdempotencyKey::new();
    let answer = client.transfer(&transfer(FOR_OLD_PHONES), &key).await;
    let Err(Error::ApprovalRequired(step_up)) = answer else { panic!("{answer:?}") };
    assert_eq!(step_up.new_until.as_deref(), Some(UNTIL));
    client.approve(&step_up).await.unwrap();
    let refused = client.transfer(&transfer(FOR_OLD_PHONES), &key).await.unwrap_err();
    assert_eq!(refused, Error::NewPhone { until: UNTIL.to_owned() });
    assert_eq!((refused.code().as_str(), refused.is_retryable()), (code::INSTANCE_COOLING_OFF, false));
    assert_eq!(backend.state.attempts.lock().unwrap()[key.as_str()], 2, "and neither is sent again by itself");
}

#[tokio::test]
async fn an_approval_ends_with_its_time_and_with_the_login() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let key = IdempotencyKey::new();
    client.approve(&asked(&client, &key).await).await.unwrap();
    backend.state.elapsed.store(600, Ordering::SeqCst);
    phone.offset.store(600, Ordering::SeqCst);
    asked(&client, &key).await;
    client.approve(&asked(&client, &key).await).await.unwrap();
    client.logout().await.unwrap();
    assert_eq!(client.transfer(&transfer(LARGE), &key).await, Err(Error::LoginRequired));
    client.login().await.unwrap();
    asked(&client, &key).await;
}

/// The person is asked anew, and not held up until it expires.
#[tokio::test]
async fn an_approval_that_is_asked_for_in_spite_of_it_is_not_sent_again() {
    let (backend, client) = started(Signed::Yes).await;
    let fault = |fault| backend.state.faults.lock().unwrap().push(fault);
    let key = IdempotencyKey::new();
    client.approve(&asked(&client, &key).await).await.unwrap();
    fault(Fault::SignedProblem(401, code::APPROVAL_REQUIRED));
    assert!(client.transfer(&transfer(LARGE), &key).await.is_err());
    client.approve(&asked(&client, &key).await).await.unwrap();
    // Who only stands on the way cannot have it dropped, nor does another order that was refused with it: the next attempt still comes with it.
    fault(Fault::Problem(403, code::FORBIDDEN));
    client.transfer(&transfer(LARGE), &key).await.unwrap();
    fault(Fault::SignedProblem(403, code::FORBIDDEN));
    let refused = client.transfer(&transfer(LARGE), &key).await.unwrap_err();
    assert_eq!(refused.code(), code::FORBIDDEN);
    client.transfer(&transfer(LARGE), &key).await.unwrap();
}

#[tokio::test]
async fn the_demand_is_believed_when_it_is_signed() {
    let (backend, client) = started(Signed::Yes).await;
    for how in [Signed::No, Signed::Forged] {
        *backend.state.faults.lock().unwrap() = vec![Fault::Sign(how); 9];
        let answer = client.transfer(&transfer(LARGE), &IdempotencyKey::new()).await;
        assert!(!matches!(answer, Err(Error::ApprovalRequired(_))), "{how:?}: {answer:?}");
        backend.state.faults.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn a_person_may_say_no_and_a_bearer_token_is_refused() {
    let backend = Backend::start(Switches::default());
    let denied = backend.tampered(|url| {
        let mut url = url;
        url.query_pairs_mut().append_pair("error", "access_denied");
        url
    });
    let (_, honest) = backend.logged_in().await;
    let step_up = asked(&honest, &IdempotencyKey::new()).await;
    let phone = Phone::new(denied);
    let client = Client::new(backend.config(), phone.platform()).unwrap();
    client.enroll().await.unwrap();
    assert_eq!(client.approve(&step_up).await.unwrap_err().code(), "oauth.access_denied");
    let backend = Backend::start(Switches { token_type: Some("Bearer"), ..Switches::default() });
    let phone = Phone::new(backend.browser());
    let client = Client::new(backend.config(), phone.platform()).unwrap();
    client.enroll().await.unwrap();
    assert_eq!(client.approve(&step_up).await, Err(Error::Malformed("token_type")));
}
