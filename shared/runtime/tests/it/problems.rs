//! Every refusal is problem+json with a stable code, names the field, and leaks nothing.

use reqwest::{Client, RequestBuilder, Response};
use runtime::Running;
use serde_json::Value;

use crate::pki::Pki;
use crate::probe;

struct Setup {
    running: Running,
    client: Client,
    _pki: Pki,
}

impl Setup {
    async fn new() -> Self {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        Self { client: probe::outside(&pki), running, _pki: pki }
    }

    fn url(&self, path: &str) -> String {
        probe::url(self.running.public.unwrap(), path)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url("/notes")).header("content-type", "application/json").body(body)
    }
}

/// Status, code and field of a refusal, after checking what holds for all of them.
async fn refusal(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{status}");
    usual_headers(&answer);
    let id = answer.headers()["request-id"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], id.as_str(), "{text}");
    let code = problem["code"].as_str().unwrap().to_owned();
    assert_eq!(problem["type"], format!("https://redoubt.dev/problems/{code}"));
    for secret in ["hunter2", "on fire", "/etc/very", "serde", "src/"] {
        assert!(!text.contains(secret), "{text}");
    }
    (status, code, problem["field"].as_str().unwrap_or_default().to_owned())
}

fn usual_headers(answer: &Response) {
    let headers = answer.headers();
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["strict-transport-security"], "max-age=63072000; includeSubDomains");
    assert_eq!(headers["request-id"].to_str().unwrap().len(), 36);
    assert!(headers.contains_key("cache-control") && headers.contains_key("content-security-policy"));
    assert!(!headers.contains_key("server"));
}

fn is(code: &str, status: u16, field: &str) -> (u16, String, String) {
    (status, code.to_owned(), field.to_owned())
}

