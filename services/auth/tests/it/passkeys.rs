//! Passkeys: each check and what breaks just it, each challenge once, and what tokens say.

use std::time::Duration;

use api::approvals::{ACR_PAYMENT, ApprovedPayment};
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::json;
use testkit::passkey::{BACKED_UP, BACKUP_ELIGIBLE, Passkey, Saying, USER_PRESENT, USER_VERIFIED};

use crate::browser::{Browser, PASSWORD, parameter};
use crate::database::{connect, count, spelled};
use crate::draft::{Client, Reply};
use crate::passkey::{add, asked, asks, created, logged_in, nonce, owner, put_back, right, send, show, signed};
use crate::payer::{Scene, claims, mark};
use crate::second_factor::{said, type_code};
use crate::world::World;

const MANY: usize = 100;
/// So that all of them come as far as the challenge, and none is stopped by the count of tries before it.
const UNCOUNTED: &str = "alter table pushed_requests drop constraint pushed_requests_attempts_check; \
     update pushed_requests set attempts = -1000";
/// Beyond the time that a browser gives its person, who has read the page before.
const LATE: i64 = 301;
/// A challenge's life, which is no longer than its interaction's.
const OVER: &str = "update passkey_ceremonies set expires_at = expires_at - interval '10 minutes'";

#[tokio::test]
async fn who_has_a_passkey_is_asked_for_it_and_the_tokens_say_what_was_shown() {
    let world = World::start().await;
    let since = world.now();
    let (email, passkey, paper) = owner(&world).await;
    world.clock.advance(86_400);
    for client in [Client::app(), Client::partner(&world)] {
        let (mut browser, page, verifier) = asked(&world, &client, &email).await;
        assert!(page.text.contains("Recovery code") && page.text.contains("Log in with a passkey"), "{}", page.text);
        assert_eq!(asks(&page, "credentials"), crypto::b64::encode(&passkey.id));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.ends_with("; script-src 'self'") && page.text.matches("<script").count() == 1, "{policy}");
        let before = browser.cookies.clone();
        let reply = show(&mut browser, &page, &passkey).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
        assert_ne!(browser.cookies, before, "who is known better has another cookie");
        browser.get("/consent").await;
        let code = parameter(&browser.decide("allow").await, "code").unwrap();
        let tokens = client.redemption(&world, &code, &verifier).await.send(&world).await;
        let refreshed = client.refresh(&world, &tokens.member("refresh_token")).await.send(&world).await;
        for token in [tokens.member("id_token"), tokens.member("access_token"), refreshed.member("access_token")] {
            assert_eq!(said(&token)["amr"], json!(["pwd", "pop", "user", "mfa"]));
        }
        for token in [tokens.member("access_token"), refreshed.member("access_token")] {
            assert_eq!(said(&token)["factor_since"], since, "as old as the passkey");
        }
    }
    // Without it, a code on paper does.
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, &paper[0]).await.leads_to().as_deref(), Some("/consent"), "{}", page.text);
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 9);
    let listed = browser.get("/second-factor").await;
    assert!(listed.text.contains("My phone") && listed.text.contains("last used on"), "{}", listed.text);
}

