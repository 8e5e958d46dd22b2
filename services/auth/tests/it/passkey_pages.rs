//! The pages on which passkeys are added and removed, beside an app and instead of one.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::{join, join4};
use testkit::passkey::Passkey;

use crate::browser::{Browser, PASSWORD};
use crate::database::{connect, count};
use crate::draft::{Client, Reply};
use crate::passkey::{add, asked, by_password, created, logged_in, owner, right, send, show};
use crate::second_factor::{App, enrolled, paper, type_code};
use crate::world::World;

/// Beyond the five minutes for which a login is new.
const OLD: i64 = 301;

/// What a button of the page would remove.
fn removes(page: &Reply) -> Vec<String> {
    let buttons = page.text.split("name=\"passkey\" value=\"").skip(1);
    buttons.map(|button| button.split('"').next().unwrap().to_owned()).collect()
}

async fn remove(browser: &mut Browser<'_>, id: &str, password: &str) -> Reply {
    browser.post("/second-factor", &[("passkey", id), ("password", password), ("sure", "yes")]).await
}

#[tokio::test]
async fn app_and_passkeys_stand_beside_each_other_and_the_codes_stay_until_the_last_one_goes() {
    let world = World::start().await;
    let (email, first, codes) = owner(&world).await;
    let mut browser = logged_in(&world, &email, &first).await;
    let second = Passkey::generate();
    let reply = add(&mut browser, &second, "Key on the ring").await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/second-factor")), "{}", reply.text);
    let app = App::read(&browser.get("/second-factor/new").await);
    let reply = browser.post("/second-factor/new", &[("code", &app.code(world.now()))]).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/second-factor")), "{}", reply.text);
    world.clock.advance(30);
    let page = browser.get("/second-factor").await;
    for words in ["My phone", "Key on the ring", "set up on", "<dd>10</dd>", "not used yet"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }

    // Each of them logs in, and so does a code on paper.
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    assert!(page.text.contains("Code of your authenticator app") && page.text.contains("Log in with a passkey"));
    assert_eq!(show(&mut browser, &page, &second).await.status, 303);
    let (mut browser, ..) = asked(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, &app.code(world.now())).await.status, 303);
    let (mut browser, ..) = asked(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, &codes[0]).await.status, 303);

    // One after the other they go.
    let ids = removes(&browser.get("/second-factor").await);
    assert_eq!(ids.len(), 2);
    let asks = browser.post("/second-factor", &[("passkey", &ids[1])]).await;
    assert!(asks.text.contains("Remove the passkey ") && !asks.text.contains("It is the only one"), "{}", asks.text);
    assert_eq!(remove(&mut browser, &ids[0], "").await.leads_to().as_deref(), Some("/second-factor"));
    let (mut without, page, _) = asked(&world, &Client::app(), &email).await;
    assert_eq!(show(&mut without, &page, &first).await.refusal(), "second_factor/passkey_unknown");
    browser.get("/second-factor").await;
    assert_eq!(browser.post("/second-factor", &[("decision", "remove"), ("sure", "yes")]).await.status, 303);
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 9);
    browser.get("/second-factor").await;
    assert_eq!(remove(&mut browser, &ids[1], "").await.status, 303);
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 0);
    assert!(browser.get("/second-factor").await.text.contains("You have none"));
    by_password(&world, &email).await;
}

#[tokio::test]
async fn a_person_has_five_passkeys_and_nobody_elses() {
    let world = World::start().await;
    let (email, first, _) = owner(&world).await;
    let (_, others, _) = owner(&world).await;
    let mut browser = logged_in(&world, &email, &first).await;
    for passkey in [&others, &first] {
        let reply = add(&mut browser, passkey, "Not mine").await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "second_factor/passkey_taken"));
    }
    for number in 2..=5 {
        assert_eq!(add(&mut browser, &Passkey::generate(), &format!("Number {number}")).await.status, 303);
    }
    let reply = browser.get("/second-factor/passkey").await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/second-factor")));
    let page = browser.get("/second-factor").await;
    assert!(removes(&page).len() == 5 && !page.text.contains("Add a passkey"), "{}", page.text);
    // What is another's is not there.
    let theirs = removes(&page).remove(0);
    let (mut stranger, _) = Browser::at_login(&world, &Client::app()).await;
    stranger.register_anybody().await;
    assert_eq!(add(&mut stranger, &Passkey::generate(), "Mine").await.status, 200);
    stranger.get("/second-factor").await;
    assert_eq!(remove(&mut stranger, &theirs, "").await.status, 303);
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 7);
    for form in [vec![("passkey", "x")], vec![("passkey", theirs.as_str()), ("decision", "remove")], vec![]] {
        assert_eq!(stranger.post("/second-factor", &form).await.refusal(), "request/form_malformed", "{form:?}");
    }
}

