//! What cannot happen, made to happen: the operation stops, and the client is told no more than that the fault is ours.

use diesel_async::SimpleAsyncConnection as _;

use crate::browser::Browser;
use crate::database::connect;
use crate::draft::{Client, refusal};
use crate::world::World;

#[tokio::test]
async fn a_time_beyond_the_calendar_is_not_1970() {
    let world = World::start().await;
    world.clock.advance(9_000_000_000_000 - world.now());
    let (draft, _) = Client::partner(&world).par(&world).await;
    let reply = draft.send(&world).await;
    assert_eq!(reply.refused(), refusal(500, "server_error", "internal/internal_error"));
}

#[tokio::test]
async fn nobody_is_asked_for_consent_without_being_told_where_the_answer_goes() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let damage = "update pushed_requests set parameters = jsonb_set(parameters, '{redirect_uri}', '\"nowhere\"')";
    connect(&world.database.superuser_url).await.batch_execute(damage).await.unwrap();
    let reply = browser.get("/consent").await;
    assert_eq!((reply.status, reply.refusal().as_str()), (500, "internal/internal_error"));
}
