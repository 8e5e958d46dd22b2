//! The analysts' desk: who comes in, what stands on its pages, and whose word is taken.

mod browser;

use std::slice::from_ref;

use runtime::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

/// A payment that was asked about in a burst, so that it is an alert; its decision.
pub(super) async fn alert(world: &World, user: &str, amount: &str) -> String {
    let burst: Vec<Value> = (0..5).map(|n| world.paid(20 - n, user, "grocer", "25.00")).collect();
    world.tell(&burst).await;
    let asked = world.score(user, "grocer", amount).await;
    assert_ne!(asked["action"], "allow", "{asked}");
    asked["decision_id"].as_str().unwrap().to_owned()
}

/// As a browser says whose page has sent a form.
fn own(world: &World) -> [(&'static str, String); 2] {
    [("origin", world.desk("")), ("sec-fetch-site", "same-origin".to_owned())]
}

async fn press(world: &World, case: &str, body: &str) -> crate::world::Seen {
    let own = own(world);
    world.press(case, body, &own.each_ref().map(|(name, value)| (*name, value.as_str()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_look_at_is_said_and_what_there_is_not_is_a_page_too() {
    let world = World::new().await;
    world.score("alice", "grocer", "20.00").await;
    let list = world.page("analyst", "/desk").await;
    assert!(list.status == 200 && list.html.contains("No alert yet") && !list.html.contains("<table"), "{}", list.html);
    let policy = list.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(list.headers["cache-control"], "no-store");
    for (path, status, says) in [
        (format!("/desk/cases/{}", world.id()), 404, "There is no such case or page."),
        ("/desk/nowhere".to_owned(), 404, "There is no such case or page."),
        ("/desk/cases/x".to_owned(), 400, "cannot be read"),
        ("/desk?limit=0".to_owned(), 400, "cannot be read"),
        ("/desk?limit=101".to_owned(), 400, "cannot be read"),
        ("/desk?after=1".to_owned(), 400, "cannot be read"),
        ("/desk?page=2".to_owned(), 400, "cannot be read"),
    ] {
        let seen = world.page("analyst", &path).await;
        assert_eq!((seen.status, seen.html.contains(says)), (status, true), "{path}: {}", seen.html);
    }
    let stranger = world.page("operator", "/desk").await;
    assert!(stranger.status == 403 && stranger.html.contains("The desk is for analysts"), "{}", stranger.html);
    assert_eq!(stranger.refused, ["authorization/peer_not_allowed"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_listed_and_shown_with_its_reasons_among_the_payments_of_its_user() {
    let world = World::new().await;
    world
        .tell(&[world.paid(3 * 86_400, "alice", "grocer", "12.34"), world.paid(86_400, "bob", "grocer", "777.77")])
        .await;
    let passed = world.score("alice", "grocer", "31.00").await;
    assert_eq!(passed["action"], "allow");
    let case = alert(&world, "alice", "9850.00").await;
    let list = world.page("analyst", "/desk").await.html;
    let link = format!("<a href=\"/desk/cases/{case}\">9850.00 EUR</a>");
    assert!(list.contains(&link) && list.contains("held for a while") && list.contains("not said yet"), "{list}");
    assert!(list.contains("many payments within a minute") || list.contains("the amount"), "{list}");
    assert!(!list.contains("31.00"), "what was let through is no alert: {list}");
    let shown = world.page("analyst", &format!("/desk/cases/{case}")).await.html;
    for words in [
        "many payments within a minute",
        "rule <code>burst</code>",
        "12.34 EUR",
        "25.00 EUR",
        "not as it was asked about here",
        "card-payments-1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("777.77"), "another's payment: {shown}");
    assert!(!shown.contains("31.00"), "let through and not made: {shown}");
    assert_eq!(shown.matches("<svg class=\"case\"").count(), 1, "{shown}");
    assert_eq!(shown.matches("<svg class=\"made\"").count(), 6, "{shown}");
    assert!(
        shown.contains("This payment is 9850 EUR. The 6 others are from 12.34 to 25 EUR, half of them at most 25 EUR."),
        "{shown}"
    );
    for name in ["alice", "grocer"] {
        assert!(!shown.contains(name) && !list.contains(name), "{name} is named");
    }
    // It is made, and the one that was let through: both are among the payments then, each once, with what was thought of it.
    let mut made = world.paid(0, "alice", "grocer", "9850.00");
    made["decision_id"] = json!(case);
    let mut other = world.paid(0, "alice", "grocer", "31.00");
    other["decision_id"] = passed["decision_id"].clone();
    world.tell(&[made, other]).await;
    let shown = world.page("analyst", &format!("/desk/cases/{case}")).await.html;
    assert!(
        !shown.contains("not as it was asked about here")
            && shown.contains("31.00 EUR</a>")
            && shown.contains("let through"),
        "{shown}"
    );
    assert_eq!(
        (shown.matches("<svg class=\"case\"").count(), shown.matches("<svg class=\"made\"").count()),
        (1, 7),
        "{shown}"
    );
    // What is opened by its id is shown, alert or not.
    let passed = format!("/desk/cases/{}", passed["decision_id"].as_str().unwrap());
    assert!(world.page("analyst", &passed).await.html.contains("this payment"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payments_around_a_case_are_bounded_and_another_currency_stands_in_the_list_only() {
    let world = World::new().await;
    let many: Vec<Value> = (0..60).map(|n| world.paid(200_000 + n * 3_600, "alice", "grocer", "10.00")).collect();
    world.tell(&many).await;
    let mut yen = world.paid(100_000, "alice", "grocer", "5");
    (yen["currency"], yen["amount"]) = (json!("JPY"), json!("5000"));
    world.tell(from_ref(&yen)).await;
    let case = world.score("alice", "grocer", "20.00").await["decision_id"].as_str().unwrap().to_owned();
    world.clock.advance(1_000);
    let later: Vec<Value> = (0..30).map(|_| world.paid(0, "alice", "grocer", "11.00")).collect();
    world.tell(&later).await;
    let shown = world.page("analyst", &format!("/desk/cases/{case}")).await.html;
    assert_eq!((shown.matches(">10.00 EUR").count(), shown.matches(">11.00 EUR").count()), (39, 20), "{shown}");
    assert_eq!((shown.matches(">5000 JPY").count(), shown.matches("<svg class=\"made\"").count()), (1, 59), "{shown}");
    assert!(shown.contains("1 in another currency stands in the list only."), "{shown}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_says_a_word_once_in_the_analysts_name_and_the_last_one_counts() {
    let world = World::new().await;
    let case = alert(&world, "alice", "25.00").await;
    let frauds = async || world.features("carol", "grocer", "20.00").await["payee_run_frauds"].take();
    for (word, counts, rows) in [("fraud", 1.0, 1), ("fraud", 1.0, 1), ("honest", 0.0, 2), ("fraud", 1.0, 3)] {
        let seen = press(&world, &case, &format!("label={word}")).await;
        assert_eq!(seen.status, 303, "{}", seen.html);
        assert_eq!(seen.headers["location"].to_str().unwrap(), format!("/desk/cases/{case}#word"));
        assert_eq!((frauds().await, world.rows("select 1 from labels").await), (json!(counts), rows), "{word}");
        let shown = world.page("analyst", &format!("/desk/cases/{case}")).await.html;
        let last = shown.split("<ol class=\"said\">").nth(1).unwrap().split("</li>").next().unwrap();
        assert!(last.contains(&format!("badge {word}")) && last.contains("said by analyst, "), "{last}");
        assert!(world.page("analyst", "/desk").await.html.contains(&format!("badge {word}")));
    }
    world.label("decision", &case, "honest").await.ok();
    let shown = world.page("analyst", &format!("/desk/cases/{case}")).await.html;
    assert!(shown.contains("said by operator") && shown.matches("said by analyst").count() == 3, "{shown}");
    assert_eq!(world.rows("select 1 from labels where said_by = 'analyst' and about = 'decision'").await, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_taken_from_the_desks_own_page_only() {
    let world = World::new().await;
    let case = alert(&world, "alice", "25.00").await;
    let here = world.desk("");
    let port = format!("https://localhost:{}", world.running.internal.port() + 1);
    let foreign: [&[(&str, &str)]; 9] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("origin", &port), ("sec-fetch-site", "same-site")],
        &[("origin", &here), ("origin", &here)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://localhost")],
    ];
    for heads in foreign {
        let seen = world.press(&case, "label=fraud", heads).await;
        assert_eq!(
            (seen.status, seen.refused.as_slice()),
            (403, ["origin/origin_mismatch".to_owned()].as_slice()),
            "{heads:?}"
        );
        assert!(seen.html.contains("what it takes comes from its own pages"), "{}", seen.html);
    }
    for body in ["", "label=", "label=perhaps", "label=fraud&label=fraud", "label=fraud&more=1", "label=fraud%00"] {
        let seen = press(&world, &case, body).await;
        assert_eq!(
            (seen.status, seen.refused.as_slice()),
            (400, ["request/form_invalid".to_owned()].as_slice()),
            "{body}"
        );
    }
    assert_eq!(press(&world, &world.id(), "label=fraud").await.status, 404);
    assert_eq!(world.rows("select 1 from labels").await, 0);
    // Either of what browsers say is enough.
    for heads in [&[("origin", here.as_str())], &[("sec-fetch-site", "same-origin")]] {
        assert_eq!(world.press(&case, "label=fraud", heads).await.status, 303, "{heads:?}");
    }
    world.stop().await;
}

/// Alerts that nobody has asked for: as many as `n`, each a second after the other, with this reason.
async fn stored(world: &World, n: i64, says: &str) -> Vec<String> {
    let now = world.clock.unix_millis();
    let ids: Vec<String> = (0..n).map(|n| api::Id::from(storage::ids::new(now + n * 1000)).to_string()).collect();
    let reasons = json!([{ "source": "rule", "name": says, "says": says, "log_odds": 1.5 }]).to_string();
    let rows: Vec<String> = ids
        .iter()
        .map(|id| {
            format!("('{id}', now(), null, now(), 1, 2, 100, 'EUR', 1, 0, 0.5, 'delay', '{reasons}', '{says}', '{says}', '{{1}}')")
        })
        .collect();
    world.rows(&format!("insert into decisions values {}", rows.join(", "))).await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_come_in_pages_the_newest_first_without_a_gap_or_an_overlap() {
    let world = World::new().await;
    let mut ids = stored(&world, 230, "much").await;
    ids.reverse();
    for (limit, first, pages) in [("?limit=100", 100, 3), ("", 50, 5)] {
        let (mut path, mut found, mut count) = (format!("/desk{limit}"), Vec::new(), 0);
        loop {
            let html = world.page("analyst", &path).await.html;
            let here = html.split("href=\"/desk/cases/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            let before = found.len();
            found.extend(here);
            count += 1;
            assert!(count > 1 || found.len() == first, "{limit}: {}", found.len());
            assert!(found.len() > before, "an empty page");
            let Some((_, older)) = html.split_once("rel=\"next\" href=\"") else { break };
            path = older.split('"').next().unwrap().replace("&#38;", "&");
        }
        assert_eq!((count, &found), (pages, &ids), "{limit}");
    }
    let past = world.page("analyst", &format!("/desk?after={}", ids.last().unwrap())).await.html;
    assert!(past.contains("There are no older alerts.") && past.contains(">Newest</a>"), "{past}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_the_database_is_text_on_a_page() {
    let world = World::new().await;
    let hostile = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>";
    let case = stored(&world, 1, hostile).await.remove(0);
    for (path, times) in [("/desk".to_owned(), 1), (format!("/desk/cases/{case}"), 4)] {
        let html = world.page("analyst", &path).await.html;
        assert!(!html.contains("<script") && !html.contains("<img"), "{path}: {html}");
        assert_eq!(html.matches("&#60;script&#62;").count(), times, "{path}: {html}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_says_what_happened_at_its_users_door_and_at_nobody_elses() {
    let world = World::new().await;
    let case = alert(&world, "alice", "9850.00").await;
    let path = format!("/desk/cases/{case}");
    assert!(world.page("analyst", &path).await.html.contains("Nothing is known of the 30 days before it"));
    let events = [
        world.noticed("failed_login", 600, "alice", &[]),
        world.noticed("login", 500, "alice", &[]),
        world.noticed("device", 400, "alice", &[("device", "new-phone"), ("level", "tee")]),
        world.noticed("second_factor", -60, "alice", &[("change", "removed")]),
        world.noticed("second_factor", 300, "bob", &[("change", "recovered")]),
        world.noticed("second_factor", 40 * 86_400, "alice", &[("change", "added")]),
    ];
    assert_eq!(world.tell_as("auth", &events).await, ["taken"; 6]);
    let html = world.page("analyst", &path).await.html;
    let places = [
        "a second factor was removed <span class=\"soft\">after this payment</span>",
        "began to act for the user, its key kept by the processor",
        "logged in",
        "somebody failed to log in",
    ]
    .map(|words| html.find(words).unwrap_or_else(|| panic!("{words}: {html}")));
    assert!(places.is_sorted(), "the newest first: {html}");
    assert!(!html.contains("recovery code") && !html.contains("was added") && !html.contains("new-phone"), "{html}");
    world.stop().await;
}
