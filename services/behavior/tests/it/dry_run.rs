//! Other rules are tried beside those that judge: what they would have said is kept, shown and made anew, and nothing comes of it.

use behavior::config::DryRun;
use serde_json::{Value, json};

use crate::world::World;
use crate::{behaviorctl, own, scratch};

/// Rules that are wary of everybody whose payee is new, under another version.
fn wary(of: &str) -> std::path::PathBuf {
    let text = std::fs::read_to_string(own("rules/payments.toml")).unwrap();
    let rule = "\n[[rule]]\nid = \"new\"\nsays = \"somebody new is paid\"\nlog_odds = 1.0\nat_least = \"step_up\"\nwhen = { payee_count = { below = 1 } }\n";
    let file = scratch(&format!("dry-run-{of}")).join("rules.toml");
    std::fs::write(&file, text.replace("payments-3", "tried") + rule).unwrap();
    file
}

fn tried(rules: std::path::PathBuf) -> DryRun {
    DryRun { model_file: None, rules_file: Some(rules) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_is_kept_beside_the_decision_and_decides_nothing() {
    let rules = wary("kept");
    let world = World::new_where(|config| config.judgement.dry_run = Some(tried(rules.clone()))).await;
    world.tell(&[world.paid(86_400, "alice", "grocer", "20.00")]).await;
    let (known, new) = (world.score("alice", "grocer", "21.00").await, world.score("alice", "baker", "21.00").await);
    assert_eq!((&known["action"], &new["action"]), (&json!("allow"), &json!("allow")), "{new}");
    assert!(known.get("dry_run").is_none() && new.get("dry_run").is_none(), "who pays is not told");
    let decision = world.decision(&new).await;
    assert_eq!((&decision["action"], &decision["rules"]), (&json!("allow"), &json!("payments-3")));
    let beside = &decision["dry_run"];
    assert_eq!((&beside["action"], &beside["rules"]), (&json!("step_up"), &json!("tried")), "{decision}");
    assert_eq!((&beside["model"], &beside["reasons"][0]["name"]), (&decision["model"], &json!("new")));
    assert_eq!(world.decision(&known).await["dry_run"]["action"], "allow");

    // It is made anew, like the decision itself, each by those who said it.
    let stored = scratch("dry-run-explain").join("decision.json");
    std::fs::write(&stored, decision.to_string()).unwrap();
    for (rules, model_says) in [(own("rules/payments.toml"), "Allow"), (rules.to_str().unwrap().to_owned(), "StepUp")] {
        let model = own("model/card-payments.json");
        let output = behaviorctl(&["explain", stored.to_str().unwrap(), "--model", &model, "--rules", &rules]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.contains("the same as then") && said.contains(model_says), "{said}");
    }
    let mut changed: Value = decision.clone();
    changed["dry_run"]["score"] = json!(0.9);
    std::fs::write(&stored, changed.to_string()).unwrap();
    let rules = rules.to_str().unwrap();
    let model = own("model/card-payments.json");
    let output = behaviorctl(&["explain", stored.to_str().unwrap(), "--model", &model, "--rules", rules]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("the score was 0.900000"));
    assert_eq!(
        world.rows("select 1 from dry_runs r join decisions d on d.id = r.decision_id and d.xmin = r.xmin").await,
        2
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_shows_how_often_they_differ_and_where() {
    let rules = wary("desk");
    let world = World::new_where(|config| config.judgement.dry_run = Some(tried(rules))).await;
    world.tell(&[world.paid(86_400, "alice", "grocer", "20.00")]).await;
    let empty = world.page("analyst", "/desk/dry-run").await;
    assert!(empty.status == 200 && empty.html.contains("Nobody has paid since it is tried"), "{}", empty.html);
    let mut differing = String::new();
    for (payee, times) in [("grocer", 3), ("baker", 2)] {
        for _ in 0..times {
            let score = world.score("alice", payee, "21.00").await;
            score["decision_id"].as_str().unwrap().clone_into(&mut differing);
        }
    }
    let shown = world.page("analyst", "/desk/dry-run").await.html;
    let table = shown.split("<table class=\"pairs\">").nth(1).unwrap().split("</table>").next().unwrap();
    let cells: Vec<&str> =
        table.split("<td class=\"amount").skip(1).map(|cell| cell.split(&['>', '<'][..]).nth(1).unwrap()).collect();
    assert_eq!(cells, ["3", "2", "0", "0", "0", "0", "0", "0", "0"], "{table}");
    assert_eq!(shown.matches("<a href=\"/desk/cases/").count(), 2, "{shown}");
    assert!(shown.contains(&differing) && shown.contains("somebody new is paid"), "{shown}");
    let case = world.page("analyst", &format!("/desk/cases/{differing}")).await.html;
    assert!(case.contains("<dt>Dry run</dt>") && case.contains("<code>tried</code>"), "{case}");
    // What was tried by others counts for them.
    world.rows("update dry_runs set rules = 'payments-3'").await;
    let later = world.page("analyst", "/desk/dry-run").await.html;
    assert!(later.contains("Nobody has paid since") && !later.contains("/desk/cases/"), "{later}");
    let stranger = world.page("operator", "/desk/dry-run").await;
    assert_eq!((stranger.status, stranger.refused), (403, vec!["authorization/peer_not_allowed".to_owned()]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_tried_it_is_said_and_nothing_is_kept() {
    let world = World::new().await;
    let score = world.score("alice", "grocer", "20.00").await;
    assert_eq!(world.decision(&score).await.get("dry_run"), None);
    let shown = world.page("analyst", "/desk/dry-run").await.html;
    assert!(shown.contains("No other model and no other rules are tried just now"), "{shown}");
    assert_eq!(world.rows("select 1 from dry_runs").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tried_keeps_the_service_from_starting() {
    let folder = scratch("dry-run-refused");
    let text = std::fs::read_to_string(own("rules/payments.toml")).unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let other = file("features.toml", &text.replace("features_version = 3", "features_version = 7"));
    let same = file("same.toml", &text.replace("log_odds = 1.0", "log_odds = 9.0"));
    for (rules, why) in [
        (other, "written for version 7 of the features"),
        (same, "the rules \"payments-3\" judge already"),
        (folder.join("none.toml"), "none.toml"),
    ] {
        let refused = World::refused(|config| config.judgement.dry_run = Some(tried(rules))).await;
        assert!(refused.contains("judgement.dry_run") && refused.contains(why), "{why}: {refused}");
    }
}
