//! The page of an API as people see it: on a phone and on a desk, by day and by night; it asks nobody for anything, and `axe` finds no fault with it. Without
//! Chromium, npm or node the tests say so, as in `drivers.rs`. The ledger's tests have this, too.

use serde_json::{Value, json};

use crate::drivers::judged_by_axe;

/// Opens the page at that origin and judges it; it has so many operations.
pub(crate) async fn judge(name: &str, origin: &str, operations: usize) {
    let Some(mut script) = judged_by_axe(include_str!("docs.mjs")).await else { return };
    script.tell(&format!("{name} {origin}/docs")).await;
    let mut papers = Vec::new();
    for (scheme, width) in [("light", 390), ("light", 1280), ("dark", 390), ("dark", 1280)] {
        let mut found: Value = script.told("found").await;
        papers.push(found.as_object_mut().unwrap().remove("paper").unwrap());
        let expected = json!({
            "operations": operations, "lost": [], "widths": [width, width], "violations": [], "complaints": [], "foreign": [],
        });
        assert_eq!(found, expected, "{name}, {scheme}, {width}");
    }
    script.ended().await;
    let [light, light_too, dark, dark_too] = papers.try_into().unwrap();
    assert!(light == light_too && dark == dark_too && light != dark, "{light} {light_too} {dark} {dark_too}");
}