/// One thing that is wrong, and what it is refused for.
type Wrong = (fn(&mut Saying), &'static str);

const BOTH: [Wrong; 8] = [
    (|saying| saying.origin = "https://evil.test".into(), "second_factor/passkey_origin"),
    (|saying| saying.rp_id = "evil.test".into(), "second_factor/passkey_relying_party"),
    (|saying| saying.challenge = "A".repeat(43), "second_factor/passkey_challenge"),
    (|saying| saying.flags = USER_VERIFIED, "second_factor/passkey_user_absent"),
    (|saying| saying.flags = USER_PRESENT, "second_factor/passkey_user_unverified"),
    (|saying| saying.flags |= BACKED_UP, "second_factor/passkey_backup_state"),
    (|saying| drop(saying.more.insert("crossOrigin".into(), true.into())), "second_factor/passkey_framed"),
    (|saying| drop(saying.more.insert("type".into(), "payment.get".into())), "second_factor/passkey_type"),
];

#[tokio::test]
async fn a_login_takes_an_assertion_in_which_everything_is_right() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    let (other, others, _) = owner(&world).await;
    let mut forged = Passkey::generate();
    forged.id.clone_from(&passkey.id);
    let (mut browser, mut page, _) = asked(&world, &Client::app(), &email).await;
    let own: [Wrong; 1] = [(|saying| saying.ceremony = "webauthn.create".into(), "second_factor/passkey_type")];
    for (change, reason) in BOTH.into_iter().chain(own) {
        let mut saying = right(&page, "webauthn.get");
        change(&mut saying);
        page = send(&mut browser, "/code", &signed(&passkey, &saying), &[]).await;
        assert_eq!((page.status, page.refusal().as_str()), (422, reason));
        assert!(page.text.contains("This passkey was not taken.") && page.text.contains("role=\"alert\""));
    }
    for (change, reason) in [
        (0, "second_factor/passkey_signature"),
        (4, "second_factor/passkey_signature"),
        (1, "second_factor/passkey_unknown"),
        (2, "second_factor/passkey_unreadable"),
        (3, "second_factor/passkey_malformed"),
    ] {
        let now = right(&page, "webauthn.get");
        let mut fields = signed(&passkey, &now);
        match change {
            0 => fields[3].1 = signed(&passkey, &Saying { count: 9, ..now.clone() })[3].1.clone(),
            // Another key under this credential's name.
            4 => fields = signed(&forged, &now),
            1 => fields = signed(&others, &now),
            2 => fields[1].1.push('='),
            _ => fields[2].1 = "AAAA".into(),
        }
        page = send(&mut browser, "/code", &fields, &[]).await;
        assert_eq!((page.status, page.refusal().as_str()), (422, reason));
    }
    // Neither of these has cost the owner anything; the other person's page takes no passkey but that person's.
    let (mut theirs, their_page, _) = asked(&world, &Client::app(), &other).await;
    let reply = send(&mut theirs, "/code", &signed(&passkey, &right(&their_page, "webauthn.get")), &[]).await;
    assert_eq!(reply.refusal(), "second_factor/passkey_unknown");
    assert_eq!(show(&mut browser, &page, &passkey).await.status, 303);
    assert_eq!(count(&world, "select count(*) as count from grants").await, 0);
}

#[tokio::test]
async fn a_challenge_is_of_one_interaction_once_and_for_ten_minutes() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    let (mut elsewhere, its_page, _) = asked(&world, &Client::app(), &email).await;
    let refused = |reply: &Reply, reason: &str| {
        assert_eq!((reply.status, reply.refusal()), (422, format!("second_factor/{reason}")), "{}", reply.text);
    };
    // Of another browser, of a page that was loaded again, and of a time that is over.
    let first = nonce(&world, &browser).await;
    put_back(&world, &first).await;
    refused(&show(&mut elsewhere, &page, &passkey).await, "passkey_challenge");
    refused(&show(&mut elsewhere, &its_page, &passkey).await, "passkey_challenge");
    let again = browser.get("/code").await;
    assert_ne!(asks(&again, "challenge"), asks(&page, "challenge"));
    refused(&show(&mut browser, &page, &passkey).await, "passkey_challenge");
    let page = browser.get("/code").await;
    let mut superuser = connect(&world.database.superuser_url).await;
    superuser.batch_execute(OVER).await.unwrap();
    refused(&show(&mut browser, &page, &passkey).await, "passkey_challenge_expired");
    // The same twice: the sign-in goes on elsewhere, and whoever still holds its old cookie holds nothing.
    let page = browser.get("/code").await;
    world.clock.advance(LATE);
    let mut thief = browser.clone();
    assert_eq!(show(&mut browser, &page, &passkey).await.status, 303);
    let reply = show(&mut thief, &page, &passkey).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (400, "interaction/interaction_unknown"));
    assert_eq!(count(&world, "select count(*) as count from passkey_ceremonies").await, 1, "the other browser's");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_uses_of_one_challenge_exactly_one_wins() {
    let world = World::start_without_captcha().await;
    let (email, passkey, _) = owner(&world).await;
    let (browser, page, _) = asked(&world, &Client::app(), &email).await;
    let mut superuser = connect(&world.database.superuser_url).await;
    superuser.batch_execute(UNCOUNTED).await.unwrap();
    let fields = signed(&passkey, &right(&page, "webauthn.get"));
    let mut browsers = vec![browser; MANY];
    let replies = join_all(browsers.iter_mut().map(|browser| send(browser, "/code", &fields, &[]))).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    // The others find the challenge used up, or the interaction gone on.
    assert!(statuses.iter().all(|status| [303, 422, 400].contains(status)), "{statuses:?}");
    // That one, and the one in which it was added.
    assert_eq!(count(&world, "select count(*) as count from interactions where second_factor = 'passkey'").await, 2);
}