#[tokio::test]
async fn a_good_request_gets_its_answer_with_the_usual_headers() {
    let setup = Setup::new().await;
    let answer = setup.post(r#"{"text":"hi","number":1}"#).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    usual_headers(&answer);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    setup.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_a_problem_that_names_the_field() {
    let setup = Setup::new().await;
    for (body, field) in [
        ("", ""),
        ("{", ""),
        ("[1]", ""),
        (r#"{"text":"hunter2"}"#, "number"),
        (r#"{"text":"hi","number":"hunter2"}"#, "number"),
        (r#"{"text":"hi","number":-1}"#, "number"),
        (r#"{"text":"hi","number":1,"admin":true}"#, "admin"),
        (r#"{"text":"hi","text":"hunter2","number":1}"#, "text"),
        (r#"{"text":"hi","number":1} tail"#, ""),
    ] {
        let refused = refusal(setup.post(body)).await;
        // A sequence where a struct is expected is refused by its missing or wrong elements, without a name.
        assert_eq!((refused.0, refused.1.as_str()), (400, "request.invalid"), "{body}");
        if !field.is_empty() {
            assert_eq!(refused.2, field, "{body}");
        }
    }
    let invalid_utf8 = refusal(setup.post(b"{\"text\":\"\xff\",\"number\":1}".to_vec())).await;
    assert_eq!(invalid_utf8.1, "request.invalid");
    let deep = refusal(setup.post("[".repeat(60_000))).await;
    assert_eq!(deep, is("request.invalid", 400, ""));
}

#[tokio::test]
async fn another_media_type_is_415_and_a_large_body_413() {
    let setup = Setup::new().await;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json+x",
        "application/json; charset=utf-16",
        "application/json; profile=x",
        "garbage",
    ] {
        let request = setup.client.post(setup.url("/notes")).header("content-type", media_type).body("{}");
        assert_eq!(refusal(request).await, is("request.unsupported_media_type", 415, ""), "{media_type}");
    }
    // Of two, whoever looks before could take the other one.
    let two = setup.client.post(setup.url("/notes")).header("content-type", "application/json");
    let two = two.header("content-type", "text/plain").body("{}");
    assert_eq!(refusal(two).await, is("request.unsupported_media_type", 415, ""));
    let none = setup.client.post(setup.url("/notes")).body("{}");
    assert_eq!(refusal(none).await, is("request.unsupported_media_type", 415, ""));
    let large = format!(r#"{{"text":"{}","number":1}}"#, "x".repeat(64 * 1024));
    assert_eq!(refusal(setup.post(large)).await, is("request.too_large", 413, ""));
}

#[tokio::test]
async fn unknown_routes_wrong_methods_and_wrong_parameters_are_problems() {
    let setup = Setup::new().await;
    assert_eq!(refusal(setup.get("/nowhere")).await, is("request.not_found", 404, ""));
    assert_eq!(refusal(setup.get("/notes/0")).await, is("request.not_found", 404, ""));
    assert_eq!(refusal(setup.get("/notes/abc")).await, is("request.invalid", 400, "id"));
    assert_eq!(refusal(setup.get("/notes?limit=many")).await.1, "request.invalid");
    assert_eq!(refusal(setup.get("/notes")).await, is("request.invalid", 400, "limit"));
    assert_eq!(refusal(setup.get("/notes?limit=1&x=2")).await, is("request.invalid", 400, "x"));
    let delete = || setup.client.delete(setup.url("/notes"));
    assert_eq!(refusal(delete()).await, is("request.method_not_allowed", 405, ""));
    let allow = delete().send().await.unwrap().headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn a_target_or_header_fields_that_are_too_long_are_too_large_and_not_invalid() {
    let setup = Setup::new().await;
    let target = format!("/notes?limit={}", "1".repeat(8 * 1024));
    assert_eq!(refusal(setup.get(&target)).await, is("request.too_large", 414, ""));
    let mut request = setup.get("/notes?limit=1");
    for n in 0..9 {
        request = request.header(format!("x-{n}"), "y".repeat(4000));
    }
    assert_eq!(refusal(request).await, is("request.too_large", 431, ""));
}

#[tokio::test]
async fn our_own_faults_say_nothing_about_themselves_and_a_panic_is_one_of_them() {
    let setup = Setup::new().await;
    for path in ["/fail", "/panic", "/io"] {
        assert_eq!(refusal(setup.get(path)).await, is("server.internal", 500, ""), "{path}");
    }
    // And the worker lives on.
    assert_eq!(setup.get("/notes/1").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn pages_and_protocol_errors_of_a_service_stay_as_they_are() {
    let setup = Setup::new().await;
    let page = setup.get("/page").send().await.unwrap();
    usual_headers(&page);
    assert_eq!(page.headers()["cache-control"], "private");
    assert_eq!(page.text().await.unwrap(), "<p>Wrong password</p>");
    let oauth = setup.get("/oauth").send().await.unwrap();
    assert_eq!(oauth.text().await.unwrap(), r#"{"error":"invalid_grant"}"#);
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up_and_what_it_did_is_unknown() {
    let setup = Setup::new().await;
    let started = tokio::time::Instant::now();
    let (read, write) = tokio::join!(refusal(setup.get("/stuck")), refusal(setup.client.post(setup.url("/stuck"))));
    assert_eq!((read.0, read.1.as_str()), (503, "server.busy"));
    assert_eq!((write.0, write.1.as_str()), (503, "server.outcome_unknown"));
    let waited = started.elapsed();
    assert!(waited.as_secs() < 5, "{waited:?}");
}

#[tokio::test]
async fn a_body_that_is_announced_above_the_limit_is_refused_before_it_comes() {
    let setup = Setup::new().await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>();
    let request = setup.post(reqwest::Body::wrap_stream(never)).header("content-length", 64 * 1024 + 1);
    let refused = tokio::time::timeout(std::time::Duration::from_secs(3), refusal(request)).await;
    let (status, code, _) = refused.expect("not only after the time for the body");
    assert_eq!((status, code.as_str()), (413, "request.too_large"));
}
