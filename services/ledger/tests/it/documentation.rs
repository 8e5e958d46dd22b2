//! `/docs` and `/openapi.json`: there if the configuration says so, and else nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::docs;
use crate::world::{World, transfer};

/// Status, policy and text of what is there.
async fn read(world: &World, path: &str) -> (u16, String, String) {
    let answer = world.public.get(world.url(path)).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), policy, answer.text().await.unwrap())
}

#[tokio::test]
async fn the_api_is_shown_where_the_configuration_says_so_and_nowhere_else() {
    let mut world = World::start().await;
    for path in ["/docs", "/docs/", "/openapi.json"] {
        let (status, _, text) = read(&world, path).await;
        assert_eq!(status, 404, "{path}");
        assert!(text.contains("request.not_found"), "{text}");
    }

    world.start_again_where(|config| config.common.public.as_mut().unwrap().docs = true).await;
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json")).unwrap();
    let (status, _, document) = read(&world, "/openapi.json").await;
    assert_eq!(
        (status, document.trim()),
        (200, committed.trim()),
        "what programs read is the contract as it is committed"
    );
    let (status, policy, page) = read(&world, "/docs").await;
    assert_eq!(status, 200);
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(read(&world, "/docs/").await.2, page, "with a slash, it is the same page");
    let document: Value = serde_json::from_str(&document).unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    for id in &ids {
        assert_eq!(page.matches(&format!("<h3 id=\"{id}\">")).count(), 1, "{id}");
    }
    docs::judge("ledger", world.url("").trim_end_matches('/'), ids.len()).await;
}

/// The examples of problems in the document, by status and code.
fn examples(document: &Value) -> BTreeMap<(u64, String), Value> {
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let answers = operations.flat_map(|operation| operation["responses"].as_object().unwrap().values());
    let problems = answers.filter_map(|answer| answer.pointer("/content/application~1problem+json/example"));
    problems.map(|problem| (named(problem), problem.clone())).collect()
}

fn named(problem: &Value) -> (u64, String) {
    match (problem["status"].as_u64(), problem["code"].as_str()) {
        (Some(status), Some(code)) => (status, code.to_owned()),
        _ => panic!("no problem: {problem}"),
    }
}

/// But for what is said of one request alone. That a request has an id, every problem says.
fn of_every_occurrence(mut problem: Value) -> Value {
    let members = problem.as_object_mut().unwrap();
    members.retain(|name, _| name != "detail" && name != "field");
    let id: api::Id = members["request_id"].as_str().unwrap().parse().unwrap();
    members.insert("request_id".to_owned(), json!(id.to_string().len()));
    problem
}

#[tokio::test]
async fn the_example_of_a_problem_is_what_the_service_answers() {
    let mut world = World::start().await;
    world.start_again_where(|config| config.common.public.as_mut().unwrap().docs = true).await;
    let examples = examples(&serde_json::from_str(&read(&world, "/openapi.json").await.2).unwrap());
    let phone = world.phone("alice").await;
    let account = world.open(&phone, "EUR").await;
    let nobodys = api::Id::EXAMPLE;
    let a_first_one =
        world.post_with_key(&phone, "/v1/accounts", &json!({"name": "A", "currency": "EUR"}), "twice").await;
    assert_eq!(a_first_one.status, 201);

    let plain = |path: &str| world.public.get(world.url(path));
    let packed = plain("/v1/accounts").header("content-encoding", "gzip").send().await.unwrap();
    let elsewhere = plain("/v1/accounts").header("host", "elsewhere.example").send().await.unwrap();
    let long = plain(&format!("/v1/accounts?after={}", "a".repeat(9000))).send().await.unwrap();
    let answers: [Value; 9] = [
        packed.json().await.unwrap(),
        elsewhere.json().await.unwrap(),
        long.json().await.unwrap(),
        world.get(&world.authority.phone("bob").with_scopes(&["openid"]), "/v1/accounts").await.body,
        world.post(&phone, "/v1/transfers", &transfer(&account, "x", "1.00")).await.body,
        world.get(&phone, &format!("/v1/accounts/{nobodys}")).await.body,
        world.get(&phone, &format!("/v1/transfers/{nobodys}")).await.body,
        world.get(&phone, &format!("/v1/payouts/{nobodys}")).await.body,
        world.post_with_key(&phone, "/v1/accounts", &json!({"name": "B", "currency": "EUR"}), "twice").await.body,
    ];
    let mut met = BTreeSet::new();
    for answer in answers {
        let name = named(&answer);
        let example = examples.get(&name).unwrap_or_else(|| panic!("no example of {name:?}"));
        assert_eq!(of_every_occurrence(example.clone()), of_every_occurrence(answer));
        met.insert(name);
    }
    assert_eq!(met.len(), 9, "each is another one: {met:?}");
}
