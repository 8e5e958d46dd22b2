//! The profiles are made of the log: by whichever process, whenever, and in whatever order the events came.

use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::scene;

use crate::world::World;

const HOUR: i64 = 3_600;

/// Some weeks of three people.
fn history(world: &World) -> Vec<Value> {
    let event = |n: i64| {
        let user = ["alice", "bob", "carol"][usize::try_from(n % 3).unwrap()];
        let payee = ["grocer", "baker", "landlord", "stranger"][usize::try_from(n * 7 % 4).unwrap()];
        world.paid((300 - n) * 3 * HOUR, user, payee, &format!("{}.{:02}", 10 + n * 13 % 90, n % 100))
    };
    (0..300).map(event).collect()
}

/// What payments of now look like to a process.
async fn seen(world: &World) -> Vec<Value> {
    let mut seen = Vec::new();
    for user in ["alice", "bob", "carol", "nobody"] {
        for payee in ["grocer", "stranger", "unheard-of"] {
            seen.push(world.features(user, payee, "55.00").await);
        }
    }
    seen
}

async fn tell_all(world: &World, events: &[Value]) {
    for batch in events.chunks(70) {
        assert_eq!(world.tell(batch).await, vec!["taken"; batch.len()]);
    }
}

/// With words on some of them, of which one is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_anew_knows_what_the_one_before_knew() {
    let world = World::new().await;
    let events = history(&world);
    tell_all(&world, &events).await;
    for (place, label) in [(181, "fraud"), (185, "fraud"), (193, "fraud"), (185, "honest")] {
        world.label("event", events[place]["id"].as_str().unwrap(), label).await.ok();
    }
    let before = seen(&world).await;
    assert!(before.iter().any(|features| features["payee_run_frauds"] == 2.0), "{before:?}");
    let another = world.another().await;
    assert_eq!(seen(&another).await, before);
    another.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_came_in_another_order_are_learned_in_that_order_after_a_restart_too() {
    let (world, in_order) = (World::new().await, World::new().await);
    let events = history(&world);
    let mut reordered = events.clone();
    reordered.reverse();
    reordered.swap(3, 200);
    tell_all(&world, &reordered).await;
    in_order.clock.advance_millis(world.clock.unix_millis() - in_order.clock.unix_millis());
    tell_all(&in_order, &events).await;
    let live = seen(&world).await;
    let another = world.another().await;
    assert_eq!(seen(&another).await, live);
    // What is counted at its place in time is the same whatever the order was; what is usual is an average that fades, and is not.
    let ordered = seen(&in_order).await;
    for (one, other) in live.iter().zip(&ordered) {
        for name in [
            "amount",
            "amount_ratio",
            "amount_robust",
            "amount_over_max",
            "count_1m",
            "count_1h",
            "count_24h",
            "count_7d",
            "sum_24h_ratio",
            "hour_usual",
            "hours_since_last",
            "payee_count",
            "known_payments",
            "payee_paid_30d",
            "payee_surge",
        ] {
            assert_eq!(one[name], other[name], "{name}");
        }
    }
    assert!(live.iter().zip(&ordered).any(|(one, other)| one["amount_deviations"] != other["amount_deviations"]));
    another.stop().await;
    in_order.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_takes_the_others_learn() {
    let (one, events) = {
        let world = World::new().await;
        let events = history(&world);
        (world, events)
    };
    let other = one.another().await;
    tell_all(&one, &events[..150]).await;
    tell_all(&other, &events[150..]).await;
    let last = json!(300);
    for world in [&one, &other] {
        scene::until(async || {
            let score = world.score("alice", "grocer", "55.00").await;
            world.decision(&score).await["learned"] == last
        })
        .await;
    }
    assert_eq!(seen(&one).await, seen(&other).await);
    other.stop().await;
    one.stop().await;
}

/// More than are read at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_learned_to_its_end_before_the_process_is_ready() {
    let world = World::new().await;
    let batches = "do $$ begin for batch in 0..24 loop \
                       update log_head set last_number = last_number + 100; \
                       insert into events select gen_random_uuid(), batch * 100 + n, 'payment', now() - interval '1 hour', now(), 'ledger', 1, 2, 100, 'EUR', null \
                       from generate_series(1, 100) n; \
                   end loop; end $$";
    world.rows(batches).await;
    assert_eq!(world.rows("select 1 from events").await, 2_500);
    let another = world.another().await;
    let score = another.score("x", "y", "1.00").await;
    assert_eq!(another.decision(&score).await["learned"], 2_500);
    another.stop().await;
    world.stop().await;
}
