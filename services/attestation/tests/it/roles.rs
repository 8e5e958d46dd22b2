//! Each role of the service, signed in as: what it may do is this list, what it may not is refused, and whose rows it sees it has to say.

use attestation::MIGRATIONS;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

const TABLES: [&str; 8] = [
    "instances",
    "app_attest_keys",
    "evidence",
    "verdicts",
    "pardons",
    "used_evidence",
    "used_challenges",
    "attesting_days",
];

/// The thumbprint of one of two instances.
fn jkt(name: char) -> String {
    name.to_string().repeat(43)
}

fn about(name: char) -> String {
    format!("select set_config('app.subject', '{}', true);", jkt(name))
}

fn instance(name: char) -> String {
    format!(
        "insert into instances values ('{}', 'ios', 'c', 'a', '1', 'secure_enclave', false, now(), now(), true)",
        jkt(name)
    )
}

fn verdict(name: char) -> String {
    format!(
        "insert into verdicts values (gen_random_uuid()::text, now(), 'assertion', true, '{{}}', '{{}}', '{}', 'ios', 'c', 'a', '1', 'tee', 'p', '{{}}')",
        jkt(name)
    )
}

/// A row of each kind for both of them.
async fn two_instances() -> TestDatabase {
    let database = TestDatabase::create("attestation", MIGRATIONS).await.unwrap();
    let mut superuser = AsyncPgConnection::establish(&database.superuser_url).await.unwrap();
    for name in ['a', 'b'] {
        let jkt = jkt(name);
        for row in [
            instance(name),
            verdict(name),
            format!("insert into app_attest_keys values (sha256('{name}'), '{jkt}', sha512('x') || '\\x00', 7, true)"),
            format!("insert into evidence values ('{jkt}', now(), array['\\x00'::bytea], null, null)"),
            format!("insert into pardons (jkt, reason) values ('{jkt}', 'x')"),
            format!("insert into used_evidence values (sha256('{name}'), now())"),
            format!("insert into used_challenges values (sha256('{name}'), now() - interval '1 minute')"),
            format!("insert into attesting_days values (sha256('{name}'), current_date, 3)"),
        ] {
            superuser.batch_execute(&row).await.unwrap();
        }
    }
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_has_these_rights_and_no_others() {
    let database = TestDatabase::create("attestation", MIGRATIONS).await.unwrap();
    let expected = [
        "app_attest_keys insert (key_id, jkt, public_key, counter, tells_build)",
        "app_attest_keys select (key_id, jkt, public_key, counter, tells_build)",
        "app_attest_keys update (counter, tells_build)",
        "attesting_days insert (attesting, day, enrolments)",
        "attesting_days select (attesting, day, enrolments)",
        "attesting_days update (enrolments)",
        "call forget_challenges(before timestamp with time zone)",
        "call subject()",
        "evidence insert (jkt, at, parts, attesting, patch_level)",
        "evidence select (jkt, at, parts, attesting, patch_level)",
        "evidence update (at, parts, attesting, patch_level)",
        "instances insert (jkt, platform, client_id, app_id, app_build, level, decoyed, attested_at, renewed_at, believed)",
        "instances select (jkt, platform, client_id, app_id, app_build, level, decoyed, attested_at, renewed_at, believed)",
        "instances update (platform, client_id, app_id, app_build, level, decoyed, attested_at, renewed_at, believed)",
        "used_challenges insert (hash, expires_at)",
        "used_evidence insert (hash, used_at)",
        "verdicts insert (support_id, at, kind, genuine, reasons, notes, jkt, platform, client_id, app_id, app_build, level, policy, token_ids)",
    ];
    assert_eq!(rights(&database, "attestation_app").await.unwrap(), expected);
    assert_eq!(rights(&database, "attestation_migrator").await.unwrap(), ["be attestation_owner"]);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_no_business_with_is_refused() {
    let database = two_instances().await;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("attestation_owner", table)).collect();
    statements.extend(TABLES.map(|table| format!("delete from {table}")));
    let own = [
        "update instances set jkt = jkt",
        "update app_attest_keys set jkt = jkt",
        "update app_attest_keys set public_key = public_key",
        "update evidence set jkt = jkt",
        "select 1 from verdicts",
        "update verdicts set genuine = true",
        "select 1 from pardons",
        "insert into pardons (jkt, reason) values ('x', 'x')",
        "select pardon('x', 'x')",
        "select 1 from used_evidence",
        "update used_evidence set used_at = used_at",
        "select 1 from used_challenges",
        "update used_challenges set expires_at = expires_at",
        "update attesting_days set day = day",
        "update attesting_days set enrolments = 1",
        "update attesting_days set enrolments = enrolments + 2",
        "insert into attesting_days values (sha256('c'), current_date, 2)",
    ];
    statements.extend(own.map(|statement| format!("{} {statement}", about('a'))));
    assert_eq!(not_forbidden(&database.app_url, &statements).await.unwrap(), []);
    // The migrator, when it does not act as the owner, has no rights at all.
    for table in TABLES {
        let refused = attempt(&database.migrator_url, &format!("set role none; select 1 from {table}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_seen_and_written_by_who_says_that_it_is_this_one() {
    let database = two_instances().await;
    let app = &database.app_url;
    let nobody = "select set_config('app.subject', '', true);".to_owned();
    for (says, sees) in [(String::new(), 0), (nobody, 0), (about('c'), 0), (about('a'), 1)] {
        for query in [
            "select 1 from instances",
            "select 1 from app_attest_keys",
            "select 1 from evidence",
            "update instances set renewed_at = now()",
            "update app_attest_keys set counter = counter + 1",
            "update evidence set at = now()",
        ] {
            assert_eq!(rows(app, &says, query).await.unwrap(), sees, "{says} {query}");
        }
    }
    for (statement, twin) in [
        (verdict('b'), verdict('a')),
        (instance('d'), format!("{} {}", about('d'), instance('d'))),
        (
            format!("insert into evidence values ('{}', now(), array['\\x00'::bytea], null, null)", jkt('b')),
            format!(
                "{0} {1}; insert into evidence values ('{2}', now(), array['\\x00'::bytea], null, null)",
                about('d'),
                instance('d'),
                jkt('d')
            ),
        ),
    ] {
        let refused = attempt(app, &format!("{} {statement}", about('a'))).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{statement}");
        assert_eq!(attempt(app, &format!("{} {twin}", about('a'))).await.unwrap(), None, "{twin}");
    }
    // Forced: the owner of the tables reads them by a policy of its own, not by owning them.
    assert_eq!(rows(&database.migrator_url, "", "select 1 from instances").await.unwrap(), 2);
    let without = "drop policy everything_for_migrations on instances;";
    assert_eq!(rows(&database.migrator_url, without, "select 1 from instances").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_forgotten_when_nobody_can_use_it_again_and_not_before() {
    let database = two_instances().await;
    let app = &database.app_url;
    let used = "insert into used_challenges values (sha256('c'), now() + interval '1 minute') on conflict do nothing";
    assert_eq!(rows(app, "", used).await.unwrap(), 1);
    let count = "insert into attesting_days as known values (sha256('a'), current_date, 1) \
                 on conflict (attesting, day) do update set enrolments = known.enrolments + 1 returning enrolments";
    assert_eq!(rows(app, "", count).await.unwrap(), 1);
    let gone = |moment| format!("select 1 from generate_series(1, (select forget_challenges({moment}))::int)");
    assert_eq!(rows(app, &format!("{used};"), &gone("now() + interval '1 year'")).await.unwrap(), 2);
    assert_eq!(rows(app, "", &gone("now() - interval '1 year'")).await.unwrap(), 0);
}
