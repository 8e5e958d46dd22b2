//! The desk in a real browser, which shows the analyst's certificate.

use serde_json::{Value, json};
use testkit::{door, server};

use super::alert;
use crate::drivers::judged_by_axe;
use crate::world::World;

/// A user of habits, a payment that none of them explains, words on others, and one that was not made.
async fn lived(world: &World) -> String {
    let day = 86_400;
    let usual: Vec<Value> = (0..70)
        .map(|n| {
            world.paid(
                60 * day - n * day * 5 / 6 - n * 997,
                "alice",
                if n % 3 == 0 { "bakery" } else { "grocer" },
                &format!("{}.{:02}", 12 + n * 7 % 31, n * 13 % 100),
            )
        })
        .collect();
    world.tell(&usual).await;
    world.label("event", usual[50]["id"].as_str().unwrap(), "fraud").await.ok();
    alert(world, "alice", "80.00").await;
    let case = world.score("alice", "stranger", "950.00").await["decision_id"].as_str().unwrap().to_owned();
    let mut made = world.paid(0, "alice", "stranger", "950.00");
    made["decision_id"] = json!(case);
    world.tell(&[made]).await;
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_fits_a_phone_and_a_desk_by_day_and_night_shuts_nobody_out_and_takes_a_word_from_nowhere_else() {
    let Some(mut script) = judged_by_axe(include_str!("browser.mjs")).await else { return };
    let world = World::new().await;
    let identity = world.pki.internal("analyst");
    let case = format!("/desk/cases/{}", lived(&world).await);
    let paths = ["/desk".to_owned(), case.clone(), "/desk/dry-run".to_owned(), "/desk/cases/none".to_owned()];
    // On a developer's machine, for a browser without a certificate.
    let inside = server::client(&world.pki.internal_ca(), Some(&identity)).unwrap();
    let public = world.pki.public("console");
    let door = door::open(server::FREE, &public, inside, &world.desk(""), "/desk").await.unwrap();
    let told = json!({
        "door": door.url(), "url": world.desk(""), "certificate": identity.certificate, "key": identity.key, "paths": paths, "case": case,
    });
    script.tell(&told.to_string()).await;
    let mut grounds = Vec::new();
    for (scheme, width) in [("light", 390), ("light", 1280), ("dark", 390), ("dark", 1280)] {
        for path in &paths {
            let found: Value = script.told("found").await;
            let right =
                json!({ "path": path, "width": width, "ground": found["ground"], "complaints": [], "violations": [] });
            assert_eq!(found, right, "{scheme}, {width}");
            grounds.push(found["ground"].clone());
        }
    }
    grounds.dedup();
    assert_eq!(grounds.len(), 2, "day and night: {grounds:?}");
    let pressed: Value = script.told("pressed").await;
    assert_eq!(pressed, json!({ "ended": format!("{case}#word"), "said": "fraud said by analyst" }), "{pressed}");
    assert_eq!(world.rows("select 1 from labels where said_by = 'analyst' and label = 'fraud'").await, 1);
    // Another's page has the browser send the same form, with the analyst's certificate.
    let foreign: Value = script.told("foreign").await;
    assert_eq!(foreign, json!({ "status": 403, "title": "Not shown · Redoubt desk" }), "{foreign}");
    assert_eq!(world.rows("select 1 from labels where said_by = 'analyst'").await, 1);
    let through: Value = script.told("through").await;
    assert_eq!(
        through,
        json!({ "ended": format!("{case}#word"), "said": "honest said by analyst", "foreign": 403 }),
        "{through}"
    );
    assert_eq!(world.rows("select 1 from labels where said_by = 'analyst'").await, 2);
    script.ended().await;
    world.stop().await;
}
