//! What is older than 13 months goes, the rest stays, and what has gone is not learned again.

use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use serde_json::json;

use crate::world::World;

const TABLES: [&str; 5] = ["events", "labels", "decisions", "dry_runs", "event_conflicts"];

async fn counts(world: &World) -> Vec<usize> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(world.rows(&format!("select 1 from {table}")).await);
    }
    counts
}

/// Everything of each table, made so much older.
async fn age(world: &World, interval: &str) {
    let mut superuser = AsyncPgConnection::establish(&world.database.superuser_url).await.unwrap();
    let older = format!(
        "update events set at = at - {interval}, received_at = received_at - {interval}; update labels set known_at = known_at - {interval};
         update decisions set decided_at = decided_at - {interval}; update event_conflicts set received_at = received_at - {interval}"
    );
    superuser.batch_execute(&older).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_thirteen_months_goes_the_rest_stays_and_what_has_gone_is_not_learned_again() {
    let world = World::new().await;
    let event = world.paid(10, "alice", "grocer", "20.00");
    assert_eq!(world.tell(std::slice::from_ref(&event)).await, ["taken"]);
    let mut other = event.clone();
    other["amount"] = json!("21.00");
    assert_eq!(world.tell(&[other]).await, ["refused"]);
    world.label("event", event["id"].as_str().unwrap(), "fraud").await.ok();
    let score = world.score("alice", "grocer", "20.00").await;
    let mut superuser = AsyncPgConnection::establish(&world.database.superuser_url).await.unwrap();
    superuser
        .batch_execute("insert into dry_runs select id, 'allow', 0.5, 'allow', '[]', 'm', 'r' from decisions")
        .await
        .unwrap();
    let mut app = AsyncPgConnection::establish(&world.database.app_url).await.unwrap();

    age(&world, "interval '13 months'").await;
    app.batch_execute("select forget()").await.unwrap();
    assert_eq!(counts(&world).await, [1; 5], "of a day more than is taken");
    // What is young stands behind what is old, and stays.
    age(&world, "interval '2 days'").await;
    world.tell(&[world.paid(5, "bob", "grocer", "30.00")]).await;
    world.score("bob", "grocer", "30.00").await;
    app.batch_execute("select forget()").await.unwrap();
    assert_eq!(counts(&world).await, [1, 0, 1, 0, 0]);
    assert_eq!(
        world
            .get("operator", &format!("/internal/v1/decisions/{}", score["decision_id"].as_str().unwrap()))
            .await
            .status,
        404
    );

    // Of what is old a call takes so much, and the next one the rest.
    let many = "insert into event_conflicts (event_id, digest, received_at, reported_by, at, user_key, kind) \
                select gen_random_uuid(), sha256(n::text::bytea), now() - interval '14 months', 'auth', now(), 1, 'login' from generate_series(1, 5001) n";
    superuser.batch_execute(many).await.unwrap();
    for left in [1, 0] {
        app.batch_execute("select forget()").await.unwrap();
        assert_eq!(world.rows("select 1 from event_conflicts").await, left);
    }

    // It comes again, as old as it is now.
    let mut again = event;
    again["at_unix_millis"] = json!(again["at_unix_millis"].as_i64().unwrap() - 397 * 86_400_000);
    assert_eq!(world.tell(&[again]).await, ["refused"]);
    // A process that starts now knows nothing of it.
    let another = world.another().await;
    assert_eq!(another.features("alice", "grocer", "20.00").await["payee_count"], 0.0);
    assert_eq!(another.features("bob", "grocer", "20.00").await["payee_count"], 1.0);
    another.stop().await;
    world.stop().await;
}