/// What is added goes on in another interaction only afterwards, and who has shown a passkey may have four more: so nothing but the challenge is in the way.
#[tokio::test(flavor = "multi_thread")]
async fn of_100_passkeys_that_answer_one_challenge_exactly_one_is_added() {
    let world = World::start_without_captcha().await;
    let (email, passkey, _) = owner(&world).await;
    let mut browser = logged_in(&world, &email, &passkey).await;
    let page = browser.get("/second-factor/passkey").await;
    let mut superuser = connect(&world.database.superuser_url).await;
    superuser.batch_execute(UNCOUNTED).await.unwrap();
    let answers: Vec<_> = (0..MANY).map(|_| created(&Passkey::generate(), &right(&page, "webauthn.create"))).collect();
    // What a person has is changed one after the other; as long as somebody else holds that lock, all stand before the challenge.
    let lock = "(31, hashtext((select id::text from users)))";
    superuser.batch_execute(&format!("select pg_advisory_lock{lock}")).await.unwrap();
    let mut browsers = vec![browser; MANY];
    let sends = browsers.iter_mut().zip(&answers);
    let name = [("name", "One of many")];
    let sends = sends.map(|(browser, fields)| send(browser, "/second-factor/passkey", fields, &name));
    let released = async {
        let waiting = "select count(*) as count from pg_locks where locktype = 'advisory' and not granted \
             and database = (select oid from pg_database where datname = current_database())";
        while count(&world, waiting).await < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        superuser.batch_execute(&format!("select pg_advisory_unlock{lock}")).await.unwrap();
    };
    let both = futures_util::future::join(join_all(sends), released);
    let (replies, ()) = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    // The others find the challenge used up, or the interaction gone on.
    assert!(statuses.iter().all(|status| [303, 422, 400].contains(status)), "{statuses:?}");
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 2);
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_somebody_looks_at_it() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    for (says, taken) in [(0, true), (5, true), (5, false), (4, false), (0, false), (6, true)] {
        let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
        let saying = Saying { count: says, ..right(&page, "webauthn.get") };
        let reply = send(&mut browser, "/code", &signed(&passkey, &saying), &[]).await;
        if taken {
            assert_eq!(reply.status, 303, "{says}");
        } else {
            assert_eq!((reply.status, reply.refusal().as_str()), (422, "second_factor/passkey_counter"), "{says}");
        }
    }
    assert_eq!(count(&world, "select sign_count as count from passkeys").await, 6);
}

/// Credential managers begin to synchronise what they had, and stop to.
#[tokio::test]
async fn a_passkey_that_is_backed_up_from_now_on_is_the_same_and_that_is_stored() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    let stored = async |flags: &str| {
        count(&world, &format!("select count(*) as count from passkeys where (backup_eligible, backed_up) = {flags}"))
            .await
    };
    assert_eq!(stored("(false, false)").await, 1);
    for (more, flags) in
        [(BACKUP_ELIGIBLE, "(true, false)"), (BACKUP_ELIGIBLE | BACKED_UP, "(true, true)"), (0, "(false, false)")]
    {
        let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
        let before = right(&page, "webauthn.get");
        let saying = Saying { flags: before.flags | more, ..before };
        // Whoever has not the key changes nothing.
        let mut forged = Passkey::generate();
        forged.id.clone_from(&passkey.id);
        let page = send(&mut browser, "/code", &signed(&forged, &saying), &[]).await;
        assert_eq!((page.refusal().as_str(), stored(flags).await), ("second_factor/passkey_signature", 0), "{flags}");
        let saying = Saying { flags: saying.flags, ..right(&page, "webauthn.get") };
        let reply = send(&mut browser, "/code", &signed(&passkey, &saying), &[]).await;
        assert_eq!((reply.status, stored(flags).await), (303, 1), "{flags}: {}", reply.text);
    }
}

#[tokio::test]
async fn wrong_codes_keep_nobody_from_their_passkey_and_wrong_passkeys_nobody_from_their_code() {
    let world = World::start_without_captcha().await;
    let (email, passkey, paper) = owner(&world).await;
    for wanted in [422, 422, 422, 422, 422, 429] {
        let (mut thief, ..) = asked(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut thief, "000000").await.status, wanted);
    }
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    assert_eq!(show(&mut browser, &page, &passkey).await.status, 303);
    for _ in 0..8 {
        let (mut thief, page, _) = asked(&world, &Client::app(), &email).await;
        assert_eq!(show(&mut thief, &page, &Passkey::generate()).await.refusal(), "second_factor/passkey_unknown");
    }
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, "000000").await.status, 429, "nor does a passkey end the block: {}", page.text);
    assert_eq!(type_code(&mut browser, &paper[0]).await.status, 303);
}

