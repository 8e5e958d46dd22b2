//! A payment above the low value is posted with its payer's approval of exactly it, once.

use api::approvals::{ApprovedPayment, PaymentShown};
use api::{Amount, Id};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use ledger::config::Approval;
use serde_json::{Value, json};
use testkit::authority::{Plain, Raw, Reply, SyntheticPhone};
use testkit::server;

use crate::layers::audited;
use crate::payouts::payout;
use crate::world::{IBAN, World, logged, transfer};

/// Country and last four characters are those of [`IBAN`].
const LOOKS_ALIKE: &str = "DE74370400440542013000";

/// Up to 30 euros a payment needs no approval.
async fn world() -> World {
    let low_value = [("EUR".to_owned(), "30.00".to_owned())].into();
    World::start_where(|config| config.approval = Approval::uncounted(low_value)).await
}

/// Alice with 500 euros, and an account of Bob's.
async fn people(world: &World) -> (SyntheticPhone, String, String) {
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&bob, "EUR").await);
    (alice, from, to)
}

/// The name under which the payment is to be approved.
pub(crate) fn asked(reply: &Reply) -> Id {
    assert_eq!((reply.status, reply.code()), (401, "auth.approval_required"), "{:?}", reply.body);
    let how = reply.headers["www-authenticate"].to_str().unwrap();
    assert!(how.contains("insufficient_user_authentication") && how.contains("urn:redoubt:acr:payment"), "{how}");
    reply.body["approval"].as_str().unwrap().parse().unwrap()
}

/// What auth is told of it, for this user.
pub(crate) async fn shown(world: &World, id: Id, subject: &str) -> (u16, Value) {
    let auth = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("auth"))).unwrap();
    let url = world.internal_url(&format!("/internal/v1/approvals/{id}?subject={subject}"));
    let response = auth.get(url).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// What auth puts into the token when the user has approved it.
pub(crate) async fn approved(world: &World, reply: &Reply, subject: &str) -> ApprovedPayment {
    let (status, body) = shown(world, asked(reply), subject).await;
    assert_eq!(status, 200, "{body}");
    ApprovedPayment::of(serde_json::from_value::<PaymentShown>(body).unwrap())
}

#[tokio::test]
async fn a_large_transfer_is_posted_when_its_payer_has_approved_it() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let small = world.post(&alice, "/v1/transfers", &transfer(&from, &to, "30.00")).await;
    assert_eq!(small.status, 201, "{:?}", small.body);
    let order = transfer(&from, &to, "30.01");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    let again = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    assert_eq!(asked(&first), asked(&again), "one order is asked for once");
    assert_eq!(world.balance(&alice, &from).await, "470.00", "nothing has moved");
    let (status, body) = shown(&world, asked(&first), alice.subject()).await;
    assert_eq!(status, 200);
    assert_eq!((&body["from_account"], &body["payee"]["account"]), (&json!(from), &json!(to)));
    assert_eq!(body["from_name"], "Main", "as she calls it");
    assert_eq!(
        (&body["amount"], &body["reference"]),
        (&json!({ "amount": "30.01", "currency": "EUR" }), &json!("Dinner"))
    );
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    let paid = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    assert_eq!((paid.status, paid.headers.get("idempotent-replayed")), (201, None), "{:?}", paid.body);
    // With the token or without it: the order has been decided.
    let replayed = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    alice.approve(&[]);
    let later = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    for reply in [&replayed, &later] {
        assert_eq!((reply.status, &reply.body), (201, &paid.body));
        assert_eq!(reply.headers["idempotent-replayed"], "true");
    }
    assert_eq!(world.balance(&alice, &from).await, "439.99");
    assert_eq!(shown(&world, asked(&first), alice.subject()).await.0, 404, "used up");
    assert_eq!(world.count("used_approvals").await, 1);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test]
