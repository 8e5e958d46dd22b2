//! Each role of the service, signed in as: what it may do is this list, what it may not is refused, and whose rows it sees it has to say.

use auth::MIGRATIONS;
use diesel_async::SimpleAsyncConnection as _;
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rights, rows, unguarded};

use crate::database::connect;

pub(crate) const ALICE: &str = "01890a5d-ac96-774b-bcce-b302099a8001";
pub(crate) const BOB: &str = "01890a5d-ac96-774b-bcce-b302099a8002";
const TABLES: [&str; 13] = [
    "users",
    "pushed_requests",
    "interactions",
    "grants",
    "authorization_codes",
    "refresh_tokens",
    "login_throttles",
    "approved_payments",
    "totp_secrets",
    "recovery_codes",
    "passkeys",
    "passkey_ceremonies",
    "instances",
];

/// The hash of `what` of a person, as SQL: of a code, a token, a cookie, a request, an address or an identifier.
fn hash(what: &str, person: &str) -> String {
    format!("sha256('{what}{person}')")
}

/// Says whose rows the transaction is about.
pub(crate) fn about(person: &str) -> String {
    format!("select set_config('app.subject', '{person}', true);")
}

/// Says what the transaction looks for.
pub(crate) fn seeking(what: &str, person: &str) -> String {
    format!("select set_config('app.sought', array[{}]::text, true);", hash(what, person))
}

/// A row of each for both, one hour to live; all of it is under the person's id.
pub(crate) async fn two_people() -> TestDatabase {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let mut superuser = connect(&database.superuser_url).await;
    for person in [ALICE, BOB] {
        let of = |what| hash(what, person);
        let (challenge, soon) = ("x".repeat(43), "now() + interval '1 hour'");
        let rows = [
            format!("users values ('{person}', {}, 'x', 'x', '$argon2id$', now())", of("address")),
            format!("pushed_requests values ({}, 'c', null, '{{}}', 0, {soon})", of("request")),
            format!("interactions values ({}, {}, '{person}', now(), {soon})", of("cookie"), of("request")),
            format!("grants values ('{person}', '{person}', 'c', 's', '{challenge}', now(), now(), now(), 'x')"),
            format!(
                "authorization_codes values ({}, '{person}', 'c', 'u', '{challenge}', null, null, {soon}, now())",
                of("code")
            ),
            format!("refresh_tokens values ({}, '{person}', now(), {soon})", of("token")),
            format!("approved_payments values ('{person}', 'x', {soon})"),
            format!("totp_secrets values ('{person}', 'x', 7, now())"),
            format!("recovery_codes values ({}, '{person}')", of("recovery")),
            format!(
                "passkeys values ('{person}', '{person}', {}, decode(repeat('04', 65), 'hex'), 7, false, false, 'x', now())",
                of("credential")
            ),
            format!("passkey_ceremonies values ({}, '{person}', sha256('nonce'), {soon})", of("cookie")),
            format!("instances values ('{person}', '{challenge}', now())"),
            format!("client_assertions values ({}, {soon})", of("assertion")),
            format!("login_throttles values ({}, 3, {soon}, now())", of("identifier")),
        ];
        for row in rows {
            superuser.batch_execute(&format!("insert into {row}")).await.unwrap();
        }
    }
    database
}

