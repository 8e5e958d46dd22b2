//! `/v1/accounts` and statements.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use ledger::MIGRATIONS;
use serde_json::{Value, json};
use testkit::database::TestDatabase;

use crate::world::{World, transfer};

#[tokio::test]
async fn an_account_is_opened_once_per_key() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let body = json!({ "currency": "EUR", "name": "Rainy days" });
    let first = world.post_with_key(&alice, "/v1/accounts", &body, "k").await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    assert_eq!(first.body["balance"], json!({ "amount": "0.00", "currency": "EUR" }));
    let again = world.post_with_key(&alice, "/v1/accounts", &body, "k").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"].to_str().unwrap(), "true");
    let other =
        world.post_with_key(&alice, "/v1/accounts", &json!({ "currency": "USD", "name": "Rainy days" }), "k").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key_reused"));
    let list = world.get(&alice, "/v1/accounts").await;
    assert_eq!(list.body["accounts"], json!([first.body]));
}

#[tokio::test]
async fn what_is_not_an_account_is_refused() {
    let world = World::start().await;
    let alice = world.phone("alice").await;
    let bad = [
        (json!({ "currency": "eur", "name": "x" }), "currency"),
        (json!({ "currency": "XXX", "name": "x" }), "currency"),
        (json!({ "currency": "EUR", "name": "" }), "name"),
        (json!({ "currency": "EUR", "name": "x".repeat(61) }), "name"),
        (json!({ "currency": "EUR", "name": "a\nb" }), "name"),
        (
            json!({ "currency": "EUR", "name": "x", "balance": { "amount": "1000000.00", "currency": "EUR" } }),
            "balance",
        ),
        (json!({ "currency": "EUR", "name": "x", "floor": -100 }), "floor"),
        (json!({ "currency": "EUR", "name": "x", "owner": "bob" }), "owner"),
    ];
    for (body, field) in bad {
        let reply = world.post(&alice, "/v1/accounts", &body).await;
        assert_eq!(
            (reply.status, reply.code(), &reply.body["field"]),
            (400, "request.invalid", &json!(field)),
            "{body}"
        );
    }
    assert_eq!(world.count("accounts where purpose = 'customer'").await, 0);
}

#[tokio::test]
async fn nobody_sees_anybody_elses_account() {
    let world = World::start().await;
    let (alice, mallory) = (world.phone("alice").await, world.phone("mallory").await);
    let account = world.open_with(&alice, "10.00", "EUR").await;
    for path in [format!("/v1/accounts/{account}"), format!("/v1/accounts/{account}/entries")] {
        let reply = world.get(&mallory, &path).await;
        assert_eq!((reply.status, reply.code()), (404, "ledger.account_not_found"), "{path}");
        assert_eq!(world.get(&alice, &path).await.status, 200, "{path}");
    }
    assert_eq!(world.get(&mallory, "/v1/accounts").await.body, json!({ "accounts": [] }));
    let garbage = world.get(&alice, "/v1/accounts/..%2f..%2fetc").await;
    assert_eq!((garbage.status, garbage.code()), (400, "request.invalid"));
}