async fn a_large_payout_is_ordered_when_its_payer_has_approved_it() {
    let world = world().await;
    let (alice, from, _) = people(&world).await;
    let order = payout(&from, "200.00");
    let first = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    let (status, body) = shown(&world, asked(&first), alice.subject()).await;
    assert_eq!(
        (status, &body["payee"]),
        (200, &json!({ "name": "Landlord Ltd", "account": IBAN })),
        "all of it, to its payer"
    );
    let payment = approved(&world, &first, alice.subject()).await;
    assert_eq!(payment.creditor_account, "DE****3000", "and in the token what others may see");
    alice.approve(&[payment]);
    // Another IBAN that looks like it: the token says the same, the fingerprint does not.
    let mut other = order.clone();
    other["creditor"]["iban"] = json!(LOOKS_ALIKE);
    let reply = world.post_with_key(&alice, "/v1/payouts", &other, "k").await;
    assert_eq!((reply.status, reply.code()), (403, "auth.forbidden"));
    let paid = world.post_with_key(&alice, "/v1/payouts", &order, "k").await;
    assert_eq!(paid.status, 201, "{:?}", paid.body);
    assert_eq!((world.count("used_approvals").await, world.count("payouts").await), (1, 1));
}

/// What is changed of an approved payment.
type Change = fn(&mut Value, &str);

#[tokio::test]
async fn any_change_of_what_was_approved_voids_it() {
    let log = logged();
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let other = world.open(&world.phone("carol").await, "EUR").await;
    let savings = world.open_with(&alice, "500.00", "EUR").await;
    let order = transfer(&from, &to, "100.00");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    let changes: [(Change, &str, &str); 5] = [
        (|order, _| order["amount"]["amount"] = json!("100.01"), "", "approved_another_payment"),
        (|order, _| order["amount"]["amount"] = json!("1.00"), "", "approved_another_payment"),
        (|order, other| order["to_account"] = json!(other), &other, "approved_another_payment"),
        (|order, other| order["from_account"] = json!(other), &savings, "approved_another_payment"),
        (|order, _| order["reference"] = json!("Other"), "", "approved_another_payment"),
    ];
    for (change, other, reason) in changes {
        let mut other_order = order.clone();
        change(&mut other_order, other);
        let reply = world.post_with_key(&alice, "/v1/transfers", &other_order, "k").await;
        assert_eq!((reply.status, reply.code()), (403, "auth.forbidden"), "{other_order}: {:?}", reply.body);
        assert_eq!(audited(log, &reply), [json!(["step_up", reason, "sub-alice"])], "{other_order}");
    }
    // The same payment as another order: it was approved under its key.
    let reply = world.post_with_key(&alice, "/v1/transfers", &order, "k-2").await;
    assert_eq!((reply.status, reply.code()), (403, "auth.forbidden"));
    assert_eq!(audited(log, &reply), [json!(["step_up", "approved_another_payment", "sub-alice"])]);
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &order, "k").await.status, 201, "as it was approved");
    assert_eq!(world.count("transfers where kind = 'transfer'").await, 1);
}

