//! What is told rightly, with one thing wrong at a time.

use serde_json::json;
use system::telemetry::{Kind, telemetry};
use testkit::browser::Person;

use super::words::Words;
use super::*;

fn span() -> Span {
    let attributes = json!({"db.system": "postgresql", "db.operation.name": "accounts.open"});
    let event = json!({"name": "a line", "attributes": {"level": "INFO", "reason": "why"}});
    Span {
        service: "ledger".to_owned(),
        name: "db.accounts.open".to_owned(),
        kind: "client".to_owned(),
        span_id: "1".to_owned(),
        parent: None,
        start_ns: 1,
        end_ns: 2,
        error: false,
        attributes: attributes.as_object().unwrap().clone(),
        events: vec![event],
    }
}

fn measured() -> Measured {
    let series = [("http.request.method", "GET"), ("http.response.status_code", "200"), ("http.route", "/v1/accounts")];
    let series = series.into_iter().chain([("redoubt.listener", "public")]);
    let series = series.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let name = "http.server.request.duration".to_owned();
    Measured { name, kind: Kind::Histogram, unit: "s".to_owned(), series: vec![series] }
}

fn told(span: Span, measured: Measured) -> Told {
    let shown = "http_server_request_duration_seconds_count{http_route=\"/v1/accounts\"} 1\n".to_owned();
    Told {
        spans: vec![span],
        metrics: [("ledger".to_owned(), vec![measured])].into(),
        shown: [("ledger".to_owned(), shown)].into(),
        ..Told::default()
    }
}

/// Without what is only lacking: so little is told of everything.
fn wrong(span: Span, measured: Measured) -> Vec<String> {
    let found = violations(telemetry().unwrap(), &told(span, measured));
    found.into_iter().filter(|what| !what.ends_with("in nothing that was told")).collect()
}

#[test]
fn what_is_as_the_schema_has_it_is_no_violation() {
    assert_eq!(wrong(span(), measured()), Vec::<String>::new());
}

#[test]
fn each_thing_in_a_span_that_is_not_in_the_schema_is_named() {
    let changed = |change: &dyn Fn(&mut Span)| {
        let mut span = span();
        change(&mut span);
        wrong(span, measured()).join("; ")
    };
    assert!(changed(&|span| span.name = "accounts opened".to_owned()).contains("a span `accounts opened` (client)"));
    assert!(changed(&|span| span.kind = "server".to_owned()).contains("`db.accounts.open` (server)"));
    let other = |span: &mut Span| drop(span.attributes.insert("http.route".to_owned(), "/".into()));
    assert!(changed(&other).contains("the span db.{operation} has http.route"));
    let value = |span: &mut Span| drop(span.attributes.insert("db.system".to_owned(), "mysql".into()));
    assert!(changed(&value).contains("db.system is mysql"));
    let line = |span: &mut Span| span.events = vec![json!({"attributes": {"password": "x"}})];
    assert!(changed(&line).contains("what is logged in db.{operation} has password"));
}

#[test]
fn each_thing_in_a_metric_that_is_not_in_the_schema_is_named() {
    let changed = |change: &dyn Fn(&mut Measured)| {
        let mut measured = measured();
        change(&mut measured);
        wrong(span(), measured).join("; ")
    };
    assert!(changed(&|it| it.name = "http.time".to_owned()).contains("ledger measures http.time"));
    assert!(changed(&|it| it.unit = "ms".to_owned()).contains("is a Histogram in `ms`"));
    assert!(changed(&|it| it.kind = Kind::Gauge).contains("is a Gauge in `s`"));
    let more = |it: &mut Measured| drop(it.series[0].insert("user".to_owned(), "alice".to_owned()));
    assert!(changed(&more).contains("\"user\""));
    assert!(changed(&|it| drop(it.series[0].remove("http.route"))).contains("is not what the schema gives it"));
    let value = |it: &mut Measured| drop(it.series[0].insert("redoubt.listener".to_owned(), "back".to_owned()));
    assert!(changed(&value).contains("redoubt.listener is back"));
}

#[test]
fn what_is_in_the_schema_and_is_never_told_is_named() {
    let found = violations(telemetry().unwrap(), &told(span(), measured()));
    let lacking =
        |what: &str| found.iter().any(|found| found.starts_with(what) && found.ends_with("nothing that was told"));
    assert!(
        lacking("the metric ledger.orders is") && lacking("the span posting.batch") && lacking("the attribute layer")
    );
    assert!(!lacking("the metric http.server.request.duration") && !lacking("the span db.{operation}"));
    assert!(!lacking("the metric attestation.notes"), "the schema says why it is not seen");
}

#[test]
fn a_word_is_found_wherever_it_stands_and_is_not_told_again() {
    let email = "alice-gh5xq2@example.com".to_owned();
    let (password, name) = ("Qm4tR9wZ battery staple".to_owned(), "Alice Archer".to_owned());
    let mut words = Words::default();
    words.person(&Person { email, password, name, registers: true }).unwrap();
    words.token("an access token", "head.body.c2lnbmF0dXJl").unwrap();
    let found = |told: &Told| words.found(told).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(found(&told(span(), measured())), Vec::<String>::new());
    for (hidden, what) in [
        ("to=alice-gh5xq2%40example.com", "the e-mail address of Alice Archer"),
        ("ALICE-GH5XQ2@EXAMPLE.COM", "the e-mail address of Alice Archer"),
        ("Qm4tR9wZ+battery", "the password of Alice Archer"),
        ("hello Alice Archer", "the name Alice Archer"),
        ("DPoP head.body.c2lnbmF0dXJl", "an access token"),
    ] {
        let mut in_span = told(span(), measured());
        in_span.spans[0].attributes.insert("url.path".to_owned(), hidden.into());
        let mut in_event = told(span(), measured());
        in_event.spans[0].events.push(json!({"attributes": {"cause": hidden}}));
        let in_metric = Told { sent: json!({"ledger": [hidden]}), ..told(span(), measured()) };
        let mut shown = told(span(), measured());
        shown.shown.insert("auth".to_owned(), format!("a_total{{b=\"{hidden}\"}} 1"));
        let mut logged = told(span(), measured());
        logged.logs.insert("auth".to_owned(), format!("{{\"cause\":\"{hidden}\"}}"));
        for (told, place) in [
            (in_span, "a span"),
            (in_event, "a span"),
            (in_metric, "a metric"),
            (shown, "the metrics that auth shows"),
            (logged, "the log of auth"),
        ] {
            assert_eq!(found(&told), [format!("{what} stands in {place}")]);
        }
    }
    assert!(words.add("nothing", "").is_err(), "what is never found proves nothing");
}