#[tokio::test]
async fn a_statement_is_read_page_by_page_without_a_gap_or_an_overlap() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (from, to) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    for cent in 1..=6 {
        let reply = world.post(&alice, "/v1/transfers", &transfer(&from, &to, &format!("0.0{cent}"))).await;
        assert_eq!(reply.status, 201);
    }
    let (mut path, mut versions, mut newer): (_, Vec<i64>, Option<Value>) =
        (format!("/v1/accounts/{from}/entries?limit=3"), Vec::new(), None);
    loop {
        let page = world.get(&alice, &path).await.body;
        for entry in page["entries"].as_array().unwrap() {
            versions.push(entry["version"].as_i64().unwrap());
            if let Some(newer) = newer.replace(entry.clone()) {
                let cents = |value: &Value| value["amount"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
                assert_eq!(cents(&newer["balance"]) - cents(&newer["amount"]), cents(&entry["balance"]));
            }
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/accounts/{from}/entries?limit=3&after={next}");
    }
    assert_eq!(versions, [7, 6, 5, 4, 3, 2, 1]);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("after=x", "after"),
        ("offset=1", "offset"),
        ("before=AAAAAAAAAAE", "before"),
    ] {
        let reply = world.get(&alice, &format!("/v1/accounts/{from}/entries?{query}")).await;
        assert_eq!((reply.status, &reply.body["field"]), (400, &json!(field)), "{query}: {:?}", reply.body);
    }
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_without_a_gap_or_an_overlap() {
    let world = World::start().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    // Three are opened at every moment, in no order of their ids.
    let rows = "select gen_random_uuid(), 'EUR', 'sub-alice', 'x', timestamptz '2026-11-01' + n / 3 * interval '1 microsecond'";
    let columns = "accounts (id, currency, owner, name, opened_at)";
    world.sql(&format!("insert into {columns} {rows} from generate_series(0, 249) n order by random()")).await;
    world.open(&bob, "EUR").await;
    let first = world.get(&alice, "/v1/accounts").await;
    assert_eq!((first.status, first.body["accounts"].as_array().unwrap().len()), (200, 50));
    for limit in [1, 7, 100] {
        let (mut path, mut ids): (_, Vec<String>) = (format!("/v1/accounts?limit={limit}"), Vec::new());
        loop {
            let page = world.get(&alice, &path).await.body;
            let accounts = page["accounts"].as_array().unwrap();
            assert!((1..=limit).contains(&accounts.len()), "{limit}");
            ids.extend(accounts.iter().map(|account| account["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/accounts?limit={limit}&after={next}");
        }
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (250, 250), "{limit}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("after=x", "after"),
        ("after=f39_f39_f39_f39_f39_f39_f39_f39_", "after"),
        ("offset=1", "offset"),
    ] {
        let reply = world.get(&alice, &format!("/v1/accounts?{query}")).await;
        assert_eq!((reply.status, &reply.body["field"]), (400, &json!(field)), "{query}: {:?}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_openings_reach_the_limit_exactly_and_go_no_further() {
    let world = World::start_where(|config| config.max_accounts_per_owner = 3).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let body = json!({ "currency": "EUR", "name": "One of many" });
    let keys: Vec<String> = (0..16).map(|n| format!("k-{n}")).collect();
    let replies = join_all(keys.iter().map(|key| world.post_with_key(&alice, "/v1/accounts", &body, key))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = keys.iter().zip(&replies).partition(|(_, reply)| reply.status == 201);
    assert_eq!((opened.len(), refused.len()), (3, 13));
    for (_, reply) in &refused {
        assert_eq!((reply.status, reply.code()), (422, "ledger.account_limit_reached"));
    }
    assert_eq!(world.get(&alice, "/v1/accounts").await.body["accounts"].as_array().unwrap().len(), 3);
    // Who has opened one is told so again; the limit is each owner's own.
    let (key, first) = opened[0];
    let again = world.post_with_key(&alice, "/v1/accounts", &body, key).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    world.open(&bob, "EUR").await;
    // A closed account makes room for one.
    let id = first.body["id"].as_str().unwrap();
    world.sql(&format!("update accounts set closed_at = now() where id = '{id}'")).await;
    let (key, _) = refused[0];
    assert_eq!(world.post_with_key(&alice, "/v1/accounts", &body, key).await.status, 201);
    assert_eq!(world.post(&alice, "/v1/accounts", &body).await.code(), "ledger.account_limit_reached");
    world.sql(&format!("update accounts set closed_at = null where id = '{id}'")).await;
    assert_eq!(world.count("owners where owner = 'sub-alice' and accounts = 4").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_own_ceiling_holds_whatever_the_service_is_configured_to() {
    let world = World::start_where(|config| config.max_accounts_per_owner = u32::MAX).await;
    let alice = world.phone("alice").await;
    let columns = "accounts (id, currency, owner, name, opened_at)";
    let rows = "select gen_random_uuid(), 'EUR', 'sub-alice', 'x', now() from generate_series(1, 998)";
    world.sql(&format!("insert into {columns} {rows}")).await;
    let body = json!({ "currency": "EUR", "name": "Yet another" });
    let replies = join_all((0..8).map(|_| world.post(&alice, "/v1/accounts", &body))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((opened.len(), refused.len()), (2, 6));
    assert!(refused.iter().all(|reply| reply.code() == "ledger.account_limit_reached"));
    let all = world.count("accounts where owner = 'sub-alice'").await;
    assert_eq!((all, world.count("owners where owner = 'sub-alice' and accounts = 1000").await), (1000, 1));
}

#[tokio::test]
async fn nobody_counts_accounts_but_the_database() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let pool = |url: &str| storage::pool(&crypto::SecretString::from(url.to_owned()), 1).unwrap();
    let open = "insert into accounts (id, currency, owner, name, opened_at) values (gen_random_uuid(), 'EUR', 'alice', 'x', now())";
    let (app, migrator) = (pool(&database.app_url), pool(&database.migrator_url));
    let (mut app, mut migrator) =
        (storage::connection(&app).await.unwrap(), storage::connection(&migrator).await.unwrap());
    let as_alice = "begin; select set_config('app.subject', 'alice', true);";
    app.batch_execute(&format!("{as_alice} {open}; commit")).await.unwrap();
    for statement in [
        "update owners set accounts = 0",
        "update owners set ceiling = 5000",
        "insert into owners (owner, accounts) values ('bob', 0)",
        "delete from owners",
        "select owners_follow()",
    ] {
        let error = app.batch_execute(&format!("{as_alice} {statement}")).await.unwrap_err().to_string();
        app.batch_execute("rollback").await.unwrap();
        assert!(error.contains("permission denied") || error.contains("trigger"), "{statement}: {error}");
    }
    for statement in [
        "update owners set accounts = 0",
        "update owners set owner = 'mallory'",
        "insert into owners (owner, accounts) values ('bob', 0)",
        "delete from owners",
        "truncate owners",
    ] {
        let error = migrator.batch_execute(statement).await.unwrap_err().to_string();
        assert!(error.contains("opening and closing") || error.contains("is not allowed"), "{statement}: {error}");
    }
    // Each sees the own count only; an operator may raise one owner's ceiling.
    let superuser = pool(&database.superuser_url);
    assert_eq!(crate::engine::count(&superuser, "owners where owner = 'alice' and accounts = 1").await, 1);
    migrator.batch_execute("update owners set ceiling = 5000 where owner = 'alice'").await.unwrap();
    for (subject, visible) in [("alice", 1), ("mallory", 0)] {
        let seen = format!(
            "begin; select set_config('app.subject', '{subject}', true); \
             do $$ begin if (select count(*) from owners) <> {visible} then raise 'seen'; end if; end $$; rollback"
        );
        app.batch_execute(&seen).await.unwrap();
    }
}

#[tokio::test]
async fn who_had_more_accounts_than_the_ceiling_keeps_them_and_gets_no_further() {
    let database = TestDatabase::create("ledger", MIGRATIONS).await.unwrap();
    let pool = |url: &str| storage::pool(&crypto::SecretString::from(url.to_owned()), 2).unwrap();
    let (migrator, superuser, app) =
        (pool(&database.migrator_url), pool(&database.superuser_url), pool(&database.app_url));
    // Back to the days before there was a count.
    let mut db = storage::connection(&migrator).await.unwrap();
    db.batch_execute(include_str!("../../migrations/00000000000007_limits/down.sql")).await.unwrap();
    db.batch_execute("delete from __diesel_schema_migrations where version = '00000000000007'").await.unwrap();
    let columns = "accounts (id, currency, owner, name, opened_at, closed_at)";
    let rows = "select gen_random_uuid(), 'EUR', 'alice', 'x', now(), case when n = 0 then now() end from generate_series(0, 1200) n";
    let mut db = storage::connection(&superuser).await.unwrap();
    db.batch_execute(&format!("insert into {columns} {rows}")).await.unwrap();
    let url = crypto::SecretString::from(database.migrator_url.clone());
    storage::migrate(&url, MIGRATIONS).await.unwrap();
    assert_eq!(crate::engine::count(&superuser, "owners where accounts = 1200 and ceiling = 1200").await, 1);
    let open = "begin; select set_config('app.subject', 'alice', true); \
        insert into accounts (id, currency, owner, name, opened_at) values (gen_random_uuid(), 'EUR', 'alice', 'x', now()); commit";
    let mut app = storage::connection(&app).await.unwrap();
    let error = app.batch_execute(open).await.unwrap_err().to_string();
    assert!(error.contains("accounts_within_the_ceiling"), "{error}");
    app.batch_execute("rollback").await.unwrap();
    let close = "update accounts set closed_at = now() where id = (select id from accounts where closed_at is null and owner is not null limit 1)";
    db.batch_execute(close).await.unwrap();
    app.batch_execute(open).await.unwrap();
    assert_eq!(crate::engine::count(&superuser, "owners where accounts = 1200").await, 1);
}