#[tokio::test]
async fn the_app_has_these_rights_and_no_others() {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let expected = [
        "approved_payments delete",
        "approved_payments insert (grant_id, sealed, expires_at)",
        "approved_payments select (grant_id, sealed, expires_at)",
        "authorization_codes insert (code_hash, grant_id, client_id, redirect_uri, code_challenge, nonce, jkt, expires_at)",
        "authorization_codes select (code_hash, grant_id, client_id, redirect_uri, code_challenge, nonce, jkt, expires_at, used_at)",
        "authorization_codes update (used_at)",
        "call end_other_sign_ins()",
        "call forget(moment timestamp with time zone)",
        "call forget_outbox(moment timestamp with time zone)",
        "call sought()",
        "call subject()",
        "call under_way()",
        "client_assertions insert (id_hash, expires_at)",
        "grants insert (id, user_id, client_id, scope, authenticated_at, created_at, expires_at, second_factor, factor_since)",
        "grants select (id, user_id, client_id, scope, jkt, authenticated_at, revoked_at, expires_at, second_factor, factor_since)",
        "grants update (jkt, revoked_at, revoked_reason)",
        "instances insert (user_id, jkt, since)",
        "instances select (user_id, jkt, since, first)",
        "interactions delete",
        "interactions insert (browser_hash, request_hash, user_id, authenticated_at, expires_at, awaits_user_id, second_factor, factor_since)",
        "interactions select (browser_hash, request_hash, user_id, authenticated_at, expires_at, shown_sealed, awaits_user_id, second_factor, enrolling_sealed, factor_since)",
        "interactions update (shown_sealed, enrolling_sealed)",
        "login_throttles delete",
        "login_throttles insert (identifier_hash, failures, blocked_until, last_attempt_at)",
        "login_throttles select (identifier_hash, failures, blocked_until)",
        "login_throttles update (failures, blocked_until, last_attempt_at)",
        "outbox delete",
        "outbox insert (id, kind, user_id, happened_at, jkt, detail, since, next_attempt_at, country, network)",
        "outbox select (id, kind, user_id, happened_at, jkt, detail, since, attempts, next_attempt_at, country, network)",
        "outbox update (attempts, next_attempt_at)",
        "passkey_ceremonies delete",
        "passkey_ceremonies insert (browser_hash, user_id, nonce, expires_at)",
        "passkey_ceremonies select (browser_hash, user_id, nonce, expires_at)",
        "passkey_ceremonies update (user_id, nonce, expires_at)",
        "passkeys delete",
        "passkeys insert (id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, name_sealed, created_at)",
        "passkeys select (id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, name_sealed, created_at, last_used_at)",
        "passkeys update (sign_count, backup_eligible, backed_up, last_used_at)",
        "pushed_requests insert (id_hash, client_id, jkt, parameters, expires_at)",
        "pushed_requests select (id_hash, client_id, jkt, parameters, attempts, expires_at, completed_at)",
        "pushed_requests update (attempts, completed_at)",
        "recovery_codes delete",
        "recovery_codes insert (code_hash, user_id)",
        "recovery_codes select (code_hash, user_id)",
        "refresh_tokens insert (token_hash, grant_id, last_used_at, expires_at, device_told, seen_in, seen_told_at)",
        "refresh_tokens select (token_hash, grant_id, last_used_at, expires_at, device_told, seen_in, seen_told_at)",
        "refresh_tokens update (last_used_at, device_told, seen_in, seen_told_at)",
        "totp_secrets delete",
        "totp_secrets insert (user_id, sealed, last_step, created_at)",
        "totp_secrets select (user_id, sealed, last_step, created_at)",
        "totp_secrets update (last_step)",
        "users insert (id, email_lookup, email_sealed, name_sealed, password_hash, created_at)",
        "users select (id, email_lookup, email_sealed, name_sealed, password_hash)",
        "users update (password_hash)",
    ];
    assert_eq!(rights(&database, "auth_app").await.unwrap(), expected);
    assert_eq!(rights(&database, "auth_migrator").await.unwrap(), ["be auth_owner"]);
    assert_eq!(unguarded(&database).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_app_has_no_business_with_is_refused() {
    let database = two_people().await;
    let mut statements: Vec<String> =
        TABLES.iter().flat_map(|table| refused_to_everybody("auth_owner", table)).collect();
    let own = [
        "delete from users",
        "update users set email_lookup = email_lookup",
        "update users set id = id",
        "select created_at from users",
        "delete from grants",
        "update grants set scope = scope",
        "update grants set user_id = user_id",
        "insert into grants (revoked_at) values (now())",
        "delete from authorization_codes",
        "update authorization_codes set jkt = null",
        "update authorization_codes set expires_at = expires_at",
        "insert into authorization_codes (used_at) values (null)",
        "delete from pushed_requests",
        "update pushed_requests set parameters = parameters",
        "update interactions set user_id = user_id",
        "insert into interactions (shown_sealed) values ('x')",
        "insert into interactions (enrolling_sealed) values ('x')",
        "update interactions set awaits_user_id = null",
        "update interactions set second_factor = 'otp'",
        "update grants set second_factor = 'otp'",
        "update totp_secrets set sealed = sealed",
        "update totp_secrets set user_id = user_id",
        "update recovery_codes set code_hash = code_hash",
        "select rises()",
        "select counts_up()",
        "select few()",
        "select no_codes_without_a_factor()",
        "update passkeys set public_key = public_key",
        "update passkeys set user_id = user_id",
        "insert into passkeys (last_used_at) values (now())",
        "update approved_payments set sealed = sealed",
        "delete from refresh_tokens",
        "update refresh_tokens set expires_at = expires_at",
        "update refresh_tokens set grant_id = grant_id",
        "select 1 from client_assertions",
        "delete from client_assertions",
        "update client_assertions set expires_at = expires_at",
        "update login_throttles set identifier_hash = identifier_hash",
        "select happens_once()",
    ];
    // With all that a taken-over app could say of whom it serves.
    statements.extend(own.map(|statement| format!("{} {} {statement}", about(ALICE), seeking("code", ALICE))));
    assert_eq!(not_forbidden(&database.app_url, &statements).await.unwrap(), []);
    // The migrator, when it does not act as the owner, has no rights at all.
    for table in TABLES {
        let refused = attempt(&database.migrator_url, &format!("set role none; select 1 from {table}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{table}");
    }
}

#[tokio::test]
async fn rows_are_seen_by_who_says_whose_they_are() {
    let database = two_people().await;
    let app = &database.app_url;
    let nothing = [0; 13];
    let stranger = "01890a5d-ac96-774b-bcce-b302099a8009";
    let both = format!("{} {}", about(ALICE), seeking("cookie", BOB));
    // users, pushed_requests, interactions, grants, authorization_codes, refresh_tokens, login_throttles, approved_payments, totp_secrets, recovery_codes, passkeys, passkey_ceremonies, instances
    for (says, sees) in [
        (String::new(), nothing),
        (about(""), nothing),
        (about(stranger), nothing),
        ("select set_config('app.sought', '', true);".to_owned(), nothing),
        ("select set_config('app.sought', '{}', true);".to_owned(), nothing),
        (seeking("code", stranger), nothing),
        (about(ALICE), [1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        (seeking("address", ALICE), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (seeking("request", ALICE), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (seeking("cookie", ALICE), [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (seeking("code", ALICE), [0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1]),
        (seeking("token", ALICE), [0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
        (seeking("identifier", ALICE), [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        (seeking("recovery", ALICE), nothing),
        (both, [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
    ] {
        let mut seen = [0; 13];
        for (table, seen) in TABLES.iter().zip(&mut seen) {
            *seen = rows(app, &says, &format!("select 1 from {table}")).await.unwrap();
        }
        assert_eq!(seen, sees, "{says}");
    }
    // Forced: the owner of the tables reads them by a policy of its own, not by owning them.
    assert_eq!(rows(&database.migrator_url, "", "select 1 from users").await.unwrap(), 2);
    let without = "drop policy everything_for_migrations on users;";
    assert_eq!(rows(&database.migrator_url, without, "select 1 from users").await.unwrap(), 0);
}

#[tokio::test]
async fn another_persons_rows_cannot_be_written() {
    let database = two_people().await;
    let app = &database.app_url;
    let alice = about(ALICE);
    let grant = |user| {
        format!(
            "insert into grants (id, user_id, client_id, scope, authenticated_at, created_at, second_factor) values (gen_random_uuid(), '{user}', 'c', 's', now(), now(), 'otp')"
        )
    };
    let interaction = |user| {
        format!(
            "insert into interactions (browser_hash, request_hash, user_id, authenticated_at, expires_at, second_factor) values (sha256('new'), sha256('request{BOB}'), '{user}', now(), now(), 'otp')"
        )
    };
    let payment = |grant| format!("insert into approved_payments values ('{grant}', 'x', now())");
    let token = |grant| format!("insert into refresh_tokens values (sha256('new'), '{grant}', now(), now())");
    for (statement, twin) in [(grant(BOB), grant(ALICE)), (interaction(BOB), interaction(ALICE))] {
        assert_eq!(
            attempt(app, &format!("{alice} {statement}")).await.unwrap().as_deref(),
            Some(FORBIDDEN),
            "{statement}"
        );
        assert_eq!(attempt(app, &format!("{alice} {twin}")).await.unwrap(), None, "{twin}");
    }
    let person = "insert into users values (gen_random_uuid(), sha256('new'), 'x', 'x', '$argon2id$', now())";
    assert_eq!(attempt(app, &format!("{alice} {person}")).await.unwrap().as_deref(), Some(FORBIDDEN));
    // The other's grant is not there for a token; one's own is (and has one already).
    assert_eq!(attempt(app, &format!("{alice} {}", token(BOB))).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(attempt(app, &format!("{alice} {}", token(ALICE))).await.unwrap().as_deref(), Some("23505"));
    assert_eq!(attempt(app, &format!("{alice} {}", payment(BOB))).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(attempt(app, &format!("{alice} {}", payment(ALICE))).await.unwrap().as_deref(), Some("23505"));
    for (says, statement, changed) in [
        (&seeking("code", ALICE), "delete from approved_payments", 1),
        (&alice, "delete from approved_payments", 0),
        (&seeking("cookie", ALICE), "update interactions set shown_sealed = 'y'", 1),
        (&alice, "update interactions set shown_sealed = 'y'", 0),
        (&alice, "update users set password_hash = '$argon2id$mine'", 1),
        (&alice, "update grants set jkt = jkt", 0),
        (&seeking("code", ALICE), "update grants set jkt = jkt", 1),
        (&seeking("code", ALICE), "update authorization_codes set used_at = used_at", 1),
        (&seeking("token", ALICE), "update refresh_tokens set last_used_at = now()", 1),
        (&seeking("request", ALICE), "update pushed_requests set attempts = attempts + 1", 1),
        (&seeking("cookie", ALICE), "delete from interactions", 1),
        (&seeking("identifier", ALICE), "delete from login_throttles", 1),
        (&alice, "delete from interactions", 0),
        (&String::new(), "delete from login_throttles", 0),
        (&String::new(), "update users set password_hash = '$argon2id$mine'", 0),
    ] {
        assert_eq!(rows(app, says, statement).await.unwrap(), changed, "{says} {statement}");
    }
}

#[tokio::test]
async fn what_has_happened_stays_so_and_nothing_is_forgotten_before_its_time() {
    let database = two_people().await;
    let app = &database.app_url;
    let (code, request) = (seeking("code", ALICE), seeking("request", ALICE));
    let complete = "update pushed_requests set completed_at = now()";
    assert_eq!(attempt(app, &format!("{request} {complete}")).await.unwrap(), None);
    for undone in [
        format!("{code} update grants set revoked_at = null, revoked_reason = null"),
        format!("{code} update grants set revoked_reason = 'another'"),
        format!("{code} update grants set jkt = '{}'", "y".repeat(43)),
        format!("{code} update authorization_codes set used_at = null"),
        format!("{request} {complete}; update pushed_requests set completed_at = null"),
        format!("{} update totp_secrets set last_step = 7", about(ALICE)),
        format!("{} update totp_secrets set last_step = 6", about(ALICE)),
        format!("{} update passkeys set sign_count = 7", about(ALICE)),
        format!("{} update passkeys set sign_count = 0", about(ALICE)),
    ] {
        assert_eq!(attempt(app, &undone).await.unwrap().as_deref(), Some(FORBIDDEN), "{undone}");
    }
    let gone = |moment| format!("select 1 from generate_series(1, (select forget({moment}))::int)");
    assert_eq!(rows(app, "", &gone("now() + interval '1 year'")).await.unwrap(), 0);
    let mut superuser = connect(&database.superuser_url).await;
    for table in [
        "pushed_requests",
        "authorization_codes",
        "refresh_tokens",
        "client_assertions",
        "interactions",
        "approved_payments",
    ] {
        let over = format!("update {table} set expires_at = now() - interval '2 days'");
        superuser.batch_execute(&over).await.unwrap();
    }
    let idle = "update login_throttles set last_attempt_at = now() - interval '31 days'";
    superuser.batch_execute(idle).await.unwrap();
    // A payment's approval, over for more than a day; and one that is not.
    for (person, over) in [(ALICE, "25 hours"), (BOB, "23 hours")] {
        let approval = format!(
            "insert into grants (id, user_id, client_id, scope, authenticated_at, created_at, expires_at) values (gen_random_uuid(), '{person}', 'c', 's', now(), now(), now() - interval '{over}')"
        );
        superuser.batch_execute(&approval).await.unwrap();
    }
    // Two of each of seven, less the two interactions that went with their requests; and one approval.
    assert_eq!(rows(app, "", &gone("now()")).await.unwrap(), 13);
    assert_eq!(rows(app, "", &gone("now() - interval '1 year'")).await.unwrap(), 0);
    // Consent is kept, and so are people and what they log in with.
    connect(app).await.batch_execute("select forget(now())").await.unwrap();
    for (table, kept) in [
        ("users", 2),
        ("totp_secrets", 2),
        ("passkeys", 2),
        ("passkey_ceremonies", 0),
        ("grants", 3),
        ("interactions", 0),
        ("client_assertions", 0),
        ("approved_payments", 0),
    ] {
        let left = rows(&database.superuser_url, "", &format!("select 1 from {table}")).await.unwrap();
        assert_eq!(left, kept, "{table}");
    }
}
