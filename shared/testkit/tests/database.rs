//! The test database: a clone per test, roles that can do what was granted and nothing else, nothing left behind.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use testkit::database::{self, TestDatabase};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/migrations");

async fn run(url: &str, sql: &str) -> Result<(), String> {
    let mut connection = AsyncPgConnection::establish(url).await.map_err(|e| e.to_string())?;
    connection.batch_execute(sql).await.map_err(|e| e.to_string())
}

#[tokio::test]
async fn two_tests_do_not_see_each_other() {
    let (one, two) =
        tokio::try_join!(TestDatabase::create("note", MIGRATIONS), TestDatabase::create("note", MIGRATIONS)).unwrap();
    assert_ne!(one.name(), two.name());
    run(&one.app_url, "insert into note values (1, 'one')").await.unwrap();
    run(&two.app_url, "insert into note values (1, 'two')").await.unwrap();
}

#[tokio::test]
async fn the_app_role_has_only_what_the_migrations_grant() {
    let database = TestDatabase::create("note", MIGRATIONS).await.unwrap();
    for refused in ["delete from note", "drop table note", "create table other (id int)", "create role other"] {
        let reason = run(&database.app_url, refused).await.unwrap_err();
        assert!(reason.contains("permission denied") || reason.contains("must be owner"), "{refused}: {reason}");
    }
    run(&database.migrator_url, "alter table note add column more int").await.unwrap();
}

#[tokio::test]
async fn nobody_who_signs_in_owns_a_table() {
    let database = TestDatabase::create("note", MIGRATIONS).await.unwrap();
    let holds = |what: &str| format!("do $$ begin assert {what}; end $$");
    let superuser = &database.superuser_url;
    run(superuser, &holds("(select tableowner from pg_tables where tablename = 'note') = 'note_owner'")).await.unwrap();
    run(superuser, &holds("not (select rolcanlogin from pg_roles where rolname = 'note_owner')")).await.unwrap();
    // The migrator acts as the owner and is nobody by itself; the role that serves can become neither.
    run(&database.migrator_url, &holds("(session_user, current_user) = ('note_migrator', 'note_owner')"))
        .await
        .unwrap();
    for refused in
        ["set role note_owner", "set role note_migrator", "alter table note disable trigger all", "drop table note"]
    {
        let reason = run(&database.app_url, refused).await.unwrap_err();
        assert!(reason.contains("permission denied") || reason.contains("must be owner"), "{refused}: {reason}");
    }
    let reason = run(&database.migrator_url, "set role none; drop table note").await.unwrap_err();
    assert!(reason.contains("must be owner"), "{reason}");
}

#[tokio::test]
async fn migrations_are_refused_to_a_role_that_would_own_and_can_sign_in() {
    let database = TestDatabase::create("remark", EmbeddedMigrations::new(&[])).await.unwrap();
    let refusal = storage::migrate(&database.superuser_url.as_str().into(), MIGRATIONS).await.unwrap_err().to_string();
    assert!(refusal.contains("who can sign in"), "{refusal}");
    assert!(run(&database.superuser_url, "select from note").await.unwrap_err().contains("does not exist"));
    assert_eq!(storage::migrate(&database.migrator_url.as_str().into(), MIGRATIONS).await.unwrap(), 1);
}

#[tokio::test]
async fn a_role_enters_only_its_own_database() {
    let database = TestDatabase::create("note", MIGRATIONS).await.unwrap();
    let other = TestDatabase::create("remark", EmbeddedMigrations::new(&[])).await.unwrap();
    let astray = database.app_url.replace(database.name(), other.name());
    assert!(run(&astray, "select 1").await.unwrap_err().contains("permission denied for database"));
}

#[tokio::test]
async fn a_dropped_test_database_is_gone_with_its_files() {
    let database = TestDatabase::create("note", MIGRATIONS).await.unwrap();
    let (url, file) = (database.app_url.clone(), database.files.app.clone());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), url);
    drop(database);
    assert!(run(&url, "select 1").await.unwrap_err().contains("does not exist"));
    assert!(!file.exists());
}

#[tokio::test]
async fn provisioned_roles_work_and_a_foreign_database_is_left_alone() {
    let host = TestDatabase::create("note", MIGRATIONS).await.unwrap();
    let out = std::env::temp_dir().join(host.name());
    let services = ["provisiontest"];
    for _ in 0..2 {
        database::provision(&host.superuser_url, &services, &out).await.unwrap();
    }
    let migrator = std::fs::read_to_string(out.join("provisiontest/migrator.url")).unwrap();
    run(&migrator, "create table t (id int)").await.unwrap();
    database::remove(&host.superuser_url, &services).await.unwrap();
    let left = "do $$ begin assert not exists (select from pg_roles where rolname like 'provisiontest%'); end $$";
    run(&host.superuser_url, left).await.unwrap();

    run(&host.superuser_url, "create database redoubt_provisiontest").await.unwrap();
    let refusal = database::provision(&host.superuser_url, &services, &out).await.unwrap_err().to_string();
    run(&host.superuser_url, "drop database redoubt_provisiontest").await.unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    assert!(refusal.contains("left alone"), "{refusal}");
}
