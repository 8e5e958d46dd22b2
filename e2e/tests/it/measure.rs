//! How well the edge alone, what stands in the service's own process alone, and both of them tell attacks from what people write. The figures stand in
//! docs/performance.md; what is asked for here is a little less.

use testkit::edge::{self, Edge};
use testkit::server::Server;
use testkit::waf::{self, Outcome, Trial, corpus, held_out};

use crate::{Scene, in_process};

/// As `rules.conf`, without what knows the API's fields.
const WITHOUT_FIELDS: &str = "Include {{directory}}/modsecurity.conf\nInclude {{directory}}/crs-setup.conf\n\
    Include {{directory}}/before-crs.conf\n{{initialization}}\n{{crs}}\nInclude {{directory}}/after-crs.conf\n";

/// The engines, apart and one behind the other.
struct Engines {
    scene: Scene,
    inner: Server,
    /// The edge before it.
    front: String,
    _edge: Edge,
}

impl Engines {
    async fn start() -> Option<Self> {
        let scene = Scene::start(None).await?;
        let inner = in_process::start(&scene.pki).await;
        let (edge, port) = edge::start(&scene.software, &scene.pki, inner.address().port(), None);
        Some(Self { scene, inner, front: format!("https://localhost:{port}"), _edge: edge })
    }

    /// The edge alone, in process alone, both.
    async fn measure(&self, trials: &[Trial]) -> [Outcome; 3] {
        let [edge, inner] = [&self.scene.front, &self.inner.url()];
        let measure = async |url: &str| waf::measure(&self.scene.http, url, trials).await.unwrap();
        [measure(edge).await, measure(inner).await, measure(&self.front).await]
    }
}

fn say(what: &str, [edge, inner, both]: &[Outcome; 3]) {
    for (name, outcome) in [("the edge alone", edge), ("in process alone", inner), ("both", both)] {
        println!("{what}, {name}:\n{outcome}");
        println!("  honest, and refused: {:?}", outcome.offended);
    }
}

/// What one engine refuses the two together refuse.
fn is_sum([edge, inner, both]: &[Outcome; 3]) -> bool {
    let least = edge.all.stopped.max(inner.all.stopped);
    both.all.stopped >= least && both.all.offended <= edge.all.offended + inner.all.offended
}

#[tokio::test]
async fn two_engines_tell_more_attacks_than_either() {
    let Some(engines) = Engines::start().await else { return };
    let Some(cases) = corpus::read().unwrap() else { return };
    let rules = corpus::rules(&engines.scene.software.rules).unwrap();
    let enforced = corpus::attacks(&cases, |rule| rules.get(&rule) == Some(&1));
    let outcomes = engines.measure(&waf::trials(&enforced)).await;
    say(&format!("attacks of rules that are installed at paranoia 1 ({} texts)", enforced.len()), &outcomes);
    assert!(is_sum(&outcomes), "{}", outcomes[2]);
}

#[tokio::test]
async fn texts_that_nobody_tuned_on() {
    let Some(engines) = Engines::start().await else { return };
    let Some((sources, honest)) = held_out::texts() else { return };
    let attacks: Vec<String> = sources.iter().flat_map(|source| source.attacks.iter().cloned()).collect();
    let outcomes = engines.measure(&waf::trials_with(&attacks, &honest)).await;
    let of_each: Vec<_> = sources.iter().map(|source| (source.name, source.attacks.len())).collect();
    say(&format!("held out ({of_each:?}, {} honest texts)", honest.texts.len()), &outcomes);
    for source in &sources {
        let mut trials = waf::trials_with(&source.attacks, &honest);
        trials.retain(|trial| trial.attack);
        let count = engines.measure(&trials).await.map(|outcome| (outcome.all.stopped, outcome.all.attacks));
        println!("  {}: edge, in process, both: {count:?}", source.name);
    }
    assert!(attacks.len() > 500 && honest.texts.len() > 1_000 && is_sum(&outcomes), "{}", outcomes[2]);
}

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
