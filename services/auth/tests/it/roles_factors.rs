//! What the database itself lets nobody do with a second factor.

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
