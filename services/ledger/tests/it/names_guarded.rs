//! What holds of checks of names, whoever asks: how often, how many, and what the database takes.

use std::time::Duration;

use futures_util::future::join_all;
use testkit::authority::Reply;
use testkit::database::guards::{FORBIDDEN, attempt};

use crate::broker::said;
use crate::database::{Books, refused};
use crate::names::{close, world};
use crate::world::{IBAN, World, problem, until};
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
async fn another_name_costs_and_no_other_word_does() {
    let world = world().await;
    let alice = world.phone("alice").await;
    world.add_payee(&alice, "Carol", IBAN).await;
    world.sql("update owners set check_budget = 3 where owner = 'sub-alice'").await;
    // Eleven suppliers at banks that nobody can ask are nobody's guesses.
    let free = [said("match"), problem(502, "broker.upstream_failed"), said("not_possible")];
    for n in 0..9 {
        world.says_of_names(free[n % 3].clone());
        assert_eq!(world.add(&alice, n as u128, &format!("free-{n}")).await.status, 201);
    }
    for (n, answer) in (10..).zip([said("no_match"), close("Carolina Carter"), said("no_match")]) {
        world.says_of_names(answer);
        assert_eq!(world.add(&alice, n, &n.to_string()).await.status, 201);
    }
    too_many(&world.add(&alice, 20, "20").await);
    // What was answered is answered again.
    assert_eq!(world.add(&alice, 10, "10").await.status, 201);
    // What was lost over the asking is not one for ever.
    let lost = "begin; set local session_replication_role = replica; update payee_checks set word = null, holder = null, told_at = null, silent = false";
    world.sql(&format!("{lost}; commit")).await;
    too_many(&world.add(&alice, 20, "20").await);
    world.sql(&format!("{lost}, due_at = clock_timestamp(); commit")).await;
    assert_eq!(world.add(&alice, 20, "20").await.status, 201);
}

/// Nor does anybody ask as often as they like: not about what they know, and not for everybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_checks_at_once_as_many_are_made_as_may_be_in_a_day_whatever_is_said() {
    let world = world().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    world.says_of_names(said("match"));
    world.add_payee(&alice, "Carol", IBAN).await;
    assert_eq!(world.count("owners where owner = 'sub-alice' and check_ceiling = 60 and checks = 1").await, 1);
    world.sql("update owners set check_ceiling = 10 where owner = 'sub-alice'").await;
    let keys: Vec<String> = (0..24).map(|n| n.to_string()).collect();
    let replies = join_all((0..24).map(|n| world.add(&alice, n as u128, &keys[n]))).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.iter().enumerate().partition(|(_, reply)| reply.status == 201);
    assert_eq!((added.len(), refused.len()), (9, 15));
    for (_, reply) in &refused {
        too_many(reply);
    }
    assert_eq!((world.count("payees").await, world.broker.calls("check_payee").len()), (10, 10));
    // Nor of what nobody answers, and may be asked again.
    world.sql("update owners set checks = 0").await;
    world.says_of_names(problem(503, "broker.upstream_unavailable"));
    let (n, _) = refused[0];
    let carol = world.add(&alice, n as u128, &keys[n]).await.body["id"].as_str().unwrap().to_owned();
    let account = world.open_with(&alice, "100.00", "EUR").await;
    for round in 0..12 {
        world.asked_before("11 minutes").await;
        assert_eq!(world.pay(&alice, &account, &carol, "0.01", &format!("p{round}")).await.status, 201);
    }
    assert_eq!(world.broker.calls("check_payee").len(), 20, "whom nobody may be asked about is paid like before");
    assert_eq!(world.add(&bob, 0, "k").await.status, 201);
    // There is another day.
    let (n, _) = refused[1];
    too_many(&world.add(&alice, n as u128, &keys[n]).await);
    world.sql("update owners set checks_on = checks_on - 1").await;
    assert_eq!(world.add(&alice, n as u128, &keys[n]).await.status, 201);
}

/// A payment to whom nobody knows yet is the one that somebody else would like to make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_name_is_being_asked_about_a_payout_takes_its_payers_approval() {
    let world = world().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    world.says_of_names(said("no_match"));
    world.broker.answers.lock().unwrap().late = Duration::from_secs(4);
    let pays = async {
        until(async || world.count("payee_checks where word is null").await == 1).await;
        let listed = world.get(&alice, "/v1/payees").await;
        let carol = listed.body["payees"][0]["id"].as_str().unwrap().to_owned();
        (world.pay(&alice, &account, &carol, "0.01", "k").await, world.count("payee_checks where word is null").await)
    };
    let (added, (paid, unanswered)) = tokio::join!(world.add(&alice, 0, "k"), pays);
    assert_eq!((added.status, unanswered, paid.code()), (201, 1, "auth.approval_required"), "{:?}", paid.body);
    assert_eq!(world.count("payouts").await, 0);
    // Whoever asked was lost over it: so it is until it can be asked again, and then it is.
    let lost = "begin; set local session_replication_role = replica; update payee_checks set word = null, told_at = null; commit";
    world.sql(lost).await;
    assert_eq!(
        world.pay(&alice, &account, added.body["id"].as_str().unwrap(), "0.01", "l").await.code(),
        "auth.approval_required"
    );
}

