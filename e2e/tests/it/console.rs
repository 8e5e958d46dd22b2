//! The console of `up` before a system of stand-ins ([`world`]): what it shows and to whom, and that it is for everybody who may see it.

mod world;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::drivers::judged_by_axe;
use world::{AT_THE_EDGE, FORGED, PAID, REFUSED, TRACE, World};

/// Every page of it, and those with a form or a part of a list as they are when something does not fit.
fn paths() -> Vec<String> {
    let one = [PAID, REFUSED, AT_THE_EDGE].map(|id| format!("/requests/{id}"));
    let lists = ["/", "/requests", "/refusals", "/refusals?nonces=on", "/traces", "/traces?all=on", "/nowhere"];
    let wrong = ["/traces?status=abc&at_least_ms=soon", "/refusals?service=nobody&layer=A", "/requests?page=9"];
    let lists = lists.into_iter().chain(wrong).map(str::to_owned);
    lists.chain(one).chain([format!("/traces/{TRACE}")]).collect()
}

/// Those that may be long.
const LISTS: [&str; 3] = ["/requests", "/refusals", "/traces"];
/// The highest that a list may be on a phone, in pixels: with more, nobody finds its end.
const HIGHEST: u64 = 8000;

#[tokio::test]
async fn the_console_fits_a_phone_and_a_desk_by_day_and_night_and_shuts_nobody_out() {
    let Some(mut script) = judged_by_axe(include_str!("console.mjs")).await else { return };
    let (world, crowded) = (World::start().await, World::crowded().await);
    let long = json!({"url": crowded.console.url(), "paths": LISTS});
    script.tell(&json!({"url": world.console.url(), "paths": paths(), "long": long}).to_string()).await;
    let mut grounds = Vec::new();
    for (scheme, width) in [("light", 390), ("light", 1280), ("dark", 390), ("dark", 1280)] {
        for path in paths() {
            let found: Value = script.told("found").await;
            let opened = if path == format!("/traces/{TRACE}") { json!(true) } else { Value::Null };
            let right = json!({"path": path, "width": width, "opened": opened, "ground": found["ground"], "complaints": [], "violations": []});
            assert_eq!(found, right, "{scheme}, {width}");
            grounds.push((scheme, found["ground"].clone()));
        }
    }
    for path in LISTS {
        let found: Value = script.told("high").await;
        assert!(found["path"] == path && found["height"].as_u64().unwrap() < HIGHEST, "{found}");
    }
    script.ended().await;
    grounds.dedup();
    assert!(grounds.len() == 2 && grounds[0].1 != grounds[1].1, "{grounds:?}");
}

#[tokio::test]
async fn it_answers_under_its_own_name_only_and_whoever_only_reads() {
    let world = World::start().await;
    let url = world.console.url();
    let own = url.replace("https://", "");
    let ask =
        async |method: Method, host: &str| world.http.request(method, &url).header("host", host).send().await.unwrap();
    for (method, host, status) in [
        (Method::GET, own.as_str(), 200),
        (Method::HEAD, &own, 200),
        (Method::GET, "attacker.example", 421),
        (Method::GET, "localhost", 421),
        (Method::GET, &own.replace("localhost", "127.0.0.1"), 421),
        (Method::GET, &own.replace("localhost", "localhost.attacker.example"), 421),
        (Method::POST, &own, 405),
        (Method::DELETE, &own, 405),
    ] {
        let answer = ask(method.clone(), host).await;
        assert_eq!(answer.status(), status, "{method} {host}");
        let shown = answer.text().await.unwrap();
        assert!(!shown.is_empty() || method == Method::HEAD, "{method} {host} is answered without a word");
        assert_eq!(shown.contains("password"), status == 200 && method == Method::GET, "{method} {host}: {shown}");
    }
    let policy = ask(Method::GET, &own).await.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let identity = testkit::pki::Pki::temporary().unwrap().public("console");
    let maker: testkit::pages::Maker = std::sync::Arc::new(|_| Box::pin(std::future::pending()));
    assert!(testkit::pages::serve(everywhere, &identity, "", maker).await.is_err());
}

