//! What the database keeps.

use auth::MIGRATIONS;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use serde_json::json;
use testkit::database::TestDatabase;
use testkit::passkey::Passkey;

use crate::browser::{Browser, parameter, tokens};
use crate::draft::Client;
use crate::passkey::{add, asked, owner};
use crate::second_factor::{awaiting, enrolled, methods, said, type_code};
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

/// The one text that a query finds, as `line`.
pub(crate) async fn line(world: &World, query: &str) -> String {
    let mut session = connect(&world.database.superuser_url).await;
    diesel::sql_query(query).get_result::<Line>(&mut session).await.unwrap().line
}

pub(crate) async fn count(world: &World, query: &str) -> i64 {
    let mut session = connect(&world.database.superuser_url).await;
    diesel::sql_query(query).get_result::<Count>(&mut session).await.unwrap().count
}

#[tokio::test]
async fn every_migration_can_be_undone() {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let url = crypto::SecretString::from(database.migrator_url.as_str());
    assert_eq!(storage::revert(&url, MIGRATIONS).await.unwrap(), 12);
    let mut session = connect(&database.superuser_url).await;
    let query = "select count(*) as count from pg_tables where schemaname = 'public' and tablename <> '__diesel_schema_migrations'";
    let left: Count = diesel::sql_query(query).get_result(&mut session).await.unwrap();
    assert_eq!(left.count, 0);
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 12);
}

/// What was granted before instances were noted, in tables that got another owner since their policies were made.
#[tokio::test]
async fn whoever_came_before_instances_were_noted_is_as_old_as_their_first_grant() {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let mut migrator = connect(&database.migrator_url).await;
    for down in [
        include_str!("../../migrations/00000000000012_validated/down.sql"),
        include_str!("../../migrations/00000000000011_places/down.sql"),
        include_str!("../../migrations/00000000000010_instances/down.sql"),
    ] {
        migrator.batch_execute(down).await.unwrap();
    }
    let mut session = connect(&database.superuser_url).await;
    for (person, phones) in [
        // The first within the hour; it was granted more later, and another one came.
        ("01", "('a', 60, null), ('a', 3000, null), ('b', 9000, null), ('approves', 30, 90), (null, 10, null)"),
        // The account was there for long.
        ("02", "('c', 3601, null), ('d', 3601, null)"),
        ("03", "('a', 3600, null)"),
    ] {
        let rows = format!(
            "insert into users values ('01890a5d-ac96-774b-bcce-b302099a80{person}', sha256('{person}'), 'x', 'x', '$argon2id$', '2026-01-01 00:00Z'); \
             insert into grants (id, user_id, client_id, scope, jkt, authenticated_at, created_at, expires_at) \
             select gen_random_uuid(), u.id, 'c', 's', rpad(p.jkt, 43, 'x'), u.created_at, u.created_at + make_interval(secs => p.after), \
                 u.created_at + make_interval(secs => p.ends::int) \
             from users u, (values {phones}) p (jkt, after, ends) where u.id = '01890a5d-ac96-774b-bcce-b302099a80{person}'"
        );
        session.batch_execute(&rows).await.unwrap();
    }
    let another = "alter policy everything_for_migrations on users to pg_monitor; alter policy everything_for_migrations on grants to pg_monitor";
    session.batch_execute(another).await.unwrap();
    let url = crypto::SecretString::from(database.migrator_url.as_str());
    forget(&mut session, ["00000000000010", "00000000000011", "00000000000012"]).await;
    assert_eq!(storage::migrate(&url, MIGRATIONS).await.unwrap(), 3);
    let query = "select string_agg(right(i.user_id::text, 2) || rtrim(jkt, 'x') || ' ' || extract(epoch from since - created_at)::int \
        || case when first then ' first' else '' end, ', ' order by i.user_id, jkt) as line from instances i join users u on u.id = i.user_id";
    let noted: Line = diesel::sql_query(query).get_result(&mut session).await.unwrap();
    assert_eq!(noted.line, "01a 60 first, 01b 9000, 02c 3601, 02d 3601, 03a 3600 first");
    // And the trigger reads them, too.
    let user = "01890a5d-ac96-774b-bcce-b302099a8004";
    let later = format!(
        "insert into users values ('{user}', sha256('4'), 'x', 'x', '$argon2id$', now()); \
         insert into instances (user_id, jkt, since) values ('{user}', repeat('e', 43), now())"
    );
    session.batch_execute(&later).await.unwrap();
    let query = format!("select first::text as line from instances where user_id = '{user}'");
    assert_eq!(diesel::sql_query(query).get_result::<Line>(&mut session).await.unwrap().line, "true");
}

/// As if these had never been run.
async fn forget(session: &mut AsyncPgConnection, versions: [&str; 3]) {
    let list = versions.map(|version| format!("'{version}'")).join(", ");
    let query = format!("delete from __diesel_schema_migrations where version in ({list})");
    assert_eq!(diesel::sql_query(query).execute(session).await.unwrap(), 3);
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

#[tokio::test]
async fn whoever_goes_back_before_passkeys_keeps_what_the_former_version_knows() {
    let world = World::start().await;
    // One has a passkey only, the other an app beside it, and has logged in with the passkey.
    owner(&world).await;
    let client = Client::app();
    let (email, app) = enrolled(&world).await;
    let (mut browser, verifier) = awaiting(&world, &client, &email).await;
    assert_eq!(type_code(&mut browser, &app.code(world.now())).await.status, 303);
    let passkey = Passkey::generate();
    assert_eq!(add(&mut browser, &passkey, "Beside it").await.status, 303);
    browser.get("/consent").await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let tokens = client.redemption(&world, &code, &verifier).await.send(&world).await;
    assert_eq!(said(&tokens.member("access_token"))["amr"], json!(["pwd", "pop", "user", "mfa"]));
    let (_, page, _) = asked(&world, &client, &email).await;
    assert!(page.text.contains("Log in with a passkey"), "{}", page.text);
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 20);

    let down = include_str!("../../migrations/00000000000008_passkeys/down.sql");
    connect(&world.database.migrator_url).await.batch_execute(down).await.unwrap();
    for (query, left) in [
        // Whose only second factor it was has none, and no codes that stand in for it.
        ("recovery_codes", 10),
        ("recovery_codes join totp_secrets using (user_id)", 10),
        ("users", 2),
        ("grants where second_factor = 'recovery'", 1),
        ("grants where second_factor is distinct from 'recovery'", 0),
        ("interactions where second_factor = 'passkey' or awaits_user_id is not null", 0),
        ("pg_tables where tablename like 'passkey%'", 0),
    ] {
        assert_eq!(count(&world, &format!("select count(*) as count from {query}")).await, left, "{query}");
    }
    // And forth again, with what is there.
    let up = include_str!("../../migrations/00000000000008_passkeys/up.sql");
    connect(&world.database.migrator_url).await.batch_execute(up).await.unwrap();
    assert_eq!(methods(&world, &client, &email, Some(&app.paper[0])).await, json!(["pwd", "mfa"]));
}
