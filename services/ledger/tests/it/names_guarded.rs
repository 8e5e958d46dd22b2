//! What holds of checks of names, whoever asks: how often, how many, and what the database takes.

use futures_util::future::join_all;
use testkit::authority::Reply;
use testkit::database::guards::{FORBIDDEN, attempt};

use crate::broker::said;
use crate::database::{Books, refused};
use crate::names::{close, world};
use crate::world::{IBAN, World, problem};
use crate::writing::{CARLA, payout};

fn too_many(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (422, "ledger.payee_check_limit_reached"), "{:?}", reply.body);
}

/// Whose account it is, is learned by guessing: ten guesses a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_guesses_at_once_as_many_are_answered_as_may() {
    let world = world().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    world.says_of_names(close("Carolina Carter"));
    let keys: Vec<String> = (0..24).map(|n| n.to_string()).collect();
    let replies = join_all((0..24).map(|n| world.add(&alice, n as u128, &keys[n]))).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.iter().enumerate().partition(|(_, reply)| reply.status == 201);
    assert_eq!((added.len(), refused.len()), (10, 14));
    for (_, reply) in &refused {
        too_many(reply);
    }
    // Nobody is asked about what is not added.
    assert_eq!((world.count("payees").await, world.broker.calls("check_payee").len()), (10, 10));
    // Not by removing one either, nor when it would match now; others have their own.
    assert_eq!(world.remove_payee(&alice, added[0].1.body["id"].as_str().unwrap()).await.status, 200);
    world.says_of_names(said("match"));
    let (n, _) = refused[0];
    too_many(&world.add(&alice, n as u128, &keys[n]).await);
    assert_eq!(world.add(&bob, 0, "k").await.status, 201);
    // It was no outcome of the key.
    world.asked_before("25 hours").await;
    assert_eq!(world.add(&alice, n as u128, &keys[n]).await.status, 201);
}

#[tokio::test]
async fn a_match_and_silence_cost_nothing_and_every_other_word_does() {
    let world = world().await;
    let alice = world.phone("alice").await;
    world.add_payee(&alice, "Carol", IBAN).await;
    world.sql("update owners set check_budget = 3 where owner = 'sub-alice'").await;
    for n in 0..4 {
        world.says_of_names(if n % 2 == 0 { said("match") } else { problem(502, "broker.upstream_failed") });
        assert_eq!(world.add(&alice, n, &format!("free-{n}")).await.status, 201);
    }
    for (n, answer) in (10..).zip([said("no_match"), close("Carolina Carter"), said("not_possible")]) {
        world.says_of_names(answer);
        assert_eq!(world.add(&alice, n, &n.to_string()).await.status, 201);
    }
    too_many(&world.add(&alice, 20, "20").await);
    // What was answered is answered again.
    assert_eq!(world.add(&alice, 10, "10").await.status, 201);
}

/// Whom nobody was asked about is asked about when money first goes there, and again when nobody has answered for ten minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_payout_it_is_asked_again_if_nobody_has_answered() {
    let world = world().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    world.says_of_names(problem(503, "broker.upstream_unavailable"));
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let path = format!("/v1/payees/{carol}");
    assert_eq!(world.pay(&alice, &account, &carol, "1.00", "a").await.status, 201);
    assert_eq!(world.broker.calls("check_payee").len(), 1, "not at once");
    world.asked_before("11 minutes").await;
    world.says_of_names(said("no_match"));
    let keys: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let replies = join_all(keys.iter().map(|key| world.pay(&alice, &account, &carol, "0.01", key))).await;
    assert_eq!(world.broker.calls("check_payee").len(), 2, "of many one asks");
    assert!(replies.iter().all(|reply| [201, 401].contains(&reply.status)));
    assert!(replies.iter().any(|reply| reply.code() == "auth.approval_required"));
    assert_eq!(world.get(&alice, &path).await.body["name_check"]["word"], "no_match");
    // A word stays.
    world.asked_before("11 minutes").await;
    world.says_of_names(said("match"));
    assert_eq!(world.pay(&alice, &account, &carol, "0.01", "c").await.code(), "auth.approval_required");
    assert_eq!(world.broker.calls("check_payee").len(), 2);
    // One of before there were checks. Without a budget nobody is asked, and it is paid all the same.
    let quietly = "begin; set local session_replication_role = replica; delete from payee_checks; commit";
    world.sql(quietly).await;
    world.sql("update owners set check_budget = 0").await;
    assert_eq!(world.pay(&alice, &account, &carol, "0.01", "d").await.status, 201);
    assert_eq!(world.broker.calls("check_payee").len(), 2);
    world.sql("update owners set check_budget = 10").await;
    assert_eq!(world.pay(&alice, &account, &carol, "0.01", "e").await.status, 201);
    assert_eq!(world.get(&alice, &path).await.body["name_check"]["word"], "match");
    assert_eq!(world.broker.calls("check_payee").len(), 3);
}