#[tokio::test]
async fn an_approval_is_its_payers_own() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let mallory = world.phone("mallory").await;
    let hers = world.open_with(&mallory, "500.00", "EUR").await;
    let first = world.post_with_key(&alice, "/v1/transfers", &transfer(&from, &to, "100.00"), "k").await;
    assert_eq!(shown(&world, asked(&first), mallory.subject()).await.0, 404);
    assert_eq!(shown(&world, asked(&first), "").await.0, 404);
    // Whatever a token says: the row is Alice's.
    let mut payment = approved(&world, &first, alice.subject()).await;
    payment.debtor_account = hers.parse().unwrap();
    mallory.approve(&[payment]);
    let theft = world.post_with_key(&mallory, "/v1/transfers", &transfer(&hers, &to, "100.00"), "k").await;
    assert_eq!((theft.status, theft.code()), (403, "auth.forbidden"));
    // Nobody is asked to approve what is not theirs.
    mallory.approve(&[]);
    let reach = world.post_with_key(&mallory, "/v1/transfers", &transfer(&from, &to, "100.00"), "k-2").await;
    assert_eq!((reach.status, reach.code()), (404, "ledger.account_not_found"));
    // Nor what cannot be paid; and that is final, as it is for small payments.
    let order = transfer(&hers, &to, "500.01");
    for replayed in [false, true] {
        let broke = world.post_with_key(&mallory, "/v1/transfers", &order, "k-3").await;
        assert_eq!((broke.status, broke.code()), (422, "ledger.insufficient_funds"));
        assert_eq!(broke.headers.contains_key("idempotent-replayed"), replayed);
    }
    assert_eq!(world.count("approvals where owner = 'sub-mallory'").await, 0);
    // And only auth is told of it.
    let operator = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("operator"))).unwrap();
    let url = world.internal_url(&format!("/internal/v1/approvals/{}?subject={}", asked(&first), alice.subject()));
    assert_eq!(operator.get(url).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn money_between_accounts_of_one_owner_needs_no_approval_and_other_currencies_always_do() {
    let world = world().await;
    let (alice, from, _) = people(&world).await;
    let savings = world.open(&alice, "EUR").await;
    let own = world.post(&alice, "/v1/transfers", &transfer(&from, &savings, "400.00")).await;
    assert_eq!(own.status, 201, "{:?}", own.body);
    let (dollars, bobs) =
        (world.open_with(&alice, "5.00", "USD").await, world.open(&world.phone("bob").await, "USD").await);
    let mut order = transfer(&dollars, &bobs, "0.01");
    order["amount"]["currency"] = json!("USD");
    asked(&world.post(&alice, "/v1/transfers", &order).await);
}

/// Orders as a phone does: again, for as long as nobody answers or a server is busy.
pub(crate) async fn answered<'a>(phone: &SyntheticPhone, url: &str, order: &Value, key: &'a str) -> (&'a str, Raw) {
    let plain = Plain {
        method: reqwest::Method::POST,
        url: url.to_owned(),
        content_type: Some("application/json".to_owned()),
        key: Some(key.to_owned()),
        body: serde_json::to_vec(order).unwrap(),
    };
    let answer = async {
        loop {
            match phone.forward(plain.clone()).await {
                Some(answer) if answer.status != 503 => return answer,
                _ => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    };
    (key, tokio::time::timeout(std::time::Duration::from_mins(2), answer).await.unwrap())
}

#[tokio::test]
async fn of_many_that_use_one_approval_at_once_one_transfer_comes_to_be() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    let beside = world.start_beside().await;
    let url = |port: u16| format!("https://localhost:{port}/v1/transfers");
    let urls = [url(world.ledger.public.unwrap().port()), url(beside.public.unwrap().port())];
    let keys = ["k", "k-2", "k-3"];
    let attempts = (0..100).map(|n| (&urls[n % 2], keys[n % keys.len()]));
    // As many at once as the machine of a test can serve in time.
    let attempts = stream::iter(attempts.map(|(url, key)| answered(&alice, url, &order, key)));
    let replies: Vec<(&str, Raw)> = attempts.buffer_unordered(24).collect().await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|(key, _)| *key == "k");
    assert!(made.iter().all(|(_, reply)| reply.status == 201), "{made:?}");
    let fresh = made.iter().filter(|(_, reply)| reply.headers.get("idempotent-replayed").is_none());
    // The first one's answer may have been lost with its connection.
    assert!(fresh.count() <= 1);
    assert!(refused.iter().all(|(_, reply)| reply.status == 403), "{refused:?}");
    assert_eq!(world.count("transfers where kind = 'transfer'").await, 1);
    assert_eq!(world.balance(&alice, &from).await, "400.00");
    beside.stop().await.unwrap();
}

