//! What the database itself lets nobody do with a second factor.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use testkit::database::guards::{FORBIDDEN, attempt, rows};

use crate::database::connect;
use crate::roles::{ALICE, BOB, about, seeking, two_people};

#[tokio::test]
async fn another_persons_second_factor_cannot_be_written() {
    let database = two_people().await;
    let (app, alice) = (&database.app_url, about(ALICE));
    let awaiting = |user| {
        format!(
            "insert into interactions (browser_hash, request_hash, awaits_user_id, expires_at) values (sha256('new'), sha256('request{BOB}'), '{user}', now())"
        )
    };
    let code = |user| format!("insert into recovery_codes values (sha256('new'), '{user}')");
    for (statement, twin) in [(awaiting(BOB), awaiting(ALICE)), (code(BOB), code(ALICE))] {
        let refused = attempt(app, &format!("{alice} {statement}")).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{statement}");
        assert_eq!(attempt(app, &format!("{alice} {twin}")).await.unwrap(), None, "{twin}");
    }
    let ceremony = |user| {
        format!("insert into passkey_ceremonies values (sha256('cookie{user}'), '{user}', sha256('other'), now())")
    };
    assert_eq!(attempt(app, &format!("{alice} {}", ceremony(BOB))).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(attempt(app, &format!("{alice} {}", ceremony(ALICE))).await.unwrap().as_deref(), Some("23505"));
    let passkey = |user, credential: &str| {
        format!(
            "insert into passkeys (id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, name_sealed, created_at) values (gen_random_uuid(), '{user}', sha256('{credential}'), decode(repeat('04', 65), 'hex'), 0, true, true, 'x', now())"
        )
    };
    assert_eq!(attempt(app, &format!("{alice} {}", passkey(BOB, "new"))).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(attempt(app, &format!("{alice} {}", passkey(ALICE, "new"))).await.unwrap(), None);
    // Another person's credential is nobody else's, though nobody else sees it; and five are enough.
    let bobs = passkey(ALICE, &format!("credential{BOB}"));
    assert_eq!(attempt(app, &format!("{alice} {bobs}")).await.unwrap().as_deref(), Some("23505"));
    let many =
        |most: usize| (0..most).map(|number| passkey(ALICE, &format!("new{number}"))).collect::<Vec<_>>().join(";");
    assert_eq!(attempt(app, &format!("{alice} {}", many(4))).await.unwrap(), None);
    assert_eq!(attempt(app, &format!("{alice} {}", many(5))).await.unwrap().as_deref(), Some(FORBIDDEN));
    let secret = |user| format!("insert into totp_secrets values ('{user}', 'x', 1, now())");
    assert_eq!(attempt(app, &format!("{alice} {}", secret(BOB))).await.unwrap().as_deref(), Some(FORBIDDEN));
    assert_eq!(attempt(app, &format!("{alice} {}", secret(ALICE))).await.unwrap().as_deref(), Some("23505"));
    for (says, statement, changed) in [
        (&alice, "update totp_secrets set last_step = 8", 1),
        (&alice, "delete from recovery_codes", 1),
        (&alice, "delete from totp_secrets", 1),
        (&String::new(), "delete from totp_secrets", 0),
        (&alice, "update passkeys set sign_count = 8", 1),
        (&alice, "update passkeys set sign_count = 8, backup_eligible = true, backed_up = true", 1),
        (&String::new(), "update passkeys set sign_count = 8", 0),
        (&alice, "delete from passkeys", 1),
        (&String::new(), "delete from passkeys", 0),
        (&alice, "delete from passkey_ceremonies", 1),
        (&seeking("cookie", ALICE), "delete from passkey_ceremonies", 0),
        (&seeking("cookie", ALICE), "update interactions set enrolling_sealed = 'y'", 1),
        (&alice, "update interactions set enrolling_sealed = 'y'", 0),
    ] {
        assert_eq!(rows(app, says, statement).await.unwrap(), changed, "{says} {statement}");
    }
}

#[tokio::test]
async fn who_has_a_second_factor_is_not_logged_in_and_allows_nothing_without_one() {
    let database = two_people().await;
    let app = &database.app_url;
    let grant = "insert into grants (id, user_id, client_id, scope, authenticated_at, created_at, second_factor) values (gen_random_uuid(), subject(), 'c', 's', now(), now(), ";
    let interaction = format!(
        "insert into interactions (browser_hash, request_hash, user_id, authenticated_at, expires_at, second_factor) values (sha256('new'), sha256('request{BOB}'), subject(), now(), now(), "
    );
    for statement in [grant, &interaction] {
        let with = |second: &str| format!("{} {statement}{second})", about(ALICE));
        assert_eq!(attempt(app, &with("null")).await.unwrap().as_deref(), Some(FORBIDDEN), "{statement}");
        assert_eq!(attempt(app, &with("'otp'")).await.unwrap(), None, "{statement}");
        assert_eq!(attempt(app, &with("'passkey'")).await.unwrap(), None, "{statement}");
        // Either is one, and the codes are there as long as there is one.
        let codes = "insert into recovery_codes values (sha256('new'), subject());";
        for (gone, wanted) in [
            ("delete from totp_secrets;", Some(FORBIDDEN)),
            ("delete from passkeys;", Some(FORBIDDEN)),
            ("delete from passkeys; delete from totp_secrets;", None),
        ] {
            let none = format!("{} {gone} {statement}null)", about(ALICE));
            assert_eq!(attempt(app, &none).await.unwrap().as_deref(), wanted, "{gone} {statement}");
            let says = format!("{} {gone}", about(ALICE));
            let left = rows(app, &says, "select 1 from recovery_codes").await.unwrap();
            assert_eq!(left, usize::from(wanted.is_some()), "{gone}");
            let without = (wanted.is_none()).then_some(FORBIDDEN);
            assert_eq!(attempt(app, &format!("{says} {codes}")).await.unwrap().as_deref(), without, "{gone}");
        }
    }
    // Nobody is both, and nobody has shown something who is not logged in.
    let mut superuser = connect(&database.superuser_url).await;
    for change in [
        "awaits_user_id = user_id",
        "user_id = null, authenticated_at = null, second_factor = 'otp'",
        "second_factor = 'sms'",
    ] {
        assert!(superuser.batch_execute(&format!("update interactions set {change}")).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn a_persons_other_sign_ins_end_and_nobody_elses() {
    let database = two_people().await;
    let app = &database.app_url;
    let left = |person: &str| format!("select 1 from interactions where user_id = '{person}'");
    for (says, alices) in [
        (String::new(), 1),
        (about(BOB), 1),
        (format!("{} {}", about(ALICE), seeking("cookie", ALICE)), 1),
        (format!("{} {}", about(ALICE), seeking("cookie", BOB)), 0),
        (about(ALICE), 0),
    ] {
        let ends = format!("{says} select end_other_sign_ins(); {}", seeking("cookie", ALICE));
        assert_eq!(rows(app, &ends, &left(ALICE)).await.unwrap(), alices, "{says}");
    }
    let ends = format!("{} select end_other_sign_ins(); {}", about(ALICE), seeking("cookie", BOB));
    assert_eq!(rows(app, &ends, &left(BOB)).await.unwrap(), 1);
}

/// What counts is not only what the service asks before.
#[tokio::test]
async fn of_two_fifth_passkeys_at_once_the_database_takes_one() {
    let database = two_people().await;
    let insert = "insert into passkeys (id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, name_sealed, created_at) \
        select gen_random_uuid(), subject(), sha256(gen_random_uuid()::text::bytea), decode(repeat('04', 65), 'hex'), 0, true, true, 'x', now()";
    let (mut one, mut two) = (connect(&database.app_url).await, connect(&database.app_url).await);
    let four = format!("begin; {} {insert} from generate_series(1, 4)", about(ALICE));
    one.batch_execute(&four).await.unwrap();
    let another = format!("begin; {} {insert}; commit", about(ALICE));
    let waits = two.batch_execute(&another);
    let goes_on = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        one.batch_execute("commit").await
    };
    let (refused, taken) = futures_util::future::join(waits, goes_on).await;
    taken.unwrap();
    assert!(refused.unwrap_err().to_string().contains("five passkeys at most"));
}