#[tokio::test]
async fn of_two_passkeys_added_at_once_to_four_one_is_the_fifth() {
    let world = World::start().await;
    let (email, first, _) = owner(&world).await;
    let mut one = logged_in(&world, &email, &first).await;
    for number in 2..=4 {
        assert_eq!(add(&mut one, &Passkey::generate(), &format!("Number {number}")).await.status, 303);
    }
    let mut two = logged_in(&world, &email, &first).await;
    let pages = [one.get("/second-factor/passkey").await, two.get("/second-factor/passkey").await];
    let fields = pages.map(|page| created(&Passkey::generate(), &right(&page, "webauthn.create")));
    let name = [("name", "The fifth")];
    let (path, [of_one, of_two]) = ("/second-factor/passkey", fields);
    let replies = join(send(&mut one, path, &of_one, &name), send(&mut two, path, &of_two, &name)).await;
    assert_eq!((replies.0.status, replies.1.status), (303, 303));
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 5);
}

#[tokio::test]
async fn after_five_minutes_a_passkey_is_added_and_removed_with_the_password() {
    let world = World::start_without_captcha().await;
    let (email, passkey, _) = owner(&world).await;
    let mut browser = logged_in(&world, &email, &passkey).await;
    let id = removes(&browser.get("/second-factor").await).remove(0);
    assert!(!browser.get("/second-factor/passkey").await.text.contains("name=\"password\""));
    world.clock.advance(OLD);
    for password in ["", "not the right password"] {
        let page = browser.get("/second-factor/passkey").await;
        assert!(page.text.contains("name=\"password\""), "{}", page.text);
        let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
        let more = [("name", "Another"), ("password", password)];
        let reply = send(&mut browser, "/second-factor/passkey", &fields, &more).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "login/credentials_wrong"));
        let reply = remove(&mut browser, &id, password).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "login/credentials_wrong"));
    }
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 1);
    let page = browser.get("/second-factor/passkey").await;
    let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
    let more = [("name", "Another"), ("password", PASSWORD)];
    assert_eq!(send(&mut browser, "/second-factor/passkey", &fields, &more).await.status, 303);
    browser.get("/second-factor").await;
    assert_eq!(remove(&mut browser, &id, PASSWORD).await.status, 303);
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 1);
}

/// By whichever of them there has been since.
#[tokio::test]
async fn a_browser_that_logged_in_before_there_was_a_passkey_does_nothing_without_it() {
    let world = World::start().await;
    let (mut owner, _) = Browser::at_login(&world, &Client::app()).await;
    let email = owner.register_anybody().await;
    let mut thief = by_password(&world, &email).await;
    let theirs = App::read(&thief.get("/second-factor/new").await).code(world.now());
    let page = thief.get("/second-factor/passkey").await;
    let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
    assert_eq!(paper(&add(&mut owner, &Passkey::generate(), "My phone").await).len(), 10);
    let missing = |reply: &Reply, what: &str| {
        assert_eq!((reply.status, reply.refusal().as_str()), (403, "second_factor/second_factor_missing"), "{what}");
    };
    missing(&send(&mut thief, "/second-factor/passkey", &fields, &[("name", "Theirs")]).await, "a passkey");
    for (path, form) in [
        ("/second-factor/new", ("code", theirs.as_str())),
        ("/consent", ("decision", "allow")),
        ("/second-factor", ("decision", "remove")),
        ("/second-factor", ("decision", "renew")),
    ] {
        missing(&thief.post(path, &[form]).await, path);
    }
    // Who has logged in with neither adds none to an app, either.
    let (with_app, _) = enrolled(&world).await;
    let (mut half, _) = crate::second_factor::awaiting(&world, &Client::app(), &with_app).await;
    assert_eq!(half.get("/second-factor/passkey").await.leads_to().as_deref(), Some("/code"));
    let reply = send(&mut half, "/second-factor/passkey", &fields, &[("name", "Theirs")]).await;
    assert_eq!(reply.leads_to().as_deref(), Some("/code"));
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 1);
    assert_eq!(count(&world, "select count(*) as count from grants").await, 0);
}

#[tokio::test]
async fn a_form_from_elsewhere_adds_no_passkey() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let page = browser.get("/second-factor/passkey").await;
    let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
    let (csrf, path) = (browser.csrf.clone(), "/second-factor/passkey");
    browser.csrf = "x".repeat(43);
    assert_eq!(send(&mut browser, path, &fields, &[("name", "x")]).await.refusal(), "csrf/csrf_mismatch");
    browser.csrf = csrf;
    browser.origin = Some("https://evil.test".to_owned());
    assert_eq!(send(&mut browser, path, &fields, &[("name", "x")]).await.refusal(), "origin/origin_mismatch");
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 0);
}