#[tokio::test]
async fn an_approval_that_has_expired_pays_nothing_and_the_payment_is_asked_for_anew() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    let payment = approved(&world, &first, alice.subject()).await;
    world.sql("alter table approvals disable trigger user; update approvals set asked_at = now() - interval '20 minutes', expires_at = now() - interval '1 second'; alter table approvals enable trigger user").await;
    alice.approve(&[payment]);
    let anew = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    assert_ne!(asked(&anew), asked(&first), "with the late approval it is asked for as without one");
    assert_eq!(shown(&world, asked(&first), alice.subject()).await.0, 404);
    assert_eq!(world.count("transfers where kind = 'transfer'").await, 0);
    alice.approve(&[approved(&world, &anew, alice.subject()).await]);
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &order, "k").await.status, 201);
}

#[tokio::test]
async fn what_waits_for_approval_has_a_limit_and_the_database_counts() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let keys: Vec<String> = (0..40).map(|n| format!("k-{n}")).collect();
    let replies = join_all(keys.iter().map(|key| world.post_with_key(&alice, "/v1/transfers", &order, key))).await;
    let (kept, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 401);
    assert_eq!((kept.len(), refused.len()), (20, 20));
    for reply in refused {
        assert_eq!((reply.status, reply.code()), (422, "ledger.approval_limit_reached"));
    }
    assert_eq!(world.count("approvals").await, 20);
}

#[tokio::test]
async fn what_nobody_has_used_is_forgotten_a_day_after_it_expired() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let used = world.post_with_key(&alice, "/v1/transfers", &order, "used").await;
    alice.approve(&[approved(&world, &used, alice.subject()).await]);
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &order, "used").await.status, 201);
    alice.approve(&[]);
    let unused = world.post_with_key(&alice, "/v1/transfers", &order, "unused").await;
    world.sql("alter table approvals disable trigger user; update approvals set asked_at = now() - interval '2 days 10 minutes', expires_at = now() - interval '2 days'; alter table approvals enable trigger user").await;
    let late = world.post_with_key(&alice, "/v1/transfers", &order, "late").await;
    // By the role that serves, with the function that the job calls: it sees its subject's rows only, and none is set.
    world.sql("set role ledger_app; select forget_approvals(); reset role").await;
    assert_eq!(world.count(&format!("approvals where id = '{}'", asked(&unused))).await, 0);
    assert_eq!(world.count("approvals").await, 2, "the used one, and the one that may still be approved");
    assert_eq!(world.count(&format!("approvals where id = '{}'", asked(&late))).await, 1);
}

#[tokio::test]
async fn a_token_that_approves_two_payments_approves_none() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let payment =
        approved(&world, &world.post_with_key(&alice, "/v1/transfers", &order, "k").await, alice.subject()).await;
    let other = ApprovedPayment { instructed_amount: Amount::new("1.00", "EUR"), ..payment.clone() };
    alice.approve(&[payment, other]);
    let reply = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    assert_eq!((reply.status, reply.code()), (401, "auth.unauthorized"));
}

#[tokio::test]
async fn the_database_takes_no_approval_for_another_transfer_and_none_back() {
    let world = world().await;
    let (alice, from, to) = people(&world).await;
    let order = transfer(&from, &to, "100.00");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "k").await;
    let small = world.post(&alice, "/v1/transfers", &transfer(&from, &to, "5.00")).await;
    let (id, transfer_id) = (asked(&first), small.body["id"].as_str().unwrap());
    let row = format!(
        "select a.id, a.owner, a.operation, a.key, a.fingerprint, '{transfer_id}' from approvals a where a.id = '{id}'"
    );
    let columns = "insert into used_approvals (approval_id, owner, operation, key, fingerprint, transfer_id)";
    let error = world.sql_error(&format!("{columns} {row}")).await;
    assert!(error.contains("an approval without its transfer"), "{error}");
    alice.approve(&[approved(&world, &first, alice.subject()).await]);
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &order, "k").await.status, 201);
    for statement in [
        "delete from used_approvals",
        "update used_approvals set key = 'other'",
        "truncate used_approvals, approvals",
        "update approvals set amount = 1",
    ] {
        let error = world.sql_error(statement).await;
        assert!(!error.is_empty(), "{statement}");
    }
    let error = world.sql_error("delete from approvals").await;
    assert!(error.contains("approval_of_this_order"), "{error}");
}
