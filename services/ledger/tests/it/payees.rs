//! `/v1/payees`: added, read, listed and removed; and that a payout goes to one of them.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::authority::{Reply, SyntheticPhone};

use crate::database::{BOB, Books, refused};
use crate::layers::audited;
use crate::world::{IBAN, World, iban, logged};
use crate::writing::{CARLA, payout, transfer};

impl World {
    /// Adds a payee; answers its id.
    pub(crate) async fn add_payee(&self, phone: &SyntheticPhone, name: &str, iban: &str) -> String {
        let reply = self.post(phone, "/v1/payees", &json!({ "name": name, "iban": iban })).await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        reply.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn remove_payee(&self, phone: &SyntheticPhone, id: &str) -> Reply {
        phone.send(Method::POST, &self.url(&format!("/v1/payees/{id}/removal")), None).await
    }

    pub(crate) async fn pay(&self, phone: &SyntheticPhone, from: &str, payee: &str, amount: &str, key: &str) -> Reply {
        self.post_with_key(phone, "/v1/payouts", &order(from, payee, amount), key).await
    }
}

fn order(from: &str, payee: &str, amount: &str) -> Value {
    json!({ "from_account": from, "amount": { "amount": amount, "currency": "EUR" }, "payee_id": payee, "reference": "Rent" })
}

/// Alice with 100 euros.
async fn alice() -> (World, SyntheticPhone, String) {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    (world, alice, account)
}

fn not_found(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (404, "ledger.payee_not_found"), "{:?}", reply.body);
}

