//! `/docs` and `/openapi.json`: there if the configuration says so, and else nothing.

use crate::docs;
use crate::world::World;

/// Status, policy and text of what is there.
async fn read(world: &World, path: &str) -> (u16, String, String) {
    let answer = world.public.get(world.url(path)).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), policy, answer.text().await.unwrap())
}

#[tokio::test]
async fn the_api_is_shown_where_the_configuration_says_so_and_nowhere_else() {
    let mut world = World::start().await;
    for path in ["/docs", "/openapi.json"] {
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
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    for id in &ids {
        assert_eq!(page.matches(&format!("<h3 id=\"{id}\">")).count(), 1, "{id}");
    }
    docs::judge("ledger", world.url("").trim_end_matches('/'), ids.len()).await;
}