/// Said again by the database, to whoever may only do what the service may.
#[tokio::test]
async fn the_database_takes_a_word_once_and_no_word_that_cannot_be() {
    let world: World = world().await;
    let alice = world.phone("alice").await;
    world.says_of_names(said("match"));
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let app = &world.database().app_url;
    let as_owner =
        |subject: &str, statement: &str| format!("select set_config('app.subject', '{subject}', true); {statement}");
    let says = |values: &str| as_owner("sub-alice", &format!("update payee_checks set {values}"));
    for again in ["word = 'no_match'", "word = null", "word = null, asked = asked + 1", "holder = 'x'", "silent = true"]
    {
        assert_eq!(attempt(app, &says(again)).await.unwrap().as_deref(), Some("23514"), "{again}");
    }
    for statement in ["delete from payee_checks", "truncate payee_checks"] {
        assert!(world.sql_error(statement).await.contains("is not allowed"), "{statement}");
    }
    // While it is asked.
    let quietly = "begin; set local session_replication_role = replica; \
                   update payee_checks set word = null, told_at = null; commit";
    world.sql(quietly).await;
    for wrong in [
        "word = 'maybe'",
        "word = 'match', holder = 'x'",
        "word = 'no_match', holder = 'x'",
        "word = 'close_match'",
        "word = 'match', silent = true",
        "word = null, silent = true",
        "word = 'close_match', holder = ''",
        "word = 'close_match', holder = repeat('x', 141)",
        "word = 'close_match', holder = E'a\\nb'",
        "word = 'close_match', holder = E'a\\u202eb'",
        "word = 'close_match', holder = E'a\\u200bb'",
        "word = 'match', asked = asked + 1",
        // A minute has to pass.
        "asked = asked + 1",
        "asked = asked + 2",
    ] {
        assert_eq!(attempt(app, &says(wrong)).await.unwrap().as_deref(), Some("23514"), "{wrong}");
    }
    // Nobody's, or another's: it is not there.
    let insert = |owner: &str| format!("insert into payee_checks (payee_id, owner) values ('{carol}', '{owner}')");
    for (owner, code) in [("sub-bob", "23514"), ("sub-alice", FORBIDDEN)] {
        let refused = attempt(app, &as_owner("sub-bob", &insert(owner))).await.unwrap();
        assert_eq!(refused.as_deref(), Some(code), "{owner}");
    }
    assert_eq!(attempt(app, &says("word = 'close_match', holder = 'Carolina Carter'")).await.unwrap(), None);
}

/// Of whoever may only do what the poster may, too.
#[tokio::test]
async fn the_poster_pays_nobody_of_another_name_without_an_approval() {
    let books = Books::open().await;
    let mut superuser = books.superuser().await;
    let row = |word: &str| {
        format!(
            "set session_replication_role = replica; delete from payee_checks; \
             insert into payee_checks (payee_id, owner, word, told_at) values ('{CARLA}', 'alice', {word}, clock_timestamp()); \
             reset session_replication_role"
        )
    };
    let mut poster = books.poster().await;
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, &row("'no_match'")).await.unwrap();
    let error = refused(&mut poster, &payout(2).to_string()).await;
    assert!(error.contains("another name that nobody approved"), "{error}");
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, &row("'not_possible'")).await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut poster, &payout(2).to_string()).await.unwrap();
}
