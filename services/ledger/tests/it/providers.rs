//! Who carries payouts out and who publishes rates: the configuration's matter, and nothing else's.

use ledger::config::{Config, Payouts, RateSource};
use serde_json::{Value, json};

use crate::world::{World, operations, problem, rates_of, until};

/// New payouts go to `nordbank`, whose operations have names of their own.
fn to_nordbank(config: &mut Config) {
    "nordbank".clone_into(&mut config.payout_provider);
    config.payout_providers.insert("nordbank".to_owned(), operations("send_transfer", "find_transfer"));
}

fn ask_soon(config: &mut Config) {
    config.payouts = Payouts { poll_ms: 50, ask_after_ms: 100, ..Payouts::default() };
}

impl World {
    async fn told(&self, provider: &str, event: &str, payout: &str) -> (u16, Value) {
        let body = json!({ "provider": provider, "event_id": event, "payout_id": payout, "status": "paid" });
        self.as_broker("/internal/v1/payout-events", &body).await
    }

    async fn attempts(&self, payout: &str) -> i64 {
        self.count(&format!("generate_series(1, (select attempts from payouts where id = '{payout}'))")).await
    }

    async fn of_provider(&self, provider: &str) -> i64 {
        self.count(&format!("payouts where provider = '{provider}'")).await
    }
}

#[tokio::test]
async fn a_payout_goes_to_the_partner_that_the_configuration_names() {
    let world = World::start_where(to_nordbank).await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    let id = world.order(&alice, &account, "700.00").await;
    until(|| async { world.payout_status(&alice, &id).await == "submitted" }).await;
    assert_eq!(world.broker.calls("nordbank/send_transfer").len(), 1);
    assert_eq!((world.broker.calls("create_payout").len(), world.of_provider("nordbank").await), (0, 1));
    // The word of another partner is none.
    assert_eq!(world.told("sandbox-bank", "e-1", &id).await.0, 404);
    assert_eq!(world.told("nordbank", "e-1", &id).await.0, 200);
    assert_eq!(world.payout_status(&alice, &id).await, "paid");
}

#[tokio::test]
async fn a_payout_stays_with_the_partner_that_it_was_ordered_from() {
    let mut world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "1000.00", "EUR").await;
    world.broker.answers.lock().unwrap().payout = problem(504, "server.outcome_unknown");
    let id = world.order(&alice, &account, "700.00").await;
    until(|| async { !world.broker.calls("sandbox-bank/create_payout").is_empty() }).await;
    world.broker.answers.lock().unwrap().standing = problem(422, "broker.upstream_refused");

    // Its partner is not configured any more: nobody else is asked, and what is unknown stays unknown.
    world
        .start_again_where(|config| {
            to_nordbank(config);
            ask_soon(config);
            config.payout_providers.remove("sandbox-bank");
        })
        .await;
    let alice = world.phone("alice").await;
    let attempts = world.attempts(&id).await;
    until(|| async { world.attempts(&id).await > attempts }).await;
    assert_eq!(world.payout_status(&alice, &id).await, "unknown");
    assert_eq!(world.balance(&alice, &account).await, "300.00");
    assert!(
        world.broker.calls("nordbank/find_transfer").is_empty()
            && world.broker.calls("nordbank/send_transfer").is_empty()
    );

    // It is again, beside the one that gets new payouts.
    let asked = world.broker.calls("sandbox-bank/payout_status").len();
    world
        .start_again_where(|config| {
            let bank = operations("create_payout", "payout_status");
            config.payout_providers.insert("sandbox-bank".to_owned(), bank);
        })
        .await;
    world.broker.answers.lock().unwrap().standing = (200, json!({ "result": { "id": "po_1", "outcome": "paid" } }));
    let alice = world.phone("alice").await;
    until(|| async { world.payout_status(&alice, &id).await == "paid" }).await;
    assert!(world.broker.calls("sandbox-bank/payout_status").len() > asked);
    world.order(&alice, &account, "100.00").await;
    until(|| async { !world.broker.calls("nordbank/send_transfer").is_empty() }).await;
    assert_eq!((world.of_provider("sandbox-bank").await, world.of_provider("nordbank").await), (1, 1));
}

#[tokio::test]
async fn an_exchange_says_who_published_its_rate_whoever_does_later() {
    let source = |name: &str| RateSource {
        provider: "nordbank".to_owned(),
        operation: "fixing".to_owned(),
        published_by: name.to_owned(),
    };
    let mut world = World::start_where(|config| config.rates = source("Bank of the North")).await;
    world.broker.answers.lock().unwrap().bank = Some(Box::new(|_, _| rates_of(0)));
    let alice = world.phone("alice").await;
    let (euro, dollar) = (world.open_with(&alice, "500.00", "EUR").await, world.open(&alice, "USD").await);
    let body =
        json!({ "from_account": euro, "to_account": dollar, "amount": { "amount": "33.33", "currency": "EUR" } });
    let first = world.post_with_key(&alice, "/v1/exchanges", &body, "k").await;
    assert_eq!((first.status, &first.body["rate_source"]), (201, &json!("Bank of the North")), "{:?}", first.body);
    assert_eq!(world.broker.calls("nordbank/fixing").len(), 1);
    world.start_again_where(|config| config.rates = source("Bank of the South")).await;
    let alice = world.phone("alice").await;
    let again = world.post_with_key(&alice, "/v1/exchanges", &body, "k").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let next = world.post_with_key(&alice, "/v1/exchanges", &body, "k2").await;
    assert_eq!(next.body["rate_source"], json!("Bank of the South"));
}
