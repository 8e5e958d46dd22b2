//! What becomes of a note.

use std::sync::Arc;

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_read_as_it_was_written_and_the_same_again_changes_nothing() {
    let world = World::new().await;
    let id = world.id();
    let first = world.put("operator", &id, "called back").await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!((&first.body["id"], &first.body["text"]), (&json!(id), &json!("called back")));
    assert_eq!(first.body["written_by"], "operator");
    for again in [world.put("operator", &id, "called back").await, world.get("operator", &id).await] {
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    assert_eq!(world.notes().await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_text_under_the_same_id_is_refused_and_the_first_stays() {
    let world = World::new().await;
    let id = world.id();
    let first = world.put("operator", &id, "called back").await;
    let other = world.put("operator", &id, "never called").await;
    assert_eq!(other.problem(), (409, "__name__.note_id_reused", ""));
    assert_eq!(other.refused, ["__name__/note_id_reused"]);
    assert_eq!(world.get("operator", &id).await.body, first.body);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_texts_for_one_id_at_once_one_is_written() {
    const WRITERS: usize = 20;
    let world = Arc::new(World::new().await);
    let id = world.id();
    let writing: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (world, id) = (world.clone(), id.clone());
            tokio::spawn(async move { world.put("operator", &id, &format!("text {writer}")).await.status })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in writing {
        answers.push(answer.await.unwrap());
    }
    answers.sort_unstable();
    let mut expected = vec![409; WRITERS];
    expected[0] = 200;
    assert_eq!(answers, expected);
    assert_eq!(world.notes().await, 1);
    Arc::into_inner(world).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_note_is_refused_with_the_field_that_is_wrong() {
    let world = World::new().await;
    for text in ["", "   ", "two\nlines", "turned \u{202e}round", "twenty-one characters"] {
        let reply = world.put("operator", &world.id(), text).await;
        assert_eq!(reply.problem(), (400, "request.invalid", "text"), "{text:?}");
        assert_eq!(reply.refused, ["__name__/field_invalid"], "{text:?}");
    }
    assert_eq!(world.put("operator", "no-id", "called back").await.problem().1, "request.invalid");
    assert_eq!(world.notes().await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_nobody_wrote_is_not_found() {
    let world = World::new().await;
    let reply = world.get("operator", &world.id()).await;
    assert_eq!(reply.problem(), (404, "__name__.note_not_found", ""));
    assert_eq!(reply.refused, ["__name__/note_unknown"]);
    world.stop().await;
}
