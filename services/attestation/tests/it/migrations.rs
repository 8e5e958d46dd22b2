//! The migrations: down and up again, and what becomes of rows that were there before.

use attestation::MIGRATIONS;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use testkit::database::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_go_down_and_up_again_and_every_table_says_what_it_is() {
    let database = TestDatabase::create("attestation", MIGRATIONS).await.unwrap();
    let url = database.migrator_url.clone().into();
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 5);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 5);
    let mut db = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    for (condition, tables) in [("is null", 0), ("is not null", 8)] {
        let count = format!(
            "select 1 from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' \
             and relname not like '\\_\\_%' and obj_description(oid) {condition}"
        );
        assert_eq!(diesel::sql_query(count).execute(&mut db).await, Ok(tables));
    }
}

/// A former build becomes the text that it was, and who was decoyed is neither pardoned nor believed.
#[tokio::test(flavor = "multi_thread")]
async fn former_rows_keep_their_build_and_their_mark() {
    let database = TestDatabase::create("attestation", MIGRATIONS).await.unwrap();
    storage::revert(&database.migrator_url.clone().into(), MIGRATIONS).await.unwrap();
    let mut db = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    let row = |name: char, build: &str, marks: &str| {
        let jkt = name.to_string().repeat(43);
        format!("insert into instances values ('{jkt}', 'ios', 'c', 'a', {build}, 'secure_enclave', {marks});")
    };
    let former = [row('a', "4294967295", "false, now(), now()"), row('b', "7", "true, now(), now()")].concat();
    for statements in [
        include_str!("../../migrations/00000000000001_attestation/up.sql"),
        &former,
        include_str!("../../migrations/00000000000002_builds/up.sql"),
        include_str!("../../migrations/00000000000003_pardons/up.sql"),
    ] {
        db.batch_execute(statements).await.unwrap();
    }
    let mut count = async |condition: &str| {
        diesel::sql_query(format!("select 1 from instances where {condition}")).execute(&mut db).await.unwrap()
    };
    assert_eq!(count("app_build = '4294967295' and believed and not decoyed").await, 1);
    assert_eq!(count("app_build = '7' and decoyed and not believed").await, 1);

    // And back: what the former version cannot say it refuses.
    let refused = row('c', "'1.4.2'", "false, now(), now(), false");
    for statements in [
        &refused,
        include_str!("../../migrations/00000000000003_pardons/down.sql"),
        include_str!("../../migrations/00000000000002_builds/down.sql"),
    ] {
        db.batch_execute(statements).await.unwrap();
    }
    let mut count = async |condition: &str| {
        diesel::sql_query(format!("select 1 from instances where {condition}")).execute(&mut db).await.unwrap()
    };
    assert_eq!(count("app_build = 0 and decoyed").await, 1);
    assert_eq!(count("app_build = 4294967295 and not decoyed").await, 1);
    assert_eq!(count("app_build = 7 and decoyed").await, 1);
}