/// Whoever sits there may have come in with what is gone.
#[tokio::test]
async fn what_removes_a_second_factor_or_renews_the_codes_ends_the_persons_other_sign_ins() {
    let world = World::start().await;
    let (email, passkey, codes) = owner(&world).await;
    let (others, others_passkey, _) = owner(&world).await;
    let mut other = logged_in(&world, &others, &others_passkey).await;
    let mut owner = logged_in(&world, &email, &passkey).await;
    let app = App::read(&owner.get("/second-factor/new").await);
    assert_eq!(owner.post("/second-factor/new", &[("code", &app.code(world.now()))]).await.status, 303);
    let id = removes(&owner.get("/second-factor").await).remove(0);
    for change in [("decision", "renew"), ("passkey", id.as_str()), ("decision", "remove")] {
        // Past the second factor, and about to add a passkey, to consent, or to change what there is; by what will be gone.
        let mut thieves = Vec::new();
        for _ in 0..3 {
            let (mut thief, page, _) = asked(&world, &Client::app(), &email).await;
            let reply = match change {
                (_, "renew") => type_code(&mut thief, &codes[thieves.len()]).await,
                (_, "remove") => {
                    world.clock.advance(30);
                    type_code(&mut thief, &app.code(world.now())).await
                }
                _ => show(&mut thief, &page, &passkey).await,
            };
            assert_eq!(reply.leads_to().as_deref(), Some("/consent"), "{change:?} {}", reply.text);
            thieves.push(thief);
        }
        let page = thieves[0].get("/second-factor/passkey").await;
        let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
        thieves[1].get("/consent").await;
        thieves[2].get("/second-factor").await;
        let (mut awaits, ..) = asked(&world, &Client::app(), &email).await;

        owner.get("/second-factor").await;
        let reply = owner.post("/second-factor", &[change, ("password", PASSWORD), ("sure", "yes")]).await;
        assert!([200, 303].contains(&reply.status), "{change:?} {}", reply.text);
        let replies = [
            send(&mut thieves[0], "/second-factor/passkey", &fields, &[("name", "Theirs")]).await,
            thieves[1].post("/consent", &[("decision", "allow")]).await,
            thieves[2].post("/second-factor", &[("decision", "renew"), ("sure", "yes")]).await,
        ];
        for reply in replies {
            assert_eq!(
                (reply.status, reply.refusal().as_str()),
                (400, "interaction/interaction_unknown"),
                "{change:?}"
            );
        }
        // Neither whoever has changed it, nor whoever has shown the password only, nor anybody else.
        for (browser, path) in [(&mut owner, "/consent"), (&mut awaits, "/code"), (&mut other, "/second-factor")] {
            assert_eq!(browser.get(path).await.status, 200, "{change:?} {path}");
        }
    }
    assert_eq!(count(&world, "select count(*) as count from passkeys").await, 1, "the other person's");
    assert_eq!(count(&world, "select count(*) as count from grants").await, 0);
}

/// Their sign-in was there when the form came, and is not when its turn has come.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_ended_while_they_wait_for_their_turn_changes_nothing() {
    let world = World::start().await;
    let (email, passkey, _) = owner(&world).await;
    let mut thief = logged_in(&world, &email, &passkey).await;
    let id = removes(&thief.get("/second-factor").await).remove(0);
    let code = App::read(&thief.get("/second-factor/new").await).code(world.now());
    let page = thief.get("/second-factor/passkey").await;
    let fields = created(&Passkey::generate(), &right(&page, "webauthn.create"));
    let mut superuser = connect(&world.database.superuser_url).await;
    let lock = "(31, hashtext((select id::text from users)))";
    superuser.batch_execute(&format!("select pg_advisory_lock{lock}")).await.unwrap();
    let [mut one, mut two, mut three, mut four] = [thief.clone(), thief.clone(), thief.clone(), thief];
    let (enrolls, renews) = ([("code", code.as_str())], [("decision", "renew"), ("sure", "yes")]);
    let tries = join4(
        one.post("/second-factor/new", &enrolls),
        remove(&mut two, &id, ""),
        three.post("/second-factor", &renews),
        send(&mut four, "/second-factor/passkey", &fields, &[("name", "Theirs")]),
    );
    let ended = async {
        let waiting = "select count(*) as count from pg_locks where locktype = 'advisory' and not granted \
             and database = (select oid from pg_database where datname = current_database())";
        while count(&world, waiting).await < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        superuser.batch_execute("delete from interactions").await.unwrap();
        superuser.batch_execute(&format!("select pg_advisory_unlock{lock}")).await.unwrap();
    };
    let both = tokio::time::timeout(Duration::from_mins(1), join(tries, ended)).await.unwrap();
    let ((enrolled, removed, renewed, added), ()) = both;
    assert_eq!([enrolled.status, removed.status, renewed.status, added.status], [400, 303, 303, 400]);
    for (table, left) in [("totp_secrets", 0), ("passkeys", 1), ("recovery_codes", 10)] {
        assert_eq!(count(&world, &format!("select count(*) as count from {table}")).await, left, "{table}");
    }
}