#[tokio::test]
async fn a_payee_is_added_read_listed_and_removed() {
    let log = logged();
    let world = World::start().await;
    // Who has no account yet can say whom to pay.
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.add_payee(&alice, &format!("Payee {n}"), &iban(n)).await);
    }
    world.add_payee(&bob, "Carol", &iban(0)).await;
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&alice, &format!("/v1/payees?limit=2{after}")).await.body;
        listed
            .extend(page["payees"].as_array().unwrap().iter().map(|payee| payee["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(listed, ["Payee 0", "Payee 1", "Payee 2", "Payee 3", "Payee 4"]);
    let path = format!("/v1/payees/{}", ids[1]);
    let one = world.get(&alice, &path).await;
    assert_eq!((one.status, &one.body["name"], one.body.get("removed_at")), (200, &json!("Payee 1"), None));
    for reply in [world.get(&bob, &path).await, world.remove_payee(&bob, &ids[1]).await] {
        not_found(&reply);
        assert_eq!(audited(log, &reply), [json!(["authorization", "not_visible", "sub-bob"])]);
    }
    let (removed, again) = (world.remove_payee(&alice, &ids[1]).await, world.remove_payee(&alice, &ids[1]).await);
    assert_eq!((removed.status, again.status, &again.body), (200, 200, &removed.body));
    assert!(removed.body["removed_at"].is_string() && removed.headers.get("idempotent-replayed").is_none());
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(world.get(&alice, &path).await.body, removed.body, "payouts went to it: it can be read");
    let names = world.get(&alice, "/v1/payees").await.body;
    let names: Vec<_> = names["payees"].as_array().unwrap().iter().map(|payee| &payee["id"]).collect();
    assert_eq!(names, [&json!(ids[0]), &json!(ids[2]), &json!(ids[3]), &json!(ids[4])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_with_one_iban_there_is_one() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let add = async |name: &str, key: &str| {
        world.post_with_key(&alice, "/v1/payees", &json!({ "name": name, "iban": IBAN }), key).await
    };
    let keys: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let replies = join_all(keys.iter().map(|key| add("Carol", key))).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.iter().enumerate().partition(|(_, reply)| reply.status == 201);
    assert_eq!((added.len(), refused.len(), world.count("payees").await), (1, 19, 1));
    for (_, reply) in &refused {
        let said = (reply.status, reply.code(), &reply.body["field"]);
        assert_eq!(said, (422, "ledger.payee_exists", &json!("iban")), "{:?}", reply.body);
    }
    // Nor under another name; and a refusal is no outcome of its key.
    assert_eq!(add("Carla", "other").await.code(), "ledger.payee_exists");
    let (first, first_reply) = added[0];
    assert_eq!(world.remove_payee(&alice, first_reply.body["id"].as_str().unwrap()).await.status, 200);
    let again = add("Carol", &keys[refused[0].0]).await;
    assert_eq!(again.status, 201, "{:?}", again.body);
    // The key of the removed one keeps its outcome, and adds nothing.
    let replayed = add("Carol", &keys[first]).await;
    assert_eq!((replayed.status, &replayed.body["id"]), (201, &first_reply.body["id"]));
    assert!(replayed.body["removed_at"].is_string());
    assert_eq!(add("Carla", &keys[first]).await.code(), "idempotency.key_reused");
    assert_eq!(world.count("payees where removed_at is null").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_additions_reach_the_ceiling_exactly_and_go_no_further() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    world.add_payee(&alice, "First", &iban(99)).await;
    world.sql("update owners set payee_ceiling = 5 where owner = 'sub-alice'").await;
    let bodies: Vec<Value> = (0..20).map(|n| json!({ "name": "Carol", "iban": iban(n) })).collect();
    let keys: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let add = |n: usize| world.post_with_key(&alice, "/v1/payees", &bodies[n], &keys[n]);
    let replies = join_all((0..20).map(add)).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.iter().enumerate().partition(|(_, reply)| reply.status == 201);
    assert_eq!((added.len(), refused.len(), world.count("payees").await), (4, 16, 5));
    for (_, reply) in &refused {
        assert_eq!((reply.status, reply.code()), (422, "ledger.payee_limit_reached"), "{:?}", reply.body);
    }
    // One that is there is told so again; others have their own ceiling; and one that is removed makes room.
    assert_eq!(add(added[0].0).await.status, 201);
    world.add_payee(&bob, "Carol", &iban(0)).await;
    assert_eq!(add(refused[0].0).await.status, 422);
    assert_eq!(world.remove_payee(&alice, added[0].1.body["id"].as_str().unwrap()).await.status, 200);
    assert_eq!(add(refused[0].0).await.status, 201);
}

#[tokio::test]
async fn a_payout_to_nobody_is_refused_alike_for_good_and_the_log_knows_why() {
    let log = logged();
    let (world, alice, account) = alice().await;
    let bob = world.phone("bob").await;
    let (bobs, gone) = (world.add_payee(&bob, "Carol", IBAN).await, world.add_payee(&alice, "Carol", IBAN).await);
    assert_eq!(world.pay(&alice, &account, &gone, "1.00", "before").await.status, 201);
    assert_eq!(world.remove_payee(&alice, &gone).await.status, 200);
    let nobody = account.as_str();
    for (payee, reason) in [(bobs.as_str(), "not_own_payee"), (&gone, "payee_removed"), (nobody, "no_payee")] {
        let reply = world.pay(&alice, &account, payee, "1.00", reason).await;
        not_found(&reply);
        assert_eq!((&reply.body["field"], reply.headers.get("idempotent-replayed")), (&json!("payee_id"), None));
        assert_eq!(audited(log, &reply), [json!(["authorization", reason, "sub-alice"])]);
        let again = world.pay(&alice, &account, payee, "1.00", reason).await;
        not_found(&again);
        assert_eq!(again.headers["idempotent-replayed"], "true", "it is the outcome of its key");
    }
    // What was paid before stays so, and under its key nothing else is.
    let before = world.pay(&alice, &account, &gone, "1.00", "before").await;
    assert_eq!((before.status, &before.body["creditor"]["iban"]), (201, &json!("DE****3000")));
    assert_eq!(before.headers["idempotent-replayed"], "true");
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let other = world.pay(&alice, &account, &carol, "1.00", "before").await;
    assert_eq!(other.code(), "idempotency.key_reused", "another payee, with the same name and IBAN");
    assert_eq!((world.balance(&alice, &account).await.as_str(), world.count("payouts").await), ("99.00", 1));
}

/// Each at another moment around the removal.
#[tokio::test(flavor = "multi_thread")]
async fn a_payee_is_removed_before_a_posting_or_after_it() {
    let (world, alice, account) = alice().await;
    for round in 0..6_u128 {
        let payee = world.add_payee(&alice, "Carol", &iban(round)).await;
        let keys: Vec<String> = (0..8).map(|n| format!("{round}-{n}")).collect();
        let remove = async {
            tokio::time::sleep(std::time::Duration::from_millis(u64::try_from(round).unwrap() * 4)).await;
            world.remove_payee(&alice, &payee).await
        };
        let pay = join_all(keys.iter().map(|key| world.pay(&alice, &account, &payee, "0.01", key)));
        let (removed, replies) = tokio::join!(remove, pay);
        assert_eq!(removed.status, 200, "{:?}", removed.body);
        for (key, reply) in keys.iter().zip(&replies) {
            assert!(reply.status == 201 || reply.code() == "ledger.payee_not_found", "{:?}", reply.body);
            let again = world.pay(&alice, &account, &payee, "0.01", key).await;
            assert_eq!((again.status, again.code()), (reply.status, reply.code()), "{key}");
        }
        let late = format!(
            "payouts p join payees e on e.id = p.payee_id join transfers t on t.id = p.id \
             where e.id = '{payee}' and e.removed_at < t.posted_at"
        );
        assert_eq!(world.count(&late).await, 0);
    }
    assert_eq!(world.invariants().await["hold"], true);
}

/// It was there when the order was looked at, and is not when it is posted: somebody holds the head of the books in between.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_removed_while_its_order_waits_is_not_paid() {
    let log = logged();
    let (world, alice, account) = alice().await;
    let payee = world.add_payee(&alice, "Carol", IBAN).await;
    let mut session = storage::connection(&world.superuser).await.unwrap();
    let hold = format!(
        "begin; set local idle_in_transaction_session_timeout = 0; select from accounts where id = '{account}' for update"
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut session, &hold).await.unwrap();
    let waits = async {
        let waiting = "pg_stat_activity where wait_event_type = 'Lock' and query like '%lock_accounts%'";
        crate::world::until(async || world.count(waiting).await == 1).await;
        assert_eq!(world.remove_payee(&alice, &payee).await.status, 200);
        diesel_async::SimpleAsyncConnection::batch_execute(&mut session, "rollback").await.unwrap();
    };
    let (reply, ()) = tokio::join!(world.pay(&alice, &account, &payee, "1.00", "k"), waits);
    not_found(&reply);
    assert_eq!(audited(log, &reply), [json!(["authorization", "payee_removed", "sub-alice"])]);
    let recorded = "idempotency where operation = 'payout' and rejection = 'payee_removed'";
    assert_eq!((world.count(recorded).await, world.count("payouts").await), (1, 0));
    assert_eq!(world.balance(&alice, &account).await, "100.00");
}

/// Said again by the database, to whoever may only do what the poster may.
#[tokio::test]
async fn the_poster_pays_nobody_whom_the_owner_has_not_added() {
    let books = Books::open().await;
    let (mut poster, mut superuser) = (books.poster().await, books.superuser().await);
    let other = transfer(77);
    let payees = format!(
        "insert into payees (id, owner, name, iban, cools_off_at) values ('{other}', 'bob', 'Carla', 'DE89370400440532013000', statement_timestamp()); \
         insert into payees (id, owner, name, iban, cools_off_at, removed_at) values ('{BOB}', 'alice', 'Carla', 'DE89370400440532013000', statement_timestamp(), now() + interval '1 s')"
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, &payees).await.unwrap();
    let honest = payout(2);
    for (what, from, to) in [
        ("bob's payee", CARLA, other.as_str()),
        ("a removed one", CARLA, BOB),
        ("nobody", CARLA, &transfer(78)),
        ("another IBAN", "DE89370400440532013000", "NO9386011117947"),
        ("another name", "'Carla'", "'Carol'"),
    ] {
        let falsehood = honest.clone().with(honest.extra.replace(from, to)).to_string();
        let error = refused(&mut poster, &falsehood).await;
        assert!(error.contains("nobody's payee"), "{what}: {error}");
    }
    let unnamed = honest.extra.replace(&format!("'{CARLA}'"), "null");
    let error = refused(&mut poster, &honest.clone().with(unnamed).to_string()).await;
    assert!(error.contains("nobody's payee"), "{error}");
    for change in [
        "update payees set removed_at = now()",
        "insert into payees (id, owner, name, iban) values (gen_random_uuid(), 'alice', 'x', 'x')",
    ] {
        assert!(refused(&mut poster, change).await.contains("permission denied"), "{change}");
    }
    diesel_async::SimpleAsyncConnection::batch_execute(&mut poster, &honest.to_string()).await.unwrap();
}

/// As superuser, whom rights do not stop.
#[tokio::test]
async fn of_a_payee_nothing_changes_but_that_it_is_removed_once() {
    let (world, alice, account) = alice().await;
    let payee = world.add_payee(&alice, "Carol", IBAN).await;
    assert_eq!(world.pay(&alice, &account, &payee, "1.00", "k").await.status, 201);
    let tries = async |when: &str| {
        for change in [
            "id = gen_random_uuid()",
            "owner = 'mallory'",
            "name = 'Mallory'",
            "iban = 'NO9386011117947'",
            "created_at = created_at - interval '2 days'",
            "cools_off_at = cools_off_at - interval '1 ms'",
            "removed_at = null",
        ] {
            for and in ["", ", removed_at = now()"] {
                if change.starts_with("removed_at") && !and.is_empty() {
                    continue;
                }
                let error = world.sql_error(&format!("update payees set {change}{and}")).await;
                assert!(error.contains("nothing else of it changes"), "{when} {change}: {error}");
            }
        }
        assert!(world.sql_error("delete from payees").await.contains("is not allowed"));
        assert!(world.sql_error("update payouts set payee_id = null").await.contains("is not allowed"));
    };
    tries("live").await;
    // The time is the database's, whatever is said.
    world.sql("update payees set removed_at = '2020-01-01'").await;
    assert_eq!(
        world.count("payees where removed_at between now() - interval '1 minute' and clock_timestamp()").await,
        1
    );
    tries("removed").await;
    assert!(world.sql_error("update payees set removed_at = now()").await.contains("removed once"));
}