#[tokio::test]
async fn who_hangs_or_is_not_ready_is_named_with_the_cause_and_the_rest_stands() {
    let mut world = World::start().await;
    let html = timeout(Duration::from_secs(30), world.page("/")).await.unwrap();
    for words in [
        "no answer within 2 s",
        "503: the database: connection refused",
        "the shared store is away",
        "<span class=state>ready</span>",
        "reached from inside only",
        "broken 3 ×",
        "The books do not hold",
        "the first 7 transfers so far",
        "alice tends seven beehives",
        PAID,
        "digest_mismatch",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert_eq!(html.matches("<span class=state>ready</span>").count(), 1, "the others were not heard to be ready");
    world.lose_the_collector();
    world.lose_a_log();
    // It ends when it comes to it, and may answer until then.
    let gone = async {
        loop {
            let html = world.page("/requests").await;
            if html.contains("the collector of spans") {
                return html;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let html = timeout(Duration::from_secs(20), gone).await.expect("the collector is missed");
    for words in
        ["the collector of spans", "error sending request", "cannot read", "broker.log", PAID, "digest_mismatch"]
    {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(world.page("/traces").await.contains("Not answered"));
}

#[tokio::test]
async fn what_a_client_sent_is_text_on_every_page() {
    let world = World::start().await;
    let mut told = 0;
    for path in paths().into_iter().chain([format!("/traces?name={}", "%3Cscript%3E%22%3E%3Cimg%20src")]) {
        let (_, html) = world.get(&path).await;
        assert!(!html.contains("<script") && !html.contains("<img"), "{path}: {html}");
        told += usize::from(html.contains("&#60;script&#62;"));
    }
    assert!(told >= 8, "the markup stands on {told} pages");
}

#[tokio::test]
async fn a_request_is_shown_with_the_layers_of_its_receipt() {
    let world = World::start().await;
    let html = world.page(&format!("/requests/{PAID}")).await;
    let lines: Vec<&str> = html.split("<tr role=row><td").skip(1).collect();
    assert_eq!(lines.len(), 3, "{html}");
    for (line, (layer, took)) in lines.iter().zip([("host", "56 µs"), ("api key", "69 µs"), ("waf", "131 µs")]) {
        assert!(line.contains(layer) && line.contains(took) && line.contains(">pass"), "{line}");
    }
    assert!(html.contains("01a21cb7-f66a-7fd7-bb58-8d767c609dd9") && html.contains("the signature holds"));
    let html = world.page(&format!("/requests/{FORGED}")).await;
    assert!(html.contains("not the certificate of ledger") && !html.contains("signature holds"), "{html}");
    let html = world.page(&format!("/requests/{REFUSED}")).await;
    assert!(
        html.contains("keeps no receipt") && html.contains("127.0.0.9") && html.contains("digest_mismatch"),
        "{html}"
    );
    let html = world.page(&format!("/requests/{AT_THE_EDGE}")).await;
    assert!(html.contains("keeps no receipt") && html.contains("127.0.0.7") && html.contains("rules 942100"), "{html}");
    assert_eq!(world.get("/requests/01a21cb7-dead").await.0, 404);
    assert_eq!(world.get("/requests/..%2f..").await.0, 404);
}

#[tokio::test]
async fn requests_and_refusals_are_listed_the_newest_first() {
    let world = World::start().await;
    let html = world.page("/requests").await;
    let at = |id: &str| html.find(&format!("href=\"/requests/{id}\"")).unwrap();
    assert!(at(AT_THE_EDGE) < at(FORGED) && at(FORGED) < at(REFUSED) && at(REFUSED) < at(PAID), "{html}");
    assert!(html.contains("refused by edge: <code>rules 942100</code>"), "{html}");
    let (refused, paid) = (&html[at(REFUSED)..at(PAID)], &html[at(PAID)..]);
    assert!(refused.contains("refused by message signature: <code>digest_mismatch</code>"), "{refused}");
    assert!(
        paid.contains("dev.redoubt.app/1.0.0 (android 1)") && paid.matches("<li class=\"pass\">").count() == 9,
        "{paid}"
    );
    assert!(!html.contains("/internal/v1/invariants"), "what the operator asks is left out");
    let html = world.page("/refusals").await;
    let at = |words: &str| html.find(words).unwrap();
    assert!(
        at("rules 942100") < at("no_http")
            && html.contains("127.0.0.7")
            && at("no_http") < at("digest_mismatch")
            && html.contains("127.0.0.9")
            && html.contains("okQY5ZQFyi0jKXqoKj8f2A")
    );
    assert!(
        html.contains("it never became one") && html.contains("alarm") && !html.contains("a_word_that_no_refusal_has")
    );
}

#[tokio::test]
async fn a_trace_is_found_by_what_is_known_of_it() {
    let world = World::start().await;
    let ids = [TRACE.to_owned(), "b".repeat(32), "c".repeat(32)];
    for (search, found) in [
        ("", [true, true, false]),
        ("all=on", [true, true, true]),
        ("all=on&service=broker", [false, true, true]),
        ("name=posting", [true, false, false]),
        ("name=+posting+&service=broker", [false, false, false]),
        ("status=503", [false, true, false]),
        ("at_least_ms=20", [true, false, false]),
        ("id=6d0bb227", [true, false, false]),
        ("id=6D0BB227", [true, false, false]),
    ] {
        let html = world.page(&format!("/traces?{search}")).await;
        let shown = ids.each_ref().map(|id| html.contains(&format!("href=\"/traces/{id}\"")));
        assert_eq!(shown, found, "{search}");
        assert_eq!(html.contains("No such trace"), found == [false; 3], "{search}");
    }
    let html = world.page(&format!("/traces/{TRACE}")).await;
    assert!(html.contains("db.posting.batch") && html.contains("db.query.text") && html.contains(PAID), "{html}");
    let html = world.page("/traces?status=402").await;
    let statuses: Vec<&str> = html.split("class=\"status c").skip(1).map(|rest| &rest[3..6]).collect();
    assert_eq!(statuses, ["201", "402"], "each status by which a trace is found stands in its row: {html}");
    assert!(html.contains("1 trace, the newest first"), "{html}");
    assert!(world.page(&format!("/traces/{}", "b".repeat(32))).await.contains(", 1 span."));
    assert_eq!(world.get(&format!("/traces/{}", "e".repeat(32))).await.0, 404);
}

#[tokio::test]
async fn lists_are_asked_for_again_until_the_reader_holds_them_and_what_is_read_never_is() {
    let world = World::start().await;
    let one = [format!("/requests/{PAID}"), format!("/traces/{TRACE}"), "/traces".to_owned()].map(|path| (path, None));
    let lists = ["/", "/requests", "/refusals"];
    let live = lists.map(|path| (path.to_owned(), Some("5")));
    let held = lists.map(|path| (format!("{path}?live=off"), None));
    let narrowed = [("/refusals?service=ledger".to_owned(), Some("5")), ("/refusals?service=nobody".to_owned(), None)];
    for (path, again) in live.into_iter().chain(held).chain(one).chain(narrowed) {
        let answer = world.http.get(format!("{}{path}", world.console.url())).send().await.unwrap();
        assert_eq!(answer.headers().get("refresh").map(|value| value.to_str().unwrap()), again, "{path}");
        let html = answer.text().await.unwrap();
        assert_eq!(html.contains("live=off\">Hold still"), again.is_some(), "{path}");
    }
    let html = world.page("/refusals?service=ledger").await;
    assert!(html.contains("href=\"/refusals?service=ledger&#38;live=off\""), "{html}");
    assert!(!html.contains("<form"), "what renews itself empties what is being written: {html}");
    let html = world.page("/refusals?service=ledger&live=off").await;
    assert!(html.contains("<input type=hidden name=\"live\" value=\"off\">"), "a search goes on as it was: {html}");
}

#[tokio::test]
async fn refusals_are_chosen_by_service_layer_and_reason_and_routine_ones_only_counted() {
    let world = World::start().await;
    // What the rows of each kind say.
    let rows = [
        "digest_mismatch</code>",
        "no_http</code>",
        "rules 942100</code>",
        "nonce_missing</code>\n",
        "nonce_stale</code>",
    ];
    for (search, shown, counted) in [
        ("", [true, true, true, false, true], 2),
        ("nonces=on", [true, true, true, true, true], 0),
        ("service=edge", [false, false, true, false, false], 0),
        ("layer=access_token", [false, false, false, false, true], 2),
        ("layer=access_token&nonces=on", [false, false, false, true, true], 0),
        ("reason=mismatch", [true, false, false, false, false], 0),
        ("service=ledger&layer=transport&reason=no_", [false, true, false, false, false], 0),
        ("service=ledger&layer=edge", [false; 5], 0),
        ("reason=nonce_missing", [false; 5], 2),
    ] {
        let html = world.page(&format!("/refusals?{search}")).await;
        assert_eq!(rows.map(|row| html.contains(row)), shown, "{search}: {html}");
        let hidden = format!("Not shown: {counted} × <code>nonce_missing</code>");
        assert_eq!(html.contains(&hidden), counted > 0, "{search}: {html}");
        assert_eq!(html.contains("Not shown"), counted > 0, "{search}");
        let nothing =
            format!("No{} refusal fits. Who has refused here: access_token, ", if counted > 0 { " other" } else { "" });
        assert_eq!(html.contains(&nothing), shown == [false; 5], "{search}: {html}");
    }
    let html = world.page("/refusals?layer=access_token").await;
    assert!(html.contains("href=\"/refusals?layer=access_token&#38;nonces=on\">Show them too"), "{html}");
    let html = world.page("/refusals?layer=access_token&live=off").await;
    assert!(html.contains("<option selected>access_token</option>") && html.contains("<option>transport</option>"));
    let html = world.page("/").await;
    assert!(html.contains("Not shown: 2 ×") && html.contains("href=\"/refusals?nonces=on\">Show them too"), "{html}");
}

#[tokio::test]
async fn what_a_page_does_not_take_is_named_beside_its_field_and_nothing_is_listed() {
    let mut world = World::start().await;
    for (path, sentence, beside) in [
        ("/traces?status=abc", "“Status” takes three digits from 100 to 599, such as 404, and not “abc”.", "status"),
        ("/traces?status=600", "“Status” takes three digits", "status"),
        (
            "/traces?at_least_ms=soon",
            "“Took at least (ms)” takes a whole number of at most 9 digits, such as",
            "at_least_ms",
        ),
        ("/traces?at_least_ms=-1", "“Took at least (ms)” takes", "at_least_ms"),
        ("/traces?id=xyz", "“Trace id begins with” takes up to 32 hexadecimal digits", "id"),
        ("/traces?service=nobody", "“Service” takes one of auth, attestation, ledger, broker, partner, and", "service"),
        ("/traces?all=yes", "“include work in the background” takes on, or is left out, and not “yes”.", "all"),
        ("/traces?page=two", "“page” takes a number from 1, and not “two”.", ""),
        ("/traces?page=2", "“page” takes 1 here, and not “2”.", ""),
        ("/traces?stauts=404", "“stauts” is no field of this page: it has service, name, id, status,", ""),
        (
            "/refusals?service=nobody",
            "“Service” takes one of auth, attestation, ledger, broker, edge, and not",
            "service",
        ),
        (
            "/refusals?layer=A%20b",
            "“Layer that has refused” takes one of access_token, edge, message_signature, transport, and not “A b”.",
            "layer",
        ),
        ("/refusals?layer=zzz", "“Layer that has refused” takes one of access_token, edge,", "layer"),
        ("/refusals?nonces=1", "“also routine nonce round trips” takes on", "nonces"),
        ("/refusals?live=soon", "“live” takes off, or is left out, and not “soon”.", ""),
        ("/requests?page=99", "“page” takes 1 here, and not “99”.", ""),
        ("/requests?service=auth", "“service” is no field of this page: it has live, page.", ""),
        ("/?live=1", "“live” takes off", ""),
        (format!("/traces/{TRACE}?x=1").as_str(), "“x” is no field of this page: it has none.", ""),
    ] {
        let (status, html) = world.get(path).await;
        assert_eq!(status, 400, "{path}");
        assert!(html.contains(sentence), "{path}: {html}");
        let place = format!("aria-describedby=\"{beside}-wrong\"");
        assert_eq!(html.contains(&place), !beside.is_empty(), "{path}: {html}");
        assert!(html.contains(&if beside.is_empty() {
            "<b>Not understood:</b>".to_owned()
        } else {
            format!("id=\"{beside}-wrong\">“")
        }));
        let is_list = ["/traces?", "/refusals?", "/requests?"].iter().any(|list| path.starts_with(list));
        assert_eq!(html.contains("until this is right"), is_list, "{path}: {html}");
        assert!(!is_list || !html.contains("<tbody"), "{path}: {html}");
    }
    // What a field takes is not blamed on those who are asked.
    world.lose_the_collector();
    assert!(!world.get("/traces?at_least_ms=soon").await.1.contains("the collector"));
    // Nor is what they do not answer blamed on a field. The collector ends when it comes to it, and may answer until then.
    let gone = async {
        while !world.page("/traces").await.contains("the collector of spans") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.expect("the collector is missed");
    let (status, html) = world.get("/traces?page=2").await;
    assert!(status == 200 && html.contains("the collector of spans") && !html.contains("“page”"), "{status}: {html}");
}

#[tokio::test]
async fn long_lists_come_in_parts_whose_links_keep_the_search() {
    let world = World::crowded().await;
    for (path, narrowed) in
        [("/traces", "name=posting&"), ("/requests", "live=off&"), ("/refusals", "layer=waf&live=off&")]
    {
        let rows = |html: &str| html.matches("<tr role=row><td").count();
        let narrowed_in_html = narrowed.replace('&', "&#38;");
        let first = world.page(&format!("{path}?{narrowed}")).await;
        assert_eq!(rows(&first), 25, "{path}");
        let older = format!("<a rel=next href=\"{path}?{narrowed_in_html}page=2\">");
        assert!(first.contains(&older) && first.contains("1 to 25 of 60") && !first.contains("rel=prev"), "{first}");
        let last = world.page(&format!("{path}?{narrowed}page=3")).await;
        assert!(last.contains("51 to 60 of 60") && !last.contains("rel=next"), "{last}");
        let newer = format!("<a rel=prev href=\"{path}?{narrowed_in_html}page=2\">");
        assert!(rows(&last) == 10 && last.contains(&newer), "{last}");
        let id = |html: &str| html.split("<tr role=row><td").nth(1).unwrap().to_owned();
        assert_ne!(id(&first), id(&last), "{path}");
    }
}
