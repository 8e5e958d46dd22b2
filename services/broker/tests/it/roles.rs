//! Each role of the service, signed in as: what it may do is this list, and what it may not is refused.

use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use runtime::Service as _;
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

const TABLES: [&str; 2] = ["secrets", "webhook_inbox"];

fn message(id: u8, state: &str, settled: &str) -> String {
    let body = if state == "pending" { "'\\x7b7d'" } else { "null" };
    format!(
        "insert into webhook_inbox (id, provider, event_id, kind, digest, body, state, received_at, next_attempt_at, settled_at) \
         values ('01890a5d-ac96-774b-bcce-b302099a800{id}', 'p', 'evt_{id}', 'k', sha256('x'), {body}, '{state}', now(), now(), {settled})"
    )
}

/// A secret, a version of it that is destroyed, a message that waits, one that was settled now and one that was 31 days ago.
async fn filled() -> TestDatabase {
    let database = TestDatabase::create("broker", broker::Broker::migrations().unwrap()).await.unwrap();
    let mut superuser = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    for row in [
        "insert into secrets values ('p', 'api', 1, null, now(), now() - interval '1 day'), \
         ('p', 'api', 2, '\\x00', now(), null)"
            .to_owned(),
        message(1, "pending", "null"),
        message(2, "delivered", "now()"),
        message(3, "delivered", "now() - interval '31 days'"),
    ] {
        superuser.batch_execute(&row).await.unwrap();
    }
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_role_has_these_rights_and_no_others() {
    let database = filled().await;
    let expected = [
        "call webhook_inbox_purge(before timestamp with time zone)",
        "secrets select (provider, id, version, record, retired_at)",
        "webhook_inbox insert (id, provider, event_id, kind, digest, body, traceparent, state, received_at, next_attempt_at, settled_at, last_error)",
        "webhook_inbox select (id, provider, event_id, kind, digest, body, traceparent, state, attempts, received_at, next_attempt_at, settled_at, last_error, reopened)",
        "webhook_inbox update (body, state, attempts, next_attempt_at, settled_at, last_error, reopened)",
    ];
    assert_eq!(rights(&database, "broker_app").await.unwrap(), expected);
    assert_eq!(rights(&database, "broker_migrator").await.unwrap(), ["be broker_owner"]);
    let sealer = [
        "secrets insert (provider, id, version, record, sealed_at)",
        "secrets select (provider, id, version, record, retired_at)",
        "secrets update (record, retired_at)",
    ];
    assert_eq!(rights(&database, "broker_sealer").await.unwrap(), sealer);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_serving_role_has_no_business_with_is_refused() {
    let database = filled().await;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("broker_owner", table)).collect();
    let own = [
        "insert into secrets values ('x', 'y', 1, '\\x00', now(), null)",
        "update secrets set record = '\\x00'",
        "update secrets set retired_at = now(), record = null",
        "delete from secrets",
        "select sealed_at from secrets",
        "delete from webhook_inbox",
        "update webhook_inbox set id = id",
        "update webhook_inbox set event_id = 'x'",
        "update webhook_inbox set digest = '\\x00'",
        "update webhook_inbox set received_at = now()",
        "insert into webhook_inbox (attempts) values (-5)",
        "select webhook_inbox_guard()",
        "select secrets_guard()",
    ];
    statements.extend(own.map(str::to_owned));
    assert_eq!(not_forbidden(&database.app_url, &statements).await.unwrap(), []);
    // By the trigger, not by a right: the message is a column that is cleared.
    for changed in ["body = '\\x00'", "reopened = 5"] {
        let statement = format!("update webhook_inbox set {changed} where state = 'pending'");
        let refused = attempt(&database.app_url, &statement).await.unwrap();
        assert_eq!(refused.as_deref(), Some("23514"), "{changed}");
    }
    // The migrator, when it does not act as the owner, has no rights at all.
    for table in TABLES {
        let refused = attempt(&database.migrator_url, &format!("set role none; select 1 from {table}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_seals_adds_and_destroys_secrets_and_does_nothing_else() {
    let database = filled().await;
    let sealer = &database.sealer_url;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("broker_owner", table)).collect();
    let own = [
        // What came in is nothing to it.
        "select 1 from webhook_inbox",
        "select id from webhook_inbox",
        "insert into webhook_inbox (id) values ('01890a5d-ac96-774b-bcce-b302099a8009')",
        "update webhook_inbox set body = null",
        "delete from webhook_inbox",
        "select webhook_inbox_purge(now())",
        "select webhook_inbox_guard()",
        "select secrets_guard()",
        // Nor is history.
        "delete from secrets",
        "select sealed_at from secrets",
        "update secrets set sealed_at = now()",
        "update secrets set version = 7",
        "update secrets set provider = 'q'",
        // By a policy: nothing is born destroyed, and what is there stays as it is or is destroyed.
        "insert into secrets (provider, id, version, record, sealed_at) values ('x', 'y', 1, null, now())",
        "update secrets set record = '\\x01' where version = 2",
        "update secrets set record = '\\x01', retired_at = null where version = 2",
        "set role broker_app",
        "set role broker_migrator",
    ];
    statements.extend(own.map(str::to_owned));
    assert_eq!(not_forbidden(sealer, &statements).await.unwrap(), []);
    let added = "insert into secrets (provider, id, version, record, sealed_at) values ('p', 'api', 3, '\\x00', now())";
    let retired = "update secrets set record = null, retired_at = now() where retired_at is null";
    for (statement, count) in [
        (added, 1),
        // To number the next one, destroyed ones are seen, too.
        ("select version from secrets where provider = 'p' for update", 2),
        (retired, 1),
    ] {
        assert_eq!(rows(sealer, "", statement).await.unwrap(), count, "{statement}");
    }
    // Each of its policies is needed: without it, the same is refused or finds nothing.
    let mut superuser = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    superuser
        .batch_execute("drop policy versions_are_destroyed on secrets; drop policy new_versions on secrets")
        .await
        .unwrap();
    assert_eq!(attempt(sealer, added).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(rows(sealer, "", retired).await.unwrap(), 0);
}

/// Whoever may write to the table at all: by the trigger, not by a right.
#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_version_never_changes_again() {
    let database = filled().await;
    let destroyed = "where provider = 'p' and id = 'api' and version = 1";
    for (who, url) in
        [("sealer", &database.sealer_url), ("migrator", &database.migrator_url), ("superuser", &database.superuser_url)]
    {
        for change in [
            "record = '\\x00', retired_at = null",
            "retired_at = null",
            "retired_at = now()",
            "retired_at = now() + interval '1 year'",
            "record = null, retired_at = retired_at",
        ] {
            let refused = attempt(url, &format!("update secrets set {change} {destroyed}")).await.unwrap();
            assert_eq!(refused.as_deref(), Some("23514"), "{who}: {change}");
        }
        // From the moment on in which it is destroyed.
        let twice = "update secrets set record = null, retired_at = now() where version = 2;
                     update secrets set retired_at = now() + interval '1 day' where version = 2";
        assert_eq!(attempt(url, twice).await.unwrap().as_deref(), Some("23514"), "{who}");
    }
    for change in ["version = 7", "sealed_at = now()", "provider = 'q'", "id = 'x'"] {
        let refused =
            attempt(&database.superuser_url, &format!("update secrets set {change} {destroyed}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some("23514"), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_needs_it_may() {
    let database = filled().await;
    let app = &database.app_url;
    let purge = "select 1 from generate_series(1, (select webhook_inbox_purge(now() + interval '1 year'))::int)";
    for (statement, count) in [
        ("select record from secrets where retired_at is null", 1),
        (&message(4, "pending", "null"), 1),
        ("update webhook_inbox set attempts = attempts + 1 where state = 'pending' returning *", 1),
        ("update webhook_inbox set state = 'delivered', body = null, settled_at = now() where state = 'pending'", 1),
        // A replay of what was settled within 30 days is still found, whatever time the serving role gives.
        (purge, 1),
    ] {
        assert_eq!(rows(app, "", statement).await.unwrap(), count, "{statement}");
    }
    // A migration acts as the owner, who has rows by a policy, not by owning.
    let migration = &database.migrator_url;
    let retire = "update secrets set record = null, retired_at = now() where retired_at is null";
    assert_eq!(rows(migration, "", retire).await.unwrap(), 1);
    let without = "drop policy everything_for_migrations on secrets;";
    assert_eq!(rows(migration, without, retire).await.unwrap(), 0);
    // Were the right to write granted by mistake, no policy would let it.
    let mut superuser = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    superuser.batch_execute("grant select, insert, update, delete on secrets to broker_app").await.unwrap();
    for (statement, count) in [(retire, 0), ("delete from secrets", 0)] {
        assert_eq!(rows(app, "", statement).await.unwrap(), count, "{statement}");
    }
    let sealed = "insert into secrets values ('x', 'y', 1, '\\x00', now(), null)";
    assert_eq!(attempt(app, sealed).await.unwrap().as_deref(), Some(FORBIDDEN));
}