/// The name of somebody else's account is kept as long as it is of use.
#[tokio::test]
async fn the_name_of_an_account_goes_with_its_payee() {
    let world = world().await;
    let alice = world.phone("alice").await;
    world.says_of_names(close("Carolina Carter"));
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    let app = &world.database().app_url;
    let forget = "select set_config('app.subject', 'sub-alice', true); update payee_checks set holder = null";
    assert_eq!(attempt(app, forget).await.unwrap().as_deref(), Some("23514"), "not before");
    assert_eq!(world.remove_payee(&alice, &carol).await.status, 200);
    assert_eq!(
        world.count("payee_checks where word = 'close_match' and holder is null and told_at is not null").await,
        1
    );
    for wrong in ["holder = 'Carolina Carter'", "word = 'match'", "silent = true"] {
        let wrong = format!("select set_config('app.subject', 'sub-alice', true); update payee_checks set {wrong}");
        assert_eq!(attempt(app, &wrong).await.unwrap().as_deref(), Some("23514"), "{wrong}");
    }
    // What is said when it is removed already is not kept either.
    world.broker.answers.lock().unwrap().late = Duration::from_secs(1);
    let removes = async {
        until(async || world.count("payee_checks where word is null").await == 1).await;
        let listed = world.get(&alice, "/v1/payees").await;
        assert_eq!(world.remove_payee(&alice, listed.body["payees"][0]["id"].as_str().unwrap()).await.status, 200);
    };
    let (added, ()) = tokio::join!(world.add(&alice, 1, "k"), removes);
    assert_eq!((added.status, world.count("payee_checks where word = 'close_match'").await), (201, 2));
    assert_eq!(world.count("payee_checks where holder is not null").await, 0);
}

/// Between the look at the payee and the asking about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payee_that_is_removed_before_it_is_asked_about_is_nobody_to_pay() {
    let world = world().await;
    let alice = world.phone("alice").await;
    let account = world.open_with(&alice, "100.00", "EUR").await;
    let carol = world.add_payee(&alice, "Carol", IBAN).await;
    world.sql("begin; set local session_replication_role = replica; delete from payee_checks; commit").await;
    let mut session = storage::connection(&world.superuser).await.unwrap();
    let hold = "begin; set local idle_in_transaction_session_timeout = 0; lock table payee_checks in share mode";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut session, hold).await.unwrap();
    let removes = async {
        until(async || {
            world.count("pg_stat_activity where wait_event_type = 'Lock' and query like '%payee_checks%'").await == 1
        })
        .await;
        let removes = "update payees set removed_at = now(); commit";
        diesel_async::SimpleAsyncConnection::batch_execute(&mut session, removes).await.unwrap();
    };
    let (reply, ()) = tokio::join!(world.pay(&alice, &account, &carol, "1.00", "k"), removes);
    assert_eq!((reply.status, reply.code()), (404, "ledger.payee_not_found"), "{:?}", reply.body);
    assert_eq!(world.pay(&alice, &account, &carol, "1.00", "k").await.headers["idempotent-replayed"], "true");
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
    assert!(replies.iter().all(|reply| reply.code() == "auth.approval_required"), "none goes by unasked");
    assert_eq!(world.get(&alice, &path).await.body["name_check"]["word"], "no_match");
    // A word stays.
    world.asked_before("11 minutes").await;
    world.says_of_names(said("match"));
    assert_eq!(world.pay(&alice, &account, &carol, "0.01", "c").await.code(), "auth.approval_required");
    assert_eq!(world.broker.calls("check_payee").len(), 2);
    // One of before there were checks. At the ceiling nobody is asked, and it is paid all the same. The budget is for whoever adds payees.
    let quietly = "begin; set local session_replication_role = replica; delete from payee_checks; commit";
    world.sql(quietly).await;
    world.sql("update owners set check_budget = 0, check_ceiling = 0").await;
    assert_eq!(world.pay(&alice, &account, &carol, "0.01", "d").await.status, 201);
    assert_eq!(world.broker.calls("check_payee").len(), 2);
    world.sql("update owners set check_ceiling = 60").await;
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
        // Ten minutes have to pass.
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
    let asked = format!(
        "set session_replication_role = replica; update payee_checks set word = null, told_at = null, \
         due_at = clock_timestamp() + interval '1 minute' where payee_id = '{CARLA}'; reset session_replication_role"
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, &asked).await.unwrap();
    let error = refused(&mut poster, &payout(2).to_string()).await;
    assert!(error.contains("another name that nobody approved"), "{error}");
    diesel_async::SimpleAsyncConnection::batch_execute(&mut superuser, &row("'not_possible'")).await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut poster, &payout(2).to_string()).await.unwrap();
}
