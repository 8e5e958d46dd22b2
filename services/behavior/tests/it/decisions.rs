//! A score is answered with its reasons, and stored with all that it rests on before it is.

use std::sync::Arc;

use runtime::Clock as _;
use serde_json::{Value, json};

use crate::world::World;
use crate::{behaviorctl, own, scratch};

const DAY: i64 = 86_400;

/// Two months of habits.
async fn habits(world: &World) {
    let events: Vec<Value> = (0..120)
        .map(|n| world.paid((60 * DAY - n * DAY / 2) + 9 * 3_600, "alice", "grocer", &format!("{}.00", 15 + n % 20)))
        .collect();
    for batch in events.chunks(100) {
        world.tell(batch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_like_always_passes_and_a_burst_is_asked_about_with_its_reason() {
    let world = World::new().await;
    habits(&world).await;
    let usual = world.score("alice", "grocer", "25.00").await;
    assert_eq!((&usual["action"], &usual["reasons"]), (&json!("allow"), &json!([])), "{usual}");
    let burst: Vec<Value> = (0..5).map(|n| world.paid(20 - n, "alice", "grocer", "25.00")).collect();
    world.tell(&burst).await;
    let asked = world.score("alice", "grocer", "25.00").await;
    assert_eq!(asked["action"], "step_up", "{asked}");
    let reason = &asked["reasons"][0];
    let said = ["source", "name", "says"].map(|name| reason[name].as_str().unwrap());
    assert_eq!(said, ["rule", "burst", "many payments within a minute"]);
    assert_eq!((&asked["model"], &asked["rules"]), (&json!("card-payments-1"), &json!("payments-3")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_read_as_it_was_answered_with_what_it_rests_on() {
    let world = World::new().await;
    world.tell(&[world.paid(60, "alice", "grocer", "20.00")]).await;
    let (request, at) = (world.id(), world.clock.unix_millis());
    let asked = json!({
        "request_id": request, "at_unix_millis": at, "user": "alice", "payee": "grocer", "amount": "12.30", "currency": "EUR",
    });
    let score = world.scores(&[asked]).await.remove(0);
    let decision = world.decision(&score).await;
    for name in ["decision_id", "score", "action", "reasons", "model", "rules"] {
        assert_eq!(decision[name], score[name], "{name}");
    }
    assert_eq!((&decision["request_id"], &decision["at_unix_millis"]), (&json!(request), &json!(at)));
    assert_eq!((&decision["amount"], &decision["currency"]), (&json!("12.30"), &json!("EUR")));
    assert_eq!((&decision["learned"], &decision["features_version"]), (&json!(1), &json!(3)));
    assert_eq!((&decision["features"]["amount"], &decision["features"]["payee_count"]), (&json!(12.3), &json!(1.0)));
    assert_eq!(decision["user_key"].as_str().unwrap().len(), 16);
    assert_eq!(decision.get("label"), None);
    for table in ["events", "decisions"] {
        let named = format!("select 1 from {table} t where to_jsonb(t)::text like any (array['%alice%', '%grocer%'])");
        assert_eq!(world.rows(&named).await, 0, "who pays whom stands in {table}");
    }
    let unknown = world.get("operator", &format!("/internal/v1/decisions/{}", world.id())).await;
    assert_eq!(unknown.problem(), (404, "behavior.decision_not_found", ""));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_judged_is_refused_with_its_field_and_keeps_no_other_from_being_judged() {
    let world = World::new().await;
    let good = world.question("u", "p", "1.00");
    let wrong = [
        ("at_unix_millis", json!(world.clock.unix_millis() + 300_001), "behavior.from_future"),
        ("at_unix_millis", json!(-1), "request.invalid"),
        ("amount", json!("NaN"), "request.invalid"),
        ("amount", json!("1000000000001"), "request.invalid"),
        ("currency", json!("euro"), "request.invalid"),
        ("user", json!(""), "request.invalid"),
        ("payee", json!("a b"), "request.invalid"),
    ];
    let mut asked = vec![good.clone()];
    for (name, value, _) in &wrong {
        let mut question = good.clone();
        question[*name] = value.clone();
        asked.extend([question, good.clone()]);
    }
    let reply = world.ask(&asked).await;
    assert_eq!(reply.refused.iter().filter(|line| *line == "behavior/field_invalid").count(), 6, "{reply:?}");
    assert_eq!(reply.refused.iter().filter(|line| *line == "behavior/from_future").count(), 1, "{reply:?}");
    let body = reply.ok();
    let results = body["results"].as_array().unwrap();
    assert_eq!(results.len(), asked.len());
    for (n, (name, _, code)) in wrong.iter().enumerate() {
        assert_eq!(results[2 * n + 1], json!({ "outcome": "refused", "code": code, "field": name }));
    }
    assert!(results.iter().step_by(2).all(|result| result["outcome"] == "scored"), "{body}");
    assert_eq!(world.rows("select 1 from decisions").await, wrong.len() + 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_questions_that_is_none_is_refused_whole_and_nothing_is_stored() {
    let world = World::new().await;
    let good = world.question("u", "p", "1.00");
    let with = |name: &str, value: Value| {
        let mut question = good.clone();
        question[name] = value;
        json!({ "requests": [good, question] })
    };
    for body in [
        good.clone(),
        json!({ "requests": [] }),
        json!({ "requests": vec![&good; 101] }),
        json!({ "requests": [good], "more": 1 }),
        with("color", json!("red")),
        with("amount", json!(1.0)),
        with("request_id", json!("1")),
    ] {
        let reply = world.post("ledger", "/internal/v1/scores", &body).await;
        assert_eq!((reply.status, reply.problem().1), (400, "request.invalid"), "{body}: {reply:?}");
    }
    let large = json!({ "requests": [good], "padding": "x".repeat(64 * 1024) });
    assert_eq!(world.post("ledger", "/internal/v1/scores", &large).await.problem().1, "request.too_large");
    assert_eq!(world.rows("select 1 from decisions").await, 0);
    world.stop().await;
}

/// The longest names, so that a full batch is one that is taken.
#[tokio::test(flavor = "multi_thread")]
async fn the_decisions_of_a_full_batch_are_in_the_order_of_its_questions_and_of_one_transaction() {
    let world = World::new().await;
    let name = |n: usize| format!("{n:0>128}");
    let question = |n: usize| {
        let mut question = world.question(&name(n), &name(n + 1), &format!("{n}.00"));
        question["request_id"] = json!(world.id());
        question
    };
    let asked: Vec<Value> = (1..=100).map(question).collect();
    let scores = world.scores(&asked).await;
    for (score, asked) in scores.iter().zip(&asked) {
        let decision = world.decision(score).await;
        assert_eq!((&decision["amount"], &decision["request_id"]), (&asked["amount"], &asked["request_id"]));
        let amount = decision["features"]["amount"].as_f64().map(|amount| format!("{amount:.2}"));
        assert_eq!(amount.as_deref(), asked["amount"].as_str(), "another one's features");
    }
    assert_eq!(world.rows("select distinct xmin::text from decisions").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_questions_at_once_each_has_its_own_decision() {
    let world = Arc::new(World::new().await);
    let asking: Vec<_> = (1..=200)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move { (n, world.score(&format!("u{n}"), "p", &format!("{n}.00")).await) })
        })
        .collect();
    for asked in asking {
        let (n, score) = asked.await.unwrap();
        assert_eq!(world.decision(&score).await["amount"], format!("{n}.00"));
    }
    assert_eq!(world.rows("select 1 from decisions").await, 200);
    Arc::into_inner(world).unwrap().stop().await;
}

/// The table is locked, so nothing can be stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_cannot_be_stored_is_not_answered() {
    let world = World::new().await;
    let pool = storage::pool(&crypto::SecretString::from(world.database.superuser_url.as_str()), 1).unwrap();
    let mut db = storage::connection(&pool).await.unwrap();
    let locked = "begin; lock table decisions";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut db, locked).await.unwrap();
    let reply = world.ask(&[world.question("u", "p", "1.00")]).await;
    assert_eq!(reply.problem(), (503, "server.busy", ""));
    drop(db);
    drop(pool);
    world.score("u", "p", "1.00").await;
    assert_eq!(world.rows("select 1 from decisions").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_decision_is_made_anew_and_who_judges_otherwise_is_named() {
    let world = World::new().await;
    habits(&world).await;
    let decision = world.decision(&world.score("alice", "stranger", "480.00").await).await;
    world.stop().await;
    let folder = scratch("explain");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (model, rules) = (own("model/card-payments.json"), own("rules/payments.toml"));
    let explain = |decision: &str, rules: &str| {
        let output = behaviorctl(&["explain", decision, "--model", &model, "--rules", rules]);
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let stored = file("decision.json", &decision.to_string());
    let (same, said) = explain(&stored, &rules);
    assert!(same && said.contains("model and rules think the same as then"), "{said}");
    assert!(said.contains("far more than this user ever pays"), "{said}");

    let text = std::fs::read_to_string(&rules).unwrap();
    let other = text.replace("payments-3", "payments-4").replace("log_odds = 1.0", "log_odds = 1.1");
    let (same, said) = explain(&stored, &file("other.toml", &other));
    assert!(!same && said.contains("the version of the rules was payments-3, and is payments-4 now"), "{said}");
    assert!(said.contains("the score was"), "{said}");

    let change = |change: &dyn Fn(&mut Value)| {
        let mut decision = decision.clone();
        change(&mut decision);
        explain(&file("changed.json", &decision.to_string()), &rules)
    };
    for (refused, why) in [
        (change(&|decision| decision["score"] = json!(0.9)), "the score was 0.900000"),
        (change(&|decision| decision["action"] = json!("allow")), "the action was Allow"),
        (change(&|decision| decision["features"]["amount"] = json!(5.0)), "the score was"),
        (
            change(&|decision| decision["features_version"] = json!(7)),
            "version 7 of the features, this build has version 3",
        ),
        (
            change(&|decision| decision["features"]["shoe_size"] = json!(43)),
            "\"shoe_size\", which this build does not have",
        ),
        (
            change(&|decision| drop(decision["features"].as_object_mut().unwrap().remove("amount"))),
            "the decision does not say \"amount\"",
        ),
        (change(&|decision| decision["colour"] = json!("red")), "unknown field `colour`"),
    ] {
        let (same, said) = refused;
        assert!(!same && said.contains(why), "{why}: {said}");
    }
}

/// Whoever is answered while the process goes down can be found afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_while_the_process_ends_is_stored() {
    let world = World::new().await;
    let (database, pki) = (world.database.clone(), world.pki.clone());
    let url = format!("https://localhost:{}/internal/v1/scores", world.running.internal.port());
    let client = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("ledger"))).unwrap();
    let at = world.clock.unix_millis();
    let (begun, mut first) = tokio::sync::mpsc::channel(1);
    let asking: Vec<_> = (0..16)
        .map(|n| {
            let (client, url, begun) = (client.clone(), url.clone(), begun.clone());
            tokio::spawn(async move {
                let asked = json!({ "at_unix_millis": at, "user": format!("u{n}"), "payee": "p", "amount": "1", "currency": "EUR" });
                let asked = json!({ "requests": [asked] });
                let mut answered = Vec::new();
                while let Ok(answer) = client.post(&url).json(&asked).send().await {
                    let Ok(body) = answer.json::<Value>().await else { break };
                    let Some(id) = body["results"][0]["decision_id"].as_str() else { break };
                    answered.push(id.to_owned());
                    begun.try_send(()).unwrap_or_default();
                }
                answered
            })
        })
        .collect();
    first.recv().await.unwrap();
    world.stop().await;
    let mut answered = Vec::new();
    for asking in asking {
        answered.extend(asking.await.unwrap());
    }
    assert!(!answered.is_empty());
    let mut db = <diesel_async::AsyncPgConnection as diesel_async::AsyncConnection>::establish(&database.superuser_url)
        .await
        .unwrap();
    let named = format!("select 1 from decisions where id in ('{}')", answered.join("', '"));
    let found = diesel_async::RunQueryDsl::execute(diesel::sql_query(named), &mut db).await.unwrap();
    assert_eq!(found, answered.len());
}
