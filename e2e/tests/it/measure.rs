//! How well the edge alone tells attacks from what people write. The figures stand in docs/performance.md; what is asked for here is a little less.

use testkit::waf::{self, corpus};

use crate::Scene;

/// As `rules.conf`, without what knows the API's fields.
const WITHOUT_FIELDS: &str = "Include {{directory}}/modsecurity.conf\nInclude {{directory}}/crs-setup.conf\n\
    Include {{directory}}/before-crs.conf\n{{initialization}}\n{{crs}}\nInclude {{directory}}/after-crs.conf\n";

#[tokio::test]
async fn attacks_are_told_from_what_people_write() {
    let Some(scene) = Scene::start(None).await else { return };
    let Some(cases) = corpus::read().unwrap() else { return };
    let rules = corpus::rules(&scene.software.rules).unwrap();
    let enforced = corpus::attacks(&cases, |rule| rules.get(&rule) == Some(&1));
    let outcome = waf::measure(&scene.http, &scene.front, &waf::trials(&enforced)).await.unwrap();
    println!(
        "the edge alone; attacks of rules that are installed at paranoia 1 ({} texts):\n{outcome}",
        enforced.len()
    );
    println!("  honest, and refused: {:?}", outcome.offended);
    // Whatever a rule of any version finds at any paranoia, fragments too: for comparison, in one field, and nobody promises anything.
    let any = corpus::attacks(&cases, |_| true);
    let mut wide = waf::trials(&any);
    wide.retain(|trial| trial.field == "transfer: reference");
    let wide = waf::measure(&scene.http, &scene.front, &wide).await.unwrap();
    println!("the same; attacks of every rule at every paranoia ({} texts), in one field:\n{wide}", any.len());
    assert!(enforced.len() > 500 && outcome.prose.honest > 500, "{outcome}");
    assert!(outcome.all.balanced_accuracy() > 0.95 && outcome.prose.balanced_accuracy() > 0.95, "{outcome}");
    // What the rules for our own fields are worth, in the field that has most of them.
    let plain = Scene::start(Some(WITHOUT_FIELDS)).await.unwrap();
    let one_field =
        waf::trials(&enforced).into_iter().filter(|trial| trial.attack && trial.field == "transfer: reference");
    let honest = waf::trials(&[]).into_iter().filter(|trial| trial.prose);
    let plain = waf::measure(&plain.http, &plain.front, &one_field.chain(honest).collect::<Vec<_>>()).await.unwrap();
    println!("the first row without `fields.conf`, attacks in one field:\n{plain}");
    assert!(plain.all.balanced_accuracy() < outcome.prose.balanced_accuracy(), "{plain}");
    // Nothing stands before the stand-in: everything reaches it, so it was the edge.
    let without = waf::measure(&scene.http, &scene.stand_in.url(), &waf::trials(&enforced[..50])).await.unwrap();
    assert_eq!((without.all.stopped, without.all.offended), (0, 0));
}
