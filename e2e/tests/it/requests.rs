//! What the edge does to one request.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::waf::{Call, FIELDS, REACHED};

use crate::Scene;

/// An attack of a kind that no field of ours takes for something else.
const ATTACK: &str = "x' OR 1=1 UNION SELECT password FROM people; --<script>alert(1)</script>";

async fn send(scene: &Scene, url: &str, call: &Call, more: &[(&str, &str)]) -> Response {
    let method = Method::from_bytes(call.method.as_bytes()).unwrap();
    let mut request = scene.http.request(method, format!("{url}{}", call.target)).body(call.body.clone());
    for (name, value) in call.headers.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()) {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

fn transfer(reference: &str) -> Call {
    FIELDS.iter().find(|field| field.name == "transfer: reference").unwrap().call(reference)
}

/// The values of a header field as they arrived.
fn arrived(said: &Value, name: &str) -> Vec<String> {
    let headers = said["headers"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    headers.filter(|header| header[0] == name).map(|header| text(&header[1])).collect()
}

#[tokio::test]
async fn an_attack_in_any_field_ends_at_the_edge_and_without_the_edge_arrives() {
    let Some(scene) = Scene::start(None).await else { return };
    for field in FIELDS {
        let attack = field.call(ATTACK);
        let refused = send(&scene, &scene.front, &attack, &[]).await;
        let id = refused.headers()["request-id"].to_str().unwrap().to_owned();
        assert_eq!(refused.headers()["content-type"], api::problem::MEDIA_TYPE, "{}", field.name);
        let (status, problem) = (refused.status(), refused.json::<api::problem::Problem>().await.unwrap());
        assert_eq!((status.as_u16(), problem.code.as_str()), (403, api::problem::code::EDGE_REFUSED), "{}", field.name);
        assert_eq!((problem.status, problem.request_id.as_deref(), problem.detail), (403, Some(id.as_str()), None));
        assert!(!scene.rules(&id).is_empty(), "{}: the log names no rule", field.name);
        // The same bytes without the edge, and the honest twin with it.
        let past = send(&scene, &scene.stand_in.url(), &attack, &[]).await;
        assert!(past.headers().contains_key(REACHED), "{}", field.name);
        let honest = send(&scene, &scene.front, &field.call(field.value), &[]).await;
        assert!(honest.headers().contains_key(REACHED), "{}: {}", field.name, honest.text().await.unwrap());
    }
}

#[tokio::test]
async fn what_a_client_says_in_the_edges_name_does_not_arrive() {
    let Some(scene) = Scene::start(None).await else { return };
    let lies = [
        ("waf-score", "0"),
        ("Waf-Score", "99"),
        ("waf_score", "99"),
        ("x-forwarded-for", "198.51.100.7"),
        ("forwarded", "for=198.51.100.7"),
    ];
    let score = async |reference: &str, lies: &[(&str, &str)]| {
        let answer = send(&scene, &scene.front, &transfer(reference), lies).await;
        let said: Value = answer.json().await.unwrap();
        assert_eq!(arrived(&said, "x-forwarded-for"), ["127.0.0.1"]);
        assert!(arrived(&said, "forwarded").is_empty() && arrived(&said, "waf_score").is_empty());
        assert_eq!(said["peer"], testkit::edge::SOURCE);
        let mut scores = arrived(&said, "waf-score");
        assert_eq!(scores.len(), 1, "{scores:?}");
        scores.remove(0).parse::<u32>().unwrap()
    };
    assert_eq!(score("Rent", &[]).await, 0);
    assert_eq!(score("Rent", &lies).await, 0);
    // Rules of paranoia 2 find something in it, which refuses nobody: the service is told.
    let found = score("Salary 01/26 * bonus", &[]).await;
    assert!([3, 5, 10, 20].contains(&found), "{found}");
    assert_eq!(score("Salary 01/26 * bonus", &lies).await, found);
    // Nor without the edge is anything taken away: it was the edge that did.
    let said: Value = send(&scene, &scene.stand_in.url(), &transfer("Rent"), &lies).await.json().await.unwrap();
    assert_eq!(arrived(&said, "waf-score"), ["0", "99"]);
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_the_answer_too() {
    let Some(scene) = Scene::start(None).await else { return };
    let mut call = transfer("Grüße, Zoë & José: 50% (½) <3");
    call.target = "/v1/a%2Fb//c/d?x=%41&y=%2e".to_owned();
    let length = call.body.len();
    let host = scene.front.trim_start_matches("https://").to_owned();
    for body in [call.body.clone(), String::from_utf8(call.body.clone()).unwrap().replace(':', " : ").into_bytes()] {
        call.body = body;
        let url: url::Url = scene.front.parse().unwrap();
        // By hand: a client's library would tidy the path up.
        let said = crate::conformance::spoken(&scene, &url, &raw(&call, &host));
        let said: Value = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(said["target"], call.target);
        assert_eq!(arrived(&said, "host"), [host.as_str()]);
        assert_eq!(said["body"].as_str().unwrap().as_bytes(), call.body);
    }
    assert!(call.body.len() > length);
    // A service's own 403 is nobody else's.
    call.target = "/refused".to_owned();
    let answer = send(&scene, &scene.front, &call, &[]).await;
    assert!(answer.status() == 403 && answer.headers().contains_key(REACHED));
}

fn raw(call: &Call, host: &str) -> Vec<u8> {
    let length = call.body.len();
    let fields: String =
        call.headers.iter().fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
    let line = format!("{} {} HTTP/1.1", call.method, call.target);
    let head = format!("{line}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n");
    [head.as_bytes(), &call.body].concat()
}

#[tokio::test]
async fn what_cannot_be_read_or_is_too_large_ends_at_the_edge() {
    let Some(scene) = Scene::start(None).await else { return };
    let json = |body: String| Call { body: body.into_bytes(), ..transfer("") };
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let mut xml = json("<a/>".to_owned());
    xml.headers.retain(|(name, _)| *name != "content-type");
    xml.headers.push(("content-type", "application/xml".to_owned()));
    let put = Call { method: "PUT", ..transfer("Rent") };
    let long = "a".repeat(17_000);
    let token = "a.b.c<script>".to_owned();
    for (what, call, more, status, code) in [
        ("half a body", json("{\"reference\":".to_owned()), None, 403, "edge.refused"),
        ("a deep body", json(deep), None, 403, "edge.refused"),
        ("XML", xml, None, 403, "edge.refused"),
        ("another method", put, None, 403, "edge.refused"),
        ("a large body", json(json!({"reference": "a".repeat(70_000)}).to_string()), None, 413, "request.too_large"),
        ("a large head", transfer("Rent"), Some(("x", long)), 431, "request.too_large"),
        ("a token that is none", transfer("Rent"), Some(("attestation-token", token)), 403, "edge.refused"),
    ] {
        let more = more.as_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = send(&scene, &scene.front, &call, more.as_slice()).await;
        let seen = (answer.status().as_u16(), answer.json::<api::problem::Problem>().await.unwrap());
        assert_eq!((seen.0, seen.1.code.as_str()), (status, code), "{what}");
        assert!(seen.1.request_id.is_some_and(|id| id.len() == 32));
    }
    let plain = scene.http.get(scene.front.replace("https", "http")).send().await.unwrap();
    assert_eq!(
        (plain.status().as_u16(), &plain.headers()["content-type"]),
        (400, &api::problem::MEDIA_TYPE.parse().unwrap())
    );
}

/// Some rules of the Core Rule Set take a minute for these, in which a worker serves nobody else (ATTACKS 13): they end before those rules see them.
#[tokio::test]
async fn a_text_that_rules_take_long_for_ends_before_they_see_it() {
    let Some(scene) = Scene::start(None).await else { return };
    let spaces = |space: &str| format!("union{}", space.repeat(1_000 / space.len()));
    let long = [("select ".repeat(8_500), 9208), (format!("union{}", " ".repeat(60_000)), 9208)];
    let rows = [" ", "\t", "+", "%20"].map(|space| (spaces(space), 9211));
    let texts = long.into_iter().chain(rows).map(|(text, rule)| (json!({"reference": text.as_str(), "k": "v"}), rule));
    let names = (json!({"a".repeat(200): "v"}), 9209);
    let many = (Value::Object((0..200).map(|at| (format!("k{at}"), json!("v"))).collect()), 9003);
    for (body, rule) in texts.chain([names, many]) {
        let call = Call { body: body.to_string().into_bytes(), ..transfer("") };
        let answer = send(&scene, &scene.front, &call, &[]).await;
        assert_eq!(answer.status(), 403, "{rule}");
        let id = answer.headers()["request-id"].to_str().unwrap();
        assert_eq!(scene.rules(id), [rule]);
    }
    // As long as a text may be, in the script that takes most bytes.
    let fits = send(&scene, &scene.front, &transfer(&"𠀀".repeat(140)), &[]).await;
    assert!(fits.headers().contains_key(REACHED));
}

/// A partner's notification is signed, and of money that has arrived: it is told how it looks, and not refused.
#[tokio::test]
async fn a_webhook_is_scored_and_arrives() {
    let Some(scene) = Scene::start(None).await else { return };
    let event =
        json!({"type": "payment.received", "data": {"debtor_name": ATTACK, "reference": ATTACK, "amount": "1.00"}});
    let call =
        Call { target: "/webhooks/sandbox-bank".to_owned(), body: event.to_string().into_bytes(), ..transfer("") };
    let said: Value = send(&scene, &scene.front, &call, &[]).await.json().await.unwrap();
    assert_eq!(arrived(&said, "waf-score"), ["20"]);
    let elsewhere = Call { target: "/v1/webhooks/sandbox-bank".to_owned(), ..call };
    assert_eq!(send(&scene, &scene.front, &elsewhere, &[]).await.status(), 403);
}

#[tokio::test]
async fn a_service_that_is_not_there_or_not_ours_is_not_known_to_have_acted() {
    let Some(scene) = Scene::start(None).await else { return };
    let stranger = testkit::pki::Pki::temporary().unwrap();
    let impostor = testkit::edge::stand_in(&stranger).await.unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for port in [impostor.address().port(), nobody] {
        let (edge, listen) = testkit::edge::start(&scene.software, &scene.pki, port, None);
        let answer = send(&scene, &format!("https://localhost:{listen}"), &transfer("Rent"), &[]).await;
        assert!(!answer.headers().contains_key(REACHED) && answer.headers().contains_key("retry-after"));
        assert_eq!(answer.status(), 503);
        let problem = answer.json::<api::problem::Problem>().await.unwrap();
        assert_eq!(problem.code, api::problem::code::OUTCOME_UNKNOWN);
        drop(edge);
    }
}

/// nginx has no target of these: what it answers then must not depend on one.
#[tokio::test]
async fn a_request_line_that_cannot_be_read_is_refused_and_no_fault() {
    let Some(scene) = Scene::start(None).await else { return };
    let long = format!("GET /v1/{}", "a".repeat(17_000));
    let lines = [
        ("GET /v1/..%2f..%2f..%2fetc", 400, "request.invalid"),
        ("GET /v1/%zz", 400, "request.invalid"),
        // nginx itself has no ear for it.
        ("TRACE /v1/accounts", 400, "request.invalid"),
        (long.as_str(), 431, "request.too_large"),
        // The edge's own, which nobody can ask for.
        ("GET /~fault", 403, "edge.refused"),
        ("GET /~malformed", 403, "edge.refused"),
        ("GET /~head", 403, "edge.refused"),
    ];
    for (line, status, code) in lines {
        let url: url::Url = scene.front.parse().unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let said = crate::conformance::spoken(&scene, &url, request.as_bytes());
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        let name: String = line.chars().take(20).collect();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {head}");
        let problem: api::problem::Problem = serde_json::from_str(body).unwrap();
        assert_eq!((problem.code.as_str(), problem.status), (code, status), "{name}");
        assert!(problem.request_id.is_some_and(|id| id.len() == 32), "{name}");
    }
}

/// A rule that takes bytes of UTF-8 for markup in US-ASCII refuses half of those who do not write in Latin letters.
#[tokio::test]
async fn people_who_do_not_write_in_latin_letters_are_let_in() {
    let Some(scene) = Scene::start(None).await else { return };
    for name in ["Ковальчук", "Йосип Мельник", "株式会社山田", "株式会社みらい", "渡辺食品", "Ťažký Żuraw", "Çağ Ğöl"]
    {
        let answer = send(&scene, &scene.front, &transfer(name), &[]).await;
        let status = answer.status();
        assert!(answer.headers().contains_key(REACHED), "{name}: {status}");
    }
    // Bytes that are no UTF-8 end here all the same: in no reading of ours is there anything of it.
    let mut call = transfer("MARK");
    let at = call.body.windows(4).position(|four| four == b"MARK").unwrap();
    call.body.splice(at..at + 4, *b"\xbcscript\xbe");
    assert_eq!(send(&scene, &scene.front, &call, &[]).await.status(), 403);
}

/// What the edge itself says reads as if a service had said it.
#[test]
fn the_edges_own_refusals_have_the_titles_of_their_codes() {
    let lines = include_str!("../../../infra/edge/refusals.conf").lines();
    let bodies: Vec<&str> = lines.filter_map(|line| line.split_once('\'')?.1.strip_suffix("';")).collect();
    assert_eq!(bodies.len(), 8, "{bodies:?}");
    for body in bodies {
        let problem: api::Problem = serde_json::from_str(body).unwrap();
        let of_its_code = api::Problem::new(problem.status, &problem.code);
        assert_eq!(problem, api::Problem { request_id: Some("$request_id".to_owned()), ..of_its_code });
    }
}