#[tokio::test]
async fn a_new_passkey_is_what_was_asked_for() {
    let world = World::start().await;
    let (email, ..) = owner(&world).await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let passkey = Passkey::generate();
    let mut page = browser.get("/second-factor/passkey").await;
    assert_eq!(page.status, 200, "{email} {}", page.text);
    let own: [Wrong; 2] = [
        (|saying| saying.ceremony = "webauthn.get".into(), "second_factor/passkey_type"),
        (|saying| saying.algorithm = -257, "second_factor/passkey_algorithm"),
    ];
    for (change, reason) in BOTH.into_iter().chain(own) {
        let mut saying = right(&page, "webauthn.create");
        change(&mut saying);
        let fields = created(&passkey, &saying);
        page = send(&mut browser, "/second-factor/passkey", &fields, &[("name", "My phone")]).await;
        assert_eq!((page.status, page.refusal().as_str()), (422, reason));
        assert!(page.text.contains("value=\"My phone\""), "what was typed stays: {}", page.text);
    }
    for name in ["", "  ", "x\u{202e}y", &"x".repeat(41)] {
        let fields = created(&passkey, &right(&page, "webauthn.create"));
        page = send(&mut browser, "/second-factor/passkey", &fields, &[("name", name)]).await;
        assert_eq!(page.status, 422, "{name}");
        assert!(page.text.contains("Give it a name"), "{}", page.text);
    }
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 1, "the other person's");
    let fields = created(&passkey, &right(&page, "webauthn.create"));
    let mut thief = browser.clone();
    assert_eq!(send(&mut browser, "/second-factor/passkey", &fields, &[("name", "My phone")]).await.status, 200);
    // The same twice.
    let reply = send(&mut thief, "/second-factor/passkey", &fields, &[("name", "My phone")]).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (400, "interaction/interaction_unknown"));
}

#[tokio::test]
async fn a_payer_approves_with_a_passkey_that_signs_for_this_payment_and_no_other() {
    let scene = Scene::new().await;
    let (mut browser, _) = Browser::at_login(&scene.world, &scene.client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    let passkey = Passkey::generate();
    assert_eq!(add(&mut browser, &passkey, "My phone").await.status, 200);

    let approve = async |browser: &mut Browser<'_>, page: &Reply, saying: &Saying| {
        let shown = mark(page);
        send(browser, "/approve", &signed(&passkey, saying), &[("decision", "approve"), ("shown", &shown)]).await
    };
    // Of the page of a login, and of the same payment in another sign-in.
    let (at_login, login, _) = asked(&scene.world, &scene.client, &scene.email).await;
    let of_login = nonce(&scene.world, &at_login).await;
    let (mut other, _) = scene.logged_in().await;
    let other_page = other.get("/approve").await;
    let of_other = nonce(&scene.world, &other).await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mut page = browser.get("/approve").await;
    assert!(page.text.contains("1250.00 EUR") && page.text.contains("Approve with a passkey"), "{}", page.text);
    for (elsewhere, nonce) in [(&login, &of_login), (&other_page, &of_other)] {
        // All else being equal: only what it is for differs.
        put_back(&scene.world, nonce).await;
        let reply = approve(&mut browser, &page, &right(elsewhere, "webauthn.get")).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "second_factor/passkey_challenge"));
        assert!(reply.text.contains("1250.00 EUR") && reply.text.contains("role=\"alert\""), "{}", reply.text);
        page = reply;
    }
    // What was signed for one amount is worth nothing under another.
    let (for_little, of_little) = (right(&page, "webauthn.get"), nonce(&scene.world, &browser).await);
    let changed = scene.becomes(|payment| payment.amount = api::Amount::new("9999.00", "EUR"));
    let reply = approve(&mut browser, &page, &for_little).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (422, "approval/payment_changed"));
    put_back(&scene.world, &of_little).await;
    let reply = approve(&mut browser, &reply, &for_little).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (422, "second_factor/passkey_challenge"));
    assert!(reply.text.contains("9999.00 EUR"), "{}", reply.text);
    let url = approve(&mut browser, &reply, &right(&reply, "webauthn.get")).await.goes_on_to();
    let tokens = scene.redeem(&url, &pushed).await;
    let claims = claims(&scene.world, &tokens).await;
    assert_eq!(
        (claims.acr.as_deref(), claims.amr),
        (Some(ACR_PAYMENT), ["pwd", "pop", "user", "mfa"].map(str::to_owned).to_vec())
    );
    assert_eq!(claims.authorization_details, vec![ApprovedPayment::of(changed)]);
    // No passkey is made on the way to a payment.
    assert_eq!(other.get("/second-factor/passkey").await.leads_to().as_deref(), Some("/approve"));
}

#[tokio::test]
async fn the_name_of_a_passkey_cannot_be_read_from_the_database() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let page = add(&mut browser, &Passkey::generate(), "Grandmother's old phone").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(browser.get("/second-factor").await.text.contains("Grandmother&#39;s old phone"));
    assert_eq!(spelled(&world, &["Grandmother's old phone"]).await, Vec::<String>::new());
}
