//! What the database keeps.

use auth::MIGRATIONS;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use testkit::database::TestDatabase;

use crate::browser::{Browser, tokens};
use crate::draft::Client;
use crate::world::World;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

pub(crate) async fn connect(url: &str) -> AsyncPgConnection {
    AsyncPgConnection::establish(url).await.unwrap()
}

#[tokio::test]
async fn what_lets_its_holder_in_and_who_people_are_cannot_be_read_from_the_database() {
    let world = World::start().await;
    let client = Client::app();
    let (mut browser, pushed) = Browser::at_login(&world, &client).await;
    let email = browser.register_anybody().await;
    let cookie = browser.cookies[0].1.clone();
    let mut secrets = vec![pushed.request_uri, cookie, email, "Alice Adams".into()];
    secrets.push(tokens(&world, &client).await.member("refresh_token"));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert_eq!(spelled(&world, &secrets).await, Vec::<String>::new());
}

/// Which of these texts stand in the database, and where.
pub(crate) async fn spelled(world: &World, texts: &[&str]) -> Vec<String> {
    let mut database = connect(&world.database.superuser_url).await;
    let tables: Vec<Line> =
        diesel::sql_query("select tablename::text as line from pg_tables where schemaname = 'public'")
            .load(&mut database)
            .await
            .unwrap();
    let (mut rows, mut found) = (0, Vec::new());
    for table in tables {
        // bytea as text is hexadecimal; so both spellings are looked for.
        let query = format!("select t::text as line from {} t", table.line);
        for row in diesel::sql_query(query).load::<Line>(&mut database).await.unwrap() {
            rows += 1;
            let is_there = |text: &&&str| row.line.contains(**text) || row.line.contains(&hex::encode(text));
            found.extend(texts.iter().filter(is_there).map(|text| format!("{text} in {}", table.line)));
        }
    }
    assert!(rows > 5);
    found
}

pub(crate) async fn count(world: &World, query: &str) -> i64 {
    let mut session = connect(&world.database.superuser_url).await;
    diesel::sql_query(query).get_result::<Count>(&mut session).await.unwrap().count
}

#[tokio::test]
async fn every_migration_can_be_undone() {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let url = crypto::SecretString::from(database.migrator_url.as_str());
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 8);
    let mut session = connect(&database.superuser_url).await;
    let query = "select count(*) as count from pg_tables where schemaname = 'public' and tablename <> '__diesel_schema_migrations'";
    let left: Count = diesel::sql_query(query).get_result(&mut session).await.unwrap();
    assert_eq!(left.count, 0);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 8);
}

/// Without its end, an approval would be a grant that holds until it is revoked.
#[tokio::test]
async fn whoever_goes_back_before_approvals_leaves_none_behind() {
    let world = World::start().await;
    tokens(&world, &Client::app()).await;
    let mut session = connect(&world.database.superuser_url).await;
    let approval = "insert into grants (id, user_id, client_id, scope, authenticated_at, created_at, expires_at) \
        select gen_random_uuid(), user_id, 'c', 'payouts:write', now(), now(), now() + interval '3 minutes' from grants; \
        insert into authorization_codes select sha256('code'), id, 'c', 'u', repeat('x', 43), null, null, now() + interval '1 minute', null \
        from grants where expires_at is not null; \
        insert into approved_payments select id, 'x', now() from grants where expires_at is not null";
    session.batch_execute(approval).await.unwrap();
    let mut migrator = connect(&world.database.migrator_url).await;
    for down in [
        include_str!("../../migrations/00000000000007_second_factors/down.sql"),
        include_str!("../../migrations/00000000000006_approvals/down.sql"),
    ] {
        migrator.batch_execute(down).await.unwrap();
    }
    assert_eq!(count(&world, "select count(*) as count from grants").await, 1);
    assert_eq!(count(&world, "select count(*) as count from grants where scope = 'payouts:write'").await, 0);
}
